"""Branches, as callers see them."""
