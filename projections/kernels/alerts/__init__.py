"""Kernels of alerts: their periods, and where usage crosses a threshold."""
