"""Making a log of the entries of another, in a database that has none."""
