"""Routes of v2: bodies and errors in JSON, times in RFC 3339."""
