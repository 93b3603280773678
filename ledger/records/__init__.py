"""State beside the log: written in its database transactions, never rebuilt from it.

Each module owns one noun, with its tables and its queries: API keys, idempotent requests,
sessions of the stream, refusals, the outbox with its deliveries, signing secrets. No
entry of the log leads to any of it, so it is lost with the database, and its tables are
changed by the numbered steps of `ledger.migrations`. Nothing here appends to the log.
"""
