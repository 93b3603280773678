"""Errors of projections.

MeteringError
├── ProjectionError
│   └── QueryError
└── RequestRepeatedError
"""

from ledger.errors import MeteringError


class ProjectionError(MeteringError):
    """What was asked of a projection cannot be answered."""

    code = "projection_error"


class QueryError(ProjectionError):
    """A query in SQL cannot be run."""

    code = "query_invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The query cannot be run: {reason}", param="query")
        self.reason = reason


class RequestRepeatedError(MeteringError):
    """Another request under the same idempotency key has had its effect meanwhile."""

    code = "idempotency_key_in_use"

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            "There is another request in progress under idempotency key"
            f" {idempotency_key!r}; send it again when that one is answered"
        )
