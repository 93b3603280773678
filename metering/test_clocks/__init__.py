"""Test clocks: customers whose time stands still until it is advanced."""
