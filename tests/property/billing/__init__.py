"""Laws of rating and of statements."""
