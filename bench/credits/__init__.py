"""Credits of a billing run: in stores of this project, and in rows of its peers."""
