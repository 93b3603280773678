"""Comparing: what two stores say of every customer, side by side."""
