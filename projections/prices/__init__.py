"""Products and prices, as of the last fact of the log."""
