"""Branches whose making is cut short."""
