"""Two stores compared, as callers see it."""
