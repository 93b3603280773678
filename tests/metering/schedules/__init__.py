"""Holds, as callers see them."""
