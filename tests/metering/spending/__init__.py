"""Burn-down, checks of usage, and usage that is recorded only where it is covered."""
