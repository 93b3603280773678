"""Spending: what is left of credits once unbilled usage has drawn on them, and what it covers."""
