"""Alerts: what awaits evaluation, and where usage and credits cross thresholds."""
