"""Explanations: what figures are made of, and why the rest does not count."""
