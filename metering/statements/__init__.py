"""Statements: what usage comes to in a period, previewed, and finalised for good."""
