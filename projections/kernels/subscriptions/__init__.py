"""Subscriptions: what their facts add up to, and what follows at an instant."""
