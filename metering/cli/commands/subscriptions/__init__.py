"""``metering customers`` and ``metering subscriptions``."""
