"""Subscriptions, through the public door."""
