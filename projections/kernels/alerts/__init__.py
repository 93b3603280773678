"""Kernels of alerts: the alerts there are, and where usage crosses a threshold."""
