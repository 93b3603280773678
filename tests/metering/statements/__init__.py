"""Statements: previewed, finalised for good, voided, listed, and refused."""
