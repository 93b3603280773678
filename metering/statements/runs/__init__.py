"""Billing runs of statements: every period that has ended, stated in bulk."""
