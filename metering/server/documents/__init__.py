"""What the server says of itself: OpenAPI, the page at the root, routes without a key."""
