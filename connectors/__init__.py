"""The outside world, one adapter a file: brokers, stores, outbox, doors, files."""
