"""Scans of all events: SQL and re-aggregation, wherever the events lie."""
