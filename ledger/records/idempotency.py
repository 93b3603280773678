"""What makes a request the same request: its idempotency key, and what it asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request under an idempotency key of the caller's.

    Attributes:
        key_id: of the API key that it came with.
        idempotency_key: what the caller gave it, unique for the API key.
        fingerprint: of what was asked.
        request_id: its own.
    """

    key_id: str
    idempotency_key: str
    fingerprint: bytes
    request_id: str
