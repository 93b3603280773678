"""Explanations of credit balances: the transactions and grants that one is made of."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from ledger.commits import read_head
from ledger.usage.columns import TIMESTAMP, rows_table
from metering.alerts.resources import AlertTriggered
from metering.arguments.clock import microseconds
from metering.credits.ahead import ahead_by_position
from metering.credits.resources import (
    CreditBalanceSummary,
    CreditBalanceTransaction,
    CreditTransactionCredit,
    CreditTransactionDebit,
)
from metering.credits.transactions import transaction_resource
from metering.errors import InvalidRequestError
from metering.spending.balances import chosen_grants
from metering.store.engine import Engine
from projections.credits.pools.moved import grants_moved_by
from projections.credits.queries import CreditQueries
from projections.kernels.credits.falls import Occurrence
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.timeline import CreditTransaction, transactions

TRANSACTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("created", TIMESTAMP, nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        pa.field("credit_grant", pa.string(), nullable=False),
        pa.field("invoice", pa.string()),
    ]
)
"""The transactions of a customer, in order; what takes credits off is negative."""

GRANTS = pa.schema(
    [
        pa.field("credit_grant", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("ledger_balance", pa.int64(), nullable=False),
        pa.field("held_balance", pa.int64(), nullable=False),
        pa.field("pending", pa.int64(), nullable=False),
        pa.field("available_balance", pa.int64(), nullable=False),
    ]
)
"""What is left of each grant: the ledger balance is what is held, pending and available."""

_ROWS_AT_A_TIME = 65_536
_ALL_POSITIONS = 2**62


class _Left(NamedTuple):
    """What is left of a grant, in minor units; see `GRANTS`."""

    credit_grant: str
    currency: str
    ledger: int
    held: int
    pending: int
    available: int


class _MadeOf(NamedTuple):
    """What a balance is made of, at some place of the log."""

    made: Sequence[CreditTransaction]
    left: Sequence[_Left]
    position: int
    digest: str


class BalanceExplanation:
    """Why a customer's credit balances are what they are. Thread-safe.

    Attributes:
        customer: whose credits.
        at: the instant.
        value: the ledger balance of each currency, in minor units: what the
            transactions add up to.
        available: the available balance of each currency: what `grants` add up to. What
            holds keep is not, nor are grants that are not effective yet.
        transaction_count: how many transactions they are made of.
        position: of the last entry of the log when it was made; of an alert that
            triggered, that of its trigger.
        digest: the log's hash chain at its end, in hexadecimal.
    """

    def __init__(
        self, customer: str, at: datetime, found: _MadeOf, *, livemode: bool
    ) -> None:
        self._made = [
            transaction_resource(each, livemode=livemode) for each in found.made
        ]
        self._left = found.left
        self.customer = customer
        self.at = at
        self.position = found.position
        self.digest = found.digest
        self.transaction_count = len(self._made)
        value, available = Counter[str](), Counter[str]()
        for each in self._made:
            amount = _change(each).amount.monetary
            value[amount.currency] += amount.value * _sign(each)
        for left in self._left:
            available[left.currency] += left.available
        self.value = dict(sorted(value.items()))
        self.available = dict(sorted(available.items()))

    def __repr__(self) -> str:
        """Return the balances and whose they are."""
        return (
            f"BalanceExplanation(value={self.value!r}, available={self.available!r},"
            f" customer={self.customer!r}, at={self.at!r},"
            f" transaction_count={self.transaction_count})"
        )

    def adds_up(self) -> bool:
        """Whether what is left of the grants is what the transactions add up to."""
        left = Counter[str]()
        for each in self._left:
            left[each.currency] += each.ledger
        return dict(left) == self.value and all(
            each.ledger == each.held + each.pending + each.available
            for each in self._left
        )

    def transactions(self) -> pa.RecordBatchReader:
        """Read the transactions that add up to the ledger balances, oldest first.

        Returns:
            The columns `id`, `created`, `type` (as of a `CreditBalanceTransaction`),
            `currency`, `amount` (in minor units, negative where credits were taken
            off), `credit_grant` and `invoice` (null where none caused it).
        """
        rows = [
            (
                each.id,
                each.created,
                _change(each).type,
                _change(each).amount.monetary.currency,
                _change(each).amount.monetary.value * _sign(each),
                each.credit_grant,
                _invoice(each),
            )
            for each in self._made
        ]
        table = rows_table(rows, TRANSACTIONS)
        return table.to_reader(max_chunksize=_ROWS_AT_A_TIME)

    def grants(self) -> pa.RecordBatchReader:
        """Read what is left of each grant, in the order in which they were made.

        Returns:
            The columns `credit_grant`, `currency`, `ledger_balance`, `held_balance`,
            `pending` (of a grant that is not effective yet) and `available_balance`, in
            minor units. The first is the sum of the others.
        """
        table = rows_table(self._left, GRANTS)
        return table.to_reader(max_chunksize=_ROWS_AT_A_TIME)


def explained_balance(
    engine: Engine, summary: CreditBalanceSummary
) -> BalanceExplanation:
    """Explain ledger balances; see `Metering.explain`.

    Raises:
        ResourceMissingError: they are of a grant that there is not.
        InvalidRequestError: more was recorded by their instant since.
    """
    customer, at = summary.customer, microseconds(summary.at)

    def chosen(seen: CreditQueries) -> Callable[[Grant], bool]:
        return chosen_grants(seen, customer, summary.filter).has

    place = Occurrence(at, _ALL_POSITIONS)
    made = BalanceExplanation(
        customer,
        summary.at,
        _found(engine, customer, place, chosen),
        livemode=engine.settings.livemode,
    )
    stated = Counter[str]()
    for balance in summary.balances:
        ledger = balance.ledger_balance.monetary
        stated[ledger.currency] = ledger.value
    # Of a currency that only unbilled usage has, both are nothing.
    if stated != Counter(made.value):
        raise InvalidRequestError(
            f"Invalid figure: the credit transactions of {customer} add up to"
            f" {made.value} and not to {dict(stated)}, since more was recorded by that"
            " time; retrieve the balance again",
            code="figure_unknown",
            param="figure",
        )
    return made


def explained_fall(engine: Engine, triggered: AlertTriggered) -> BalanceExplanation:
    """Explain credits that fell to the threshold of an alert; see `Metering.explain`.

    What was recorded later at the same instant does not count.
    """
    place = Occurrence(microseconds(triggered.timestamp), triggered.event_position or 0)
    found = _found(engine, triggered.customer, place, lambda _: lambda _: True)
    return BalanceExplanation(
        triggered.customer,
        triggered.timestamp,
        found._replace(position=triggered.position),
        livemode=engine.settings.livemode,
    )


def _found(
    engine: Engine,
    customer: str,
    place: Occurrence,
    chosen: Callable[[CreditQueries], Callable[[Grant], bool]],
) -> _MadeOf:
    """Find what a customer's credits are made of, up to a place and including it."""
    at = place.instant
    with engine.log.read() as connection:
        head, seen = read_head(connection), CreditQueries(connection)
        has = chosen(seen)
        applications = seen.applications_of(customer)
        moves = seen.holds.moves_of(customer)
        grants = grants_moved_by(seen, customer, applications, moves)
        grants.update(ahead_by_position(seen, customer, at))
        made = [
            each
            for each in transactions(grants, applications, moves, at)
            if (each.instant, each.position) <= place and has(each.grant)
        ]
    ledger, held = Counter[int](), Counter[int]()
    for each in made:
        ledger[each.grant.position] += each.signed_amount
    for move in moves:
        if move.place <= place:
            held[move.grant_position] += move.amount
    left = []
    for position, amount in ledger.items():
        grant, kept = grants[position], held[position]
        free = amount - kept
        waits = free if grant.is_pending(at) else 0
        left.append(
            _Left(grant.grant_id, grant.currency, amount, kept, waits, free - waits)
        )
    return _MadeOf(made, left, head.position, head.digest.hex())


def _change(
    transaction: CreditBalanceTransaction,
) -> CreditTransactionCredit | CreditTransactionDebit:
    change = transaction.credit or transaction.debit
    assert change is not None, "it is one of both"
    return change


def _sign(transaction: CreditBalanceTransaction) -> int:
    return 1 if transaction.credit is not None else -1


def _invoice(transaction: CreditBalanceTransaction) -> str | None:
    if transaction.debit is not None:
        line = transaction.debit.credits_applied
    else:
        credit = transaction.credit
        assert credit is not None, "it is one of both"
        line = credit.credits_application_invoice_voided
    return None if line is None else line.invoice
