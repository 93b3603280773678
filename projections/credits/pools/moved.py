"""The grants that a customer's invoices and holds moved: its own, and those of pools.

A draw is known by the position of its grant. So who goes through draws needs the grants
of pools as well, to tell them from a customer's own.
"""

from collections.abc import Iterable, Mapping, Sequence

from ledger.database.rows import RowsByKey
from projections.credits.queries import CreditQueries
from projections.credits.tables import credit_grant
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.holds import HeldMove


def grants_moved(
    seen: CreditQueries,
    customers: Sequence[str],
    applications: Mapping[str, Sequence[Application]],
    moves: Mapping[str, Sequence[HeldMove]],
) -> dict[str, list[Grant]]:
    """Return all grants of customers, and those of pools that they moved.

    Args:
        seen: the credits.
        customers: whose.
        applications: of each.
        moves: of the holds of each.
    """
    found = seen.grants_of_many(customers)
    own = {grant.position for grants in found.values() for grant in grants}
    others = {
        customer: _named(applications.get(customer, ()), moves.get(customer, ())) - own
        for customer in customers
    }
    wanted = set().union(*others.values())
    if wanted:
        known = seen.grants_at(sorted(wanted))
        for customer, positions in others.items():
            found.setdefault(customer, []).extend(
                known[at] for at in sorted(positions) if at in known and known[at].pool
            )
    return found


def grants_moved_by(
    seen: CreditQueries,
    customer: str,
    applications: Sequence[Application],
    moves: Sequence[HeldMove],
) -> RowsByKey[int, Grant]:
    """Return what `grants_moved` does for one customer, by position."""
    found = grants_moved(
        seen, [customer], {customer: applications}, {customer: moves}
    ).get(customer, ())
    return RowsByKey(credit_grant, ((each.position, each) for each in found))


def _named(applications: Iterable[Application], moves: Iterable[HeldMove]) -> set[int]:
    named = {draw.grant_position for each in applications for draw in each.draws}
    return named.union(move.grant_position for move in moves)
