"""Corrections: what was cancelled and replaced, why and by whom."""
