"""Recording: events that are held for a moment, and written to the log many at a time."""
