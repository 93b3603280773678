"""Usage in stores: of this project, and in the row tables of its peers."""
