"""Access of a server's clients: API keys and idempotent requests."""
