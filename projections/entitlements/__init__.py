"""Features, and what customers were told that they have, as of the last fact of the log."""
