"""``metering credits``: grants, billing runs and holds."""
