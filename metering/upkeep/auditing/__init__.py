"""Auditing: a store proves its own totals while it runs, a piece at a time.

The comparisons are those of verification, cut into pieces.
"""
