"""Alerts on usage and on credits."""
