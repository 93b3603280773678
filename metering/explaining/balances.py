"""Explanations of credit balances: the transactions that a ledger balance is made of."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from ledger.commits import read_head
from ledger.usage.columns import TIMESTAMP, rows_table
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
from metering.store.engine import Engine
from projections.credits.pools.moved import grants_moved_by
from projections.credits.queries import CreditQueries
from projections.kernels.credits.timeline import transactions

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

_ROWS_AT_A_TIME = 65_536


class BalanceExplanation:
    """Why a customer's ledger balances are what they are. Thread-safe.

    Attributes:
        customer: whose credits.
        at: the instant.
        value: the ledger balance of each currency, in minor units.
        transaction_count: how many transactions they are made of.
        position: of the last entry of the log when it was made.
        digest: the log's hash chain there, in hexadecimal.
    """

    def __init__(  # the parts of an explanation have names
        self,
        *,
        customer: str,
        at: datetime,
        made: Sequence[CreditBalanceTransaction],
        position: int,
        digest: str,
    ) -> None:
        self._made = made
        self.customer = customer
        self.at = at
        self.position = position
        self.digest = digest
        self.transaction_count = len(made)
        value: Counter[str] = Counter()
        for each in made:
            amount = _change(each).amount.monetary
            value[amount.currency] += amount.value * _sign(each)
        self.value = dict(sorted(value.items()))

    def __repr__(self) -> str:
        """Return the balances and whose they are."""
        return (
            f"BalanceExplanation(value={self.value!r}, customer={self.customer!r},"
            f" at={self.at!r}, transaction_count={self.transaction_count})"
        )

    def transactions(self) -> pa.RecordBatchReader:
        """Read the transactions that add up to the balances, oldest first.

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


def explained_balance(
    engine: Engine, summary: CreditBalanceSummary
) -> BalanceExplanation:
    """Explain ledger balances; see `Metering.explain`.

    Raises:
        InvalidRequestError: they are of some of the customer's grants.
    """
    customer, livemode = summary.customer, engine.settings.livemode
    with engine.log.read() as connection:
        head, seen = read_head(connection), CreditQueries(connection)
        at = microseconds(summary.at)
        applications = seen.applications_of(customer)
        moves = seen.holds.moves_of(customer)
        grants = grants_moved_by(seen, customer, applications, moves)
        grants.update(ahead_by_position(seen, customer, at))
        found = transactions(grants, applications, moves, at)
    made = BalanceExplanation(
        customer=customer,
        at=summary.at,
        made=[transaction_resource(each, livemode=livemode) for each in found],
        position=head.position,
        digest=head.digest.hex(),
    )
    stated = [each.ledger_balance.monetary for each in summary.balances]
    if {each.currency: each.value for each in stated} != made.value:
        raise InvalidRequestError(
            f"Invalid figure: all credit transactions of {customer} add up to"
            f" {made.value}; a balance of some grants cannot be explained, so retrieve it"
            " without a filter",
            code="figure_unknown",
            param="figure",
        )
    return made


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
