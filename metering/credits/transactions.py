"""Credit transactions: what happened to credits, each explained and with an id for ever.

No transaction is stored. An id names the position of the grant or of the application
that it is about, what happened, and which draw; so it can be retrieved, and stays.
"""

import re
from collections.abc import Iterable, Sequence

from metering.arguments.clock import at_microseconds
from metering.arguments.pages import LIMIT, ListObject, check_cursors, listed
from metering.arguments.refusals import missing
from metering.arguments.schema import checked
from metering.credits.grants import grant_of
from metering.credits.owners import owner_of
from metering.credits.requests import CreditTransactionList
from metering.credits.resources import (
    CreditBalanceTransaction,
    CreditTransactionCredit,
    CreditTransactionDebit,
    InvoiceLineItem,
    monetary,
)
from metering.errors import ResourceMissingError
from metering.store.customer_time import present_of, with_clock
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.credits.transactions import TransactionPage, TransactionReader
from projections.kernels.credits.holds import returns
from projections.kernels.credits.timeline import (
    CreditTransaction,
    TransactionKind,
    application_transactions,
    grant_transactions,
    late_transactions,
)

_KIND = "credit balance transaction"

_ID = re.compile(
    r"cbtxn_(?:test_)?([1-9a-f][0-9a-f]{0,14})([gsrtxvh])(0|[1-9a-f][0-9a-f]{0,7})",
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

        Those of a customer are of its own grants, and what its invoices and holds moved
        of the grants of pools: these name their `pool`, and are in no balance of the
        customer.

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
        whose = (
            owner_of(asked.credit_grant) if asked.customer is None else [asked.customer]
        )
        with self._engine.credits(whose) as (seen, now):
            found = self._found(asked, seen, now)
        made = [self._resource(seen, each) for each in found]
        return listed(asked, made, self._page)

    def _found(
        self, asked: CreditTransactionList, seen: CreditQueries, now: int
    ) -> Sequence[CreditTransaction]:
        """Return the transactions of a page, and one beyond it, newest first."""
        grant = None
        if asked.credit_grant is not None:
            grant = grant_of(seen, asked.credit_grant, "credit_grant")
            now = present_of(seen.clocked, [grant.customer], now)
        check_cursors(asked)
        assert asked.limit is not None, "transactions are read by pages"

        def cursor(name: str) -> CreditTransaction | None:
            transaction_id = getattr(asked, name)
            if transaction_id is None:
                return None
            found = self._find(seen, now, transaction_id)
            if found is None or not _is_listed(found, asked):
                raise ResourceMissingError(_KIND, transaction_id, param=name)
            return found

        page = TransactionPage(
            limit=asked.limit + 1,
            now=now,
            before=cursor("starting_after"),
            after=cursor("ending_before"),
        )
        reader = TransactionReader(seen, page)
        if grant is None:
            assert asked.customer is not None, "a customer or a grant was given"
            return reader.of_customer(asked.customer)
        if asked.customer not in {None, grant.customer}:
            return ()
        return reader.of_grant(grant)

    def retrieve(self, transaction_id: str) -> CreditBalanceTransaction:
        """Return a transaction by its id.

        Raises:
            ResourceMissingError: there is no such transaction.
        """
        with self._engine.credits() as (seen, now):
            found = self._find(seen, now, transaction_id)
        if found is None:
            raise ResourceMissingError(_KIND, transaction_id)
        return self._resource(seen, found)

    def _resource(
        self, seen: CreditQueries, found: CreditTransaction
    ) -> CreditBalanceTransaction:
        livemode = self._engine.settings.livemode
        shown = transaction_resource(found, livemode=livemode)
        return with_clock(seen.clocked, shown, found.customer)

    def _find(
        self, seen: CreditQueries, now: int, transaction_id: object
    ) -> CreditTransaction | None:
        """Return the transaction of an id; None where there is none by now."""
        if not isinstance(transaction_id, str):
            return None
        parts = _ID.fullmatch(transaction_id)
        if parts is None:
            return None
        anchor, kind, index = (
            int(parts[1], 16),
            TransactionKind(parts[2]),
            int(parts[3], 16),
        )
        for each in _anchored(seen, anchor, kind):
            is_it = (each.kind, each.index) == (kind, index)
            if is_it and each.instant <= present_of(
                seen.clocked, [each.grant.customer], now
            ):
                # An id of the other mode belongs to another store.
                livemode = self._engine.settings.livemode
                return (
                    each if id_of(each, livemode=livemode) == transaction_id else None
                )
        return None


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
        member=(transaction.customer or None) if grant.pool else None,
        pool=grant.pool,
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


def _is_listed(found: CreditTransaction, asked: CreditTransactionList) -> bool:
    """Whether a transaction is of the customer and of the grant that are asked for."""
    is_of_customer = asked.customer in {None, found.customer}
    return is_of_customer and asked.credit_grant in {None, found.grant.grant_id}


def _anchored(
    seen: CreditQueries, anchor: int, kind: TransactionKind
) -> Iterable[CreditTransaction]:
    """Return the transactions of an invoice, a grant or a hold, by its fact's position."""
    if kind.is_of_invoice:
        application = seen.application_at(anchor)
        if application is None:
            return ()
        return application_transactions(application, seen.grants_drawn(application))
    if kind is TransactionKind.RETURNED_LATE:
        hold = seen.holds.hold_at(anchor)
        if hold is None:
            return ()
        positions = [part.grant_position for part in hold.parts]
        return late_transactions(returns(hold), seen.grants_at(positions))
    grant = seen.grant_at(anchor)
    return () if grant is None else grant_transactions(grant, grant.left_at_its_end)
