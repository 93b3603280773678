"""The vocabulary of usage: events as columns and as rows, exact quantities, identifiers."""
