"""State beside the log: written in its database transactions, never rebuilt from it."""
