"""Errors of projections.

MeteringError
└── ProjectionError
    └── QueryError
"""

from ledger.errors import MeteringError


class ProjectionError(MeteringError):
    """A projection cannot answer a question."""

    code = "projection_error"


class QueryError(ProjectionError):
    """An SQL query cannot be run."""

    code = "query_invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The query cannot be run: {reason}", param="query")
        self.reason = reason
