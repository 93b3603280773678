"""Subscriptions, as of the last fact of the log."""
