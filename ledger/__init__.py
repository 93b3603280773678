"""The append-only log: what was recorded, in which order.

Usage is stored in columnar commits, everything else as facts. This package knows
nothing of meters' meaning, of summaries or of customers' balances.
"""
