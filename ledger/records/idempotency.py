"""What makes a request the same request, and what is known of one that was made."""

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
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


class StoredRequest(msgspec.Struct, frozen=True):
    """What is known of a request.

    Attributes:
        fingerprint: of what was asked.
        request_id: of the one that had the effect.
        resource_id: of what it made, where it made something that has an id.
        status: of the response; None where its process died before it had one.
        body: of the response.
    """

    fingerprint: bytes
    request_id: str
    resource_id: str | None
    status: int | None
    body: bytes | None
