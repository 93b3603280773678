"""Branches and their origins, whatever is done to either."""
