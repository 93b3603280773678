"""Customers: who is billed, as far as a caller says so."""
