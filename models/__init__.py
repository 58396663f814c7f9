"""Online models and quality tests: pure, one pass, no look-ahead, no clock."""
