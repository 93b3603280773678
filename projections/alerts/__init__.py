"""Alerts: what is watched, what is pending, and what was crossed."""
