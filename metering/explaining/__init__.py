"""Explanations: which events a figure is made of, and why others are not in it."""
