"""Laws of holds."""
