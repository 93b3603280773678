"""Errors of projections.

MeteringError
└── ProjectionError
    └── QueryError
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
