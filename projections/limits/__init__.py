"""Spend limits: which there are, and what of holds counts against them."""
