"""Test clocks through the library."""
