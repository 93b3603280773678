"""Test clocks: which there are, who lives by them, and what they showed when."""
