"""Bodies that ask for more than they send, and the memory of a server that gets them."""
