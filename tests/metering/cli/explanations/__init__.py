"""``metering explain``."""
