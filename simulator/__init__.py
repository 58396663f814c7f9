"""The synthetic city that knows the truth."""
