"""Credits over HTTP: applied, held, limited and spent."""
