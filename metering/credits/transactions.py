"""Credit transactions: what happened to credits, each explained and with an id for ever.

No transaction is stored. An id names the position of the grant or of the application
that it is about, what happened, and which draw; so it can be retrieved, and stays.
"""

import re
from collections.abc import Sequence

from metering.arguments.clock import at_microseconds
from metering.arguments.pages import LIMIT, ListObject, listed, within_page
from metering.arguments.refusals import missing
from metering.arguments.schema import checked
from metering.credits.grants import grant_of
from metering.credits.requests import CreditTransactionList
from metering.credits.resources import (
    CreditBalanceTransaction,
    CreditTransactionCredit,
    CreditTransactionDebit,
    InvoiceLineItem,
    monetary,
)
from metering.errors import ResourceMissingError
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.timeline import (
    CreditTransaction,
    TransactionKind,
    application_transactions,
    transactions,
)

_ID = re.compile(
    r"cbtxn_(?:test_)?([1-9a-f][0-9a-f]{0,14})([gsrtxv])(0|[1-9a-f][0-9a-f]{0,7})",
    re.ASCII,
)


class CreditBalanceTransactions:
    """The credit transactions of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(
        self,
        customer: str | None = None,
        credit_grant: str | None = None,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditBalanceTransaction]:
        """Return the transactions of a customer or of a grant, newest first.

        Args:
            customer: whose transactions.
            credit_grant: of which grant; with a customer, only if it is the customer's.
            limit: 1 to 100.
            starting_after: id of the transaction before the first one to list.
            ending_before: id of the transaction behind the last one to list.

        Raises:
            ResourceMissingError: there is no such grant, or a cursor is the id of no
                transaction that is listed.
            InvalidRequestError: an argument is malformed, both cursors are given, or
                neither a customer nor a grant.
        """
        return self._page(
            checked(
                CreditTransactionList,
                customer=customer,
                credit_grant=credit_grant,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(
        self, asked: CreditTransactionList
    ) -> ListObject[CreditBalanceTransaction]:
        if asked.customer is None and asked.credit_grant is None:
            raise missing("customer")
        with self._engine.credits() as (seen, now):
            found = _newest_first(seen, now, asked.customer, asked.credit_grant)
        livemode = self._engine.settings.livemode
        ids = [id_of(each, livemode=livemode) for each in found]
        kind = "credit balance transaction"
        made = [
            transaction_resource(each, livemode=livemode)
            for each in within_page(asked, found, ids, kind)
        ]
        return listed(asked, made, self._page)

    def retrieve(self, transaction_id: str) -> CreditBalanceTransaction:
        """Return a transaction by its id.

        Raises:
            ResourceMissingError: there is no such transaction.
        """
        found, parts = None, _ID.fullmatch(str(transaction_id))
        if parts is not None:
            anchor, kind, index = parts.groups()
            with self._engine.credits() as (seen, now):
                found = _find(
                    seen, now, int(anchor, 16), TransactionKind(kind), int(index, 16)
                )
        livemode = self._engine.settings.livemode
        # An id of the other mode belongs to another store.
        if found is None or transaction_id != id_of(found, livemode=livemode):
            raise ResourceMissingError("credit balance transaction", transaction_id)
        return transaction_resource(found, livemode=livemode)


def id_of(transaction: CreditTransaction, *, livemode: bool) -> str:
    """Return the id of a transaction."""
    kind, index = transaction.kind.value, transaction.index
    return f"{id_prefix(livemode=livemode)}_{transaction.anchor:x}{kind}{index:x}"


def id_prefix(*, livemode: bool) -> str:
    """Return the prefixes of the ids of transactions."""
    return "cbtxn" if livemode else "cbtxn_test"


def transaction_resource(
    transaction: CreditTransaction, *, livemode: bool
) -> CreditBalanceTransaction:
    """Return a transaction as a resource."""
    grant, kind = transaction.grant, transaction.kind
    created = at_microseconds(transaction.instant)
    is_granted = kind is TransactionKind.GRANTED
    return CreditBalanceTransaction(
        id=id_of(transaction, livemode=livemode),
        created=created,
        credit=_credit(transaction) if kind.is_credit else None,
        credit_grant=grant.grant_id,
        debit=None if kind.is_credit else _debit(transaction),
        effective_at=at_microseconds(grant.effective_at) if is_granted else created,
        livemode=livemode,
        type="credit" if kind.is_credit else "debit",
    )


def _credit(transaction: CreditTransaction) -> CreditTransactionCredit:
    amount = monetary(transaction.grant.currency, transaction.amount)
    if transaction.kind is TransactionKind.GRANTED:
        return CreditTransactionCredit(amount=amount, type="credits_granted")
    return CreditTransactionCredit(
        amount=amount,
        type="credits_application_invoice_voided",
        credits_application_invoice_voided=_line_item(transaction),
    )


def _debit(transaction: CreditTransaction) -> CreditTransactionDebit:
    amount = monetary(transaction.grant.currency, transaction.amount)
    match transaction.kind:
        case TransactionKind.APPLIED:
            return CreditTransactionDebit(
                amount=amount,
                type="credits_applied",
                credits_applied=_line_item(transaction),
            )
        case TransactionKind.VOIDED:
            return CreditTransactionDebit(amount=amount, type="credits_voided")
        case _:
            return CreditTransactionDebit(amount=amount, type="credits_expired")


def _line_item(transaction: CreditTransaction) -> InvoiceLineItem:
    application, line = transaction.application, transaction.line
    assert application is not None, "an invoice caused it"
    assert line is not None, "an invoice's line caused it"
    return InvoiceLineItem(invoice=application.invoice, invoice_line_item=line.id)


def _newest_first(
    seen: CreditQueries, now: int, customer: str | None, grant_id: str | None
) -> Sequence[CreditTransaction]:
    grant = None if grant_id is None else grant_of(seen, grant_id, "credit_grant")
    if grant is not None and customer not in {None, grant.customer}:
        return []
    owner = customer if grant is None else grant.customer
    assert owner is not None, "a customer or a grant was given"
    found = transactions(
        seen.grants_by_position(owner), seen.applications_of(owner), now
    )
    return [
        each
        for each in reversed(found)
        if grant is None or each.grant.position == grant.position
    ]


def _find(
    seen: CreditQueries, now: int, anchor: int, kind: TransactionKind, index: int
) -> CreditTransaction | None:
    if kind.is_of_invoice:
        application = seen.application_at(anchor)
        if application is None:
            return None
        grants = seen.grants_drawn(application)
        made = application_transactions(application, grants)
    else:
        grant = seen.grant_at(anchor)
        if grant is None:
            return None
        # Only of an expiry the amount depends on what was drawn.
        is_expiry = kind is TransactionKind.EXPIRED
        applications = seen.applications_of(grant.customer) if is_expiry else []
        made = transactions(seen.grants_by_position(grant.customer), applications, now)
    for each in made:
        is_wanted = (each.anchor, each.kind, each.index) == (anchor, kind, index)
        if is_wanted and each.instant <= now:
            return each
    return None
