"""Customers, through the public door."""
