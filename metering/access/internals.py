"""Internals: what the server uses of a connection, and nothing promises to others."""

from dataclasses import dataclass

from metering.access.idempotency import IdempotentRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Internals:
    """Doors that only this distribution opens.

    Attributes:
        requests: those that came under an idempotency key.
    """

    requests: IdempotentRequests
