"""Laws of test clocks."""
