"""Laws of usage records."""
