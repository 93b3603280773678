"""Holds: credits that are reserved for work whose price is not known yet."""
