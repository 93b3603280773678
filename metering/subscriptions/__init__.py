"""Subscriptions: which prices a customer pays, and from when."""
