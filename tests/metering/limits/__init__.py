"""Spend limits: what may be spent, and what warns."""
