"""The fold of a portion of a billing run: from its columns to rows.

Nothing is made for an invoice but the values of its rows.
"""

from collections.abc import Iterable
from itertools import accumulate, chain, repeat
from typing import TypeVar

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.database.bulk import add_at_positions, insert_columns
from ledger.facts.credits.settlements import SettledInvoices
from ledger.usage.arrow import compute as pc
from projections.credits.pools.use import fold_pool_use_of_run
from projections.credits.reinstating import reinstate
from projections.credits.tables import (
    credit_application,
    credit_customer_application,
    credit_grant_use,
    credit_invoice_block,
    credit_movement,
)

_application, _block = credit_application.c, credit_invoice_block.c
_of_customer, _movement = credit_customer_application.c, credit_movement.c

JoinedT = TypeVar("JoinedT")


def fold_settled(
    connection: Connection,
    first_position: int,
    recorded_at: int,
    facts: SettledInvoices,
) -> None:
    """Fold a portion of a billing run.

    Args:
        connection: to the tables.
        first_position: of its first fact; the others follow.
        recorded_at: when it was recorded.
        facts: what it says.
    """
    given_back = {
        invoice: (position, recorded_at)
        for position, invoice in enumerate(facts.given_back, first_position)
    }
    returned = reinstate(connection, given_back)
    first = first_position + len(given_back)
    draw_counts = _joined(each.columns.draw_counts for each in facts.blocks)
    _insert_blocks(connection, first, recorded_at, facts)
    _insert_applications(connection, first, facts, draw_counts)
    _insert_by_customer(connection, first, recorded_at, facts, draw_counts)
    draws = _DrawsByGrant(facts, first, draw_counts)
    _insert_movements(connection, recorded_at, draws)
    drawn = draws.sums()
    for grant, amount in returned.items():
        drawn[grant] = drawn.get(grant, 0) - amount
    add_at_positions(connection, {credit_grant_use.c.applied: drawn})
    fold_pool_use_of_run(connection, first_position, facts)


def _insert_blocks(
    connection: Connection, first: int, recorded_at: int, facts: SettledInvoices
) -> None:
    sizes = [len(each) for each in facts.blocks]
    insert_columns(
        connection,
        credit_invoice_block,
        {
            _block.first_position: [first + at for at in _starts(sizes)],
            _block.encoded: [each.encoded for each in facts.blocks],
        },
        {_block.recorded_at: recorded_at},
    )


def _insert_applications(
    connection: Connection, first: int, facts: SettledInvoices, draw_counts: list[int]
) -> None:
    sizes = [len(each) for each in facts.blocks]
    insert_columns(
        connection,
        credit_application,
        {
            _application.position: range(first, first + len(draw_counts)),
            _application.invoice: _joined(
                each.columns.invoices for each in facts.blocks
            ),
            _application.draw_count: draw_counts,
            _application.block_position: _joined(
                repeat(first + at, size)
                for at, size in zip(_starts(sizes), sizes, strict=True)
            ),
        },
    )


def _insert_by_customer(
    connection: Connection,
    first: int,
    recorded_at: int,
    facts: SettledInvoices,
    draw_counts: list[int],
) -> None:
    customers = _joined(each.columns.customers for each in facts.blocks)
    # In the order of the key, so that those of one page are added together.
    places = pc.array_sort_indices(pa.array(customers, pa.string())).to_pylist()
    in_order = [at for at in places if draw_counts[at]]
    insert_columns(
        connection,
        credit_customer_application,
        {
            _of_customer.customer: [customers[at] for at in in_order],
            _of_customer.position: [first + at for at in in_order],
        },
        {_of_customer.recorded_at: recorded_at},
    )


class _DrawsByGrant:
    """What invoices draw, by grant and invoice; arrays of int64.

    Attributes:
        grants, positions: of each draw, the grant's and the invoice's position.
    """

    def __init__(
        self, facts: SettledInvoices, first: int, draw_counts: list[int]
    ) -> None:
        grants = _numbers(each.columns.draw_grants for each in facts.blocks)
        invoices = np.arange(first, first + len(draw_counts))
        # Stable: the draws come by invoice.
        order = np.argsort(grants, kind="stable")
        self.grants = grants[order]
        self.positions = np.repeat(invoices, draw_counts)[order]
        amounts = _numbers(each.columns.draw_amounts for each in facts.blocks)
        self._amounts = amounts[order]

    def sums(self) -> dict[int, int]:
        """Add up amounts by grant: whole numbers, which the database bounds as well."""
        firsts = np.flatnonzero(_differ(self.grants))
        sums = np.add.reduceat(self._amounts, firsts) if len(firsts) else firsts
        return dict(zip(self.grants[firsts].tolist(), sums.tolist(), strict=True))


def _insert_movements(
    connection: Connection, recorded_at: int, draws: _DrawsByGrant
) -> None:
    # As above; of the draws that one invoice made of one grant, one row.
    is_other = _differ(draws.grants) | _differ(draws.positions)
    insert_columns(
        connection,
        credit_movement,
        {
            _movement.grant_position: draws.grants[is_other].tolist(),
            _movement.position: draws.positions[is_other].tolist(),
        },
        {_movement.instant: recorded_at},
    )


def _differ(numbers: np.ndarray) -> np.ndarray:
    """Return (bool) which numbers are others than the one before; the first one is."""
    differ = np.ones(len(numbers), bool)
    differ[1:] = numbers[1:] != numbers[:-1]
    return differ


def _starts(sizes: list[int]) -> list[int]:
    return [*accumulate(sizes, initial=0)][:-1]


def _joined(columns: Iterable[Iterable[JoinedT]]) -> list[JoinedT]:
    return [*chain.from_iterable(columns)]


def _numbers(columns: Iterable[Iterable[int]]) -> np.ndarray:
    return np.array(_joined(columns), np.int64)
