"""Scans of all events, sealed or not: SQL and re-aggregation."""
