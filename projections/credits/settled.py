"""The fold of a portion of a billing run: from its columns to rows.

Nothing is made for an invoice but the values of its rows.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import accumulate, chain, compress, repeat
from typing import TypeVar

import numpy as np
from sqlalchemy import Connection

from ledger.database.bulk import add_at_positions, insert_columns
from ledger.facts.settlements import SettledInvoices
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
    positions = np.repeat(np.arange(first, first + len(draw_counts)), draw_counts)
    grants = _numbers(each.columns.draw_grants for each in facts.blocks)
    _insert_movements(connection, positions, recorded_at, grants)
    amounts = _numbers(each.columns.draw_amounts for each in facts.blocks)
    drawn = Counter(_sums(grants, amounts))
    drawn.subtract(returned)
    add_at_positions(connection, credit_grant_use.c.applied, drawn)


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
    drawing = compress(range(len(customers)), draw_counts)
    # In the order of the key, so that those of one page are added together.
    in_order = sorted(drawing, key=customers.__getitem__)
    insert_columns(
        connection,
        credit_customer_application,
        {
            _of_customer.customer: [customers[at] for at in in_order],
            _of_customer.position: [first + at for at in in_order],
        },
        {_of_customer.recorded_at: recorded_at},
    )


def _insert_movements(
    connection: Connection, positions: np.ndarray, recorded_at: int, grants: np.ndarray
) -> None:
    # As above; of the draws that one invoice made of one grant, one row.
    order = np.lexsort((positions, grants))
    grants, positions = grants[order], positions[order]
    is_other = np.ones(len(order), bool)
    is_other[1:] = (np.diff(grants) != 0) | (np.diff(positions) != 0)
    insert_columns(
        connection,
        credit_movement,
        {
            _movement.grant_position: grants[is_other].tolist(),
            _movement.position: positions[is_other].tolist(),
        },
        {_movement.instant: recorded_at},
    )


def _sums(grants: np.ndarray, amounts: np.ndarray) -> dict[int, int]:
    """Add up amounts by grant: whole numbers, whose sum the database bounds as well."""
    different, places = np.unique(grants, return_inverse=True)
    sums = np.zeros(len(different), np.int64)
    np.add.at(sums, places, amounts)
    return dict(zip(different.tolist(), sums.tolist(), strict=True))


def _starts(sizes: list[int]) -> list[int]:
    return [*accumulate(sizes, initial=0)][:-1]


def _joined(columns: Iterable[Iterable[JoinedT]]) -> list[JoinedT]:
    return [*chain.from_iterable(columns)]


def _numbers(columns: Iterable[Iterable[int]]) -> np.ndarray:
    return np.array(_joined(columns), np.int64)
