"""The request for a list of error reports."""

from collections.abc import Sequence

from metering.arguments.pages import PageLimit, PageRequest
from metering.arguments.strings import Id
from metering.arguments.times import CreatedBounds

LIMIT = 20
"""How many reports a page has where the caller does not say, as in Stripe's v2."""


class ErrorReportList(PageRequest, frozen=True, kw_only=True):
    """Which error reports are listed."""

    limit: PageLimit | None = LIMIT
    types: Sequence[str] | None = None
    meter: Id | None = None
    created: CreatedBounds | None = None
