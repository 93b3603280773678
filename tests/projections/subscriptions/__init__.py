"""Periods of subscriptions, and what follows from their facts."""
