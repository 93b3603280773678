"""Owners of grants: whose credits are read or changed where a grant is named."""

from collections.abc import Callable, Collection

from metering.arguments.strings import is_storable
from projections.credits.queries import CreditQueries


def owner_of(grant_id: object) -> Callable[[CreditQueries], Collection[str] | None]:
    """Return what tells whose credits a grant is of.

    Everybody's, where there is none of the id: one that is due may have it.
    """

    def whose(seen: CreditQueries) -> Collection[str] | None:
        if not (isinstance(grant_id, str) and is_storable(grant_id)):
            return ()
        grant = seen.grant(grant_id)
        # What a pool has is never due.
        return None if grant is None else grant.owners

    return whose
