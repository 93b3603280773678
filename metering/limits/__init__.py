"""Spend limits: how much customers may spend in a window of time."""
