"""What reports hold: the rows of each type, as the log knew them at a position."""
