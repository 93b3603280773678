"""Applying credits to invoices, and giving them back. Decides what an invoice draws."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace as renamed

from ledger.facts.credits.grants import CreditsApplied, CreditsReinstated
from ledger.sealing import StepCallback
from metering.arguments.ids import found_by_id
from metering.arguments.times import Time
from metering.credits.invoices import (
    SETTLED_INVOICE,
    Invoice,
    check_invoice,
    check_invoice_id,
    check_is_no_hold,
    check_is_no_statement,
    is_settled,
)
from metering.credits.requests import InvoiceLineParams
from metering.credits.resources import CreditBalanceTransaction
from metering.credits.settlement.receipts import (
    CreditsProgressCallback,
    CreditsReceipt,
    ReinstatementReceipt,
)
from metering.credits.settlement.reinstatements import reinstate_invoices
from metering.credits.settlement.run import preview_billing, run_billing
from metering.credits.transactions import transaction_resource
from metering.store.engine import Engine
from projections.credits.pools.drawn_anew import drawable_anew
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import burn_down
from projections.kernels.credits.grants import Application, Grant, applied
from projections.kernels.credits.timeline import (
    CreditTransaction,
    applied_transactions,
    reinstated_transactions,
)
from projections.statements.queries import StatementQueries


class CreditApplications:
    """The applications of credits to invoices, in a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def apply(
        self,
        *,
        invoice: str,
        customer: str,
        period_end: Time,
        lines: Sequence[InvoiceLineParams],
        replace: bool = False,
    ) -> list[CreditBalanceTransaction]:
        """Draw down the credits of a customer for an invoice.

        The lines draw in their order, each from the grants that are eligible for it, in
        order of priority, expiry, category, effective time and creation; from those of
        the pools that the customer is a member of now, within its cap, behind all of its
        own. Applying an invoice again answers the same and draws nothing.

        A grant is eligible that is effective and not expired both at `period_end` and at
        the instant of this call. So what an invoice draws depends on when it is applied:
        a grant that expires between the two gives nothing, and `preview` answers for
        its own instant.

        To correct an invoice, apply it with its new content and `replace`: it gives back
        what it drew and is settled anew, in one commit. What goes back to a grant that
        is expired by now expires at once, and the new lines cannot draw it again;
        preview shows what they would. An alert on credits sees them rise and fall. The
        same content again changes nothing, unless the invoice was settled by a wrong
        time that was corrected since; see `LogTimeRepairs.repair`.

        Args:
            invoice: its id.
            customer: whose credits are drawn.
            period_end: a grant must be effective at it, and not be expired.
            lines: ``{"id": …, "amount": …, "currency": …, "price": …}``, amounts in
                minor units of one currency; a line without a price draws only credits
                for every metered price.
            replace: settle the invoice anew where it was settled with other lines or
                another period end. It stays one customer's.

        Returns:
            A transaction for each draw, in their order; none where no credit was left.

        Raises:
            InvoiceConflictError: the invoice was settled with other content and is not
                to be replaced, or was of another customer.
            InvalidRequestError: an argument is malformed, the invoice's credits were
                reinstated, or it is a statement and would be replaced.
        """
        checked = check_invoice(
            invoice=invoice,
            customer=customer,
            period_end=period_end,
            lines=lines,
            replace=replace,
        )
        with self._engine.writing_credits(lambda _: [checked.customer]) as (
            writing,
            seen,
        ):
            known = seen.application(checked.id)
            facts = _facts(checked, known, seen, writing.now, replace=replace)
            writing.record(facts)
        if commit := writing.commit:
            known = _settlement(facts, commit.last_position, writing.now)
        assert known is not None, "it was settled, now or before"
        with self._engine.credits(customers=()) as (seen, _):
            grants = seen.grants_drawn(known)
        return self._resources(applied_transactions(known, grants))

    def apply_many(
        self,
        source: object,
        progress: CreditsProgressCallback | None = None,
        *,
        replace: bool = False,
    ) -> CreditsReceipt:
        """Settle the invoices of a billing run, as if applied one by one in order.

        The rows of an invoice may lie anywhere. Invoices are settled in the order of
        their first rows, and their lines draw in the order of theirs. An invoice that
        comes again with all its lines is a repetition.

        They are committed in portions of some 100,000 lines, after the source was read
        whole: it is in memory, twice where the rows of invoices lie apart. An invoice
        that breaks a rule does not fail the others; one that was settled before is
        answered and draws nothing, so that a run that broke off can be repeated whole.

        Args:
            source: an Arrow table, or any Arrow stream; a row a line with the columns
                invoice, customer, period_end, line, amount, currency and price (null,
                or left out, for a line without one). Timestamps have a time zone. The
                rows of an invoice have one customer, currency and period end.
            progress: is called after each commit with how far the run has come.
            replace: as for `apply`: an invoice that was settled with other content is
                settled anew. One that comes twice in the source, with different
                content, is rejected the second time.

        Raises:
            SourceError: the source cannot be read, lacks a column, or has one of a wrong
                type.
        """
        return run_billing(self._engine, source, progress, replaces=replace)

    def preview(
        self,
        *,
        invoice: str,
        customer: str,
        period_end: Time,
        lines: Sequence[InvoiceLineParams],
        replace: bool = False,
    ) -> list[CreditBalanceTransaction]:
        """Answer what `apply` would at this instant, and record nothing.

        Grants become effective, are used and expire by the time it is applied, so that
        `apply` can draw less or more than its preview.

        Returns:
            Transactions under the ids ``cbtxn_tmp_1`` and so on; those of an invoice
            that is settled already, under their own.

        Raises:
            InvoiceConflictError: as `apply`.
            InvalidRequestError: as `apply`.
        """
        checked = check_invoice(
            invoice=invoice,
            customer=customer,
            period_end=period_end,
            lines=lines,
            replace=replace,
        )
        with self._engine.credits([checked.customer]) as (seen, now):
            known = seen.application(checked.id)
            facts = _facts(checked, known, seen, now, replace=replace)
            if facts:
                known = _settlement(facts, 0, now)
            assert known is not None, "it is settled, or would be"
            grants = seen.grants_drawn(known)
        made = self._resources(applied_transactions(known, grants))
        if not facts:
            return made
        return [
            renamed(each, id=f"cbtxn_tmp_{number}")
            for number, each in enumerate(made, 1)
        ]

    def preview_many(self, source: object, *, replace: bool = False) -> CreditsReceipt:
        """Answer what `apply_many` would at this instant, and record nothing.

        Args:
            source: as for `apply_many`.
            replace: as for `apply_many`.

        Returns:
            Its receipt: `applied` counts the invoices that would be settled. Their
            transactions have the ids ``cbtxn_tmp_1`` and so on, in their order; those
            of invoices that are settled already, their own.

        Raises:
            SourceError: as `apply_many`.
        """
        return preview_billing(self._engine, source, replaces=replace)

    def reinstate(self, *, invoice: str) -> list[CreditBalanceTransaction]:
        """Return the credits that an invoice drew to their grants: it was voided.

        What goes back to a grant that is expired expires at once. Doing it again
        answers the same. Nothing can be applied to the invoice any more; to correct
        one, `apply` it with `replace`.

        Returns:
            The transactions of credits given back, and of those that expired again.

        Raises:
            ResourceMissingError: credits were never applied to such an invoice.
            InvalidRequestError: it is a statement, which is voided instead.
        """
        invoice_id = check_invoice_id(invoice)

        with self._engine.writing_credits(
            lambda seen: [_application(seen, invoice_id).customer]
        ) as (writing, seen):
            if _application(seen, invoice_id).reinstated_at is None:
                check_is_no_statement(_statements(seen, invoice_id), invoice_id)
                writing.record([CreditsReinstated(invoice=invoice_id)])
        with self._engine.credits() as (seen, _):
            application = _application(seen, invoice_id)
            grants = seen.grants_drawn(application)
        return self._resources(reinstated_transactions(application, grants))

    def reinstate_many(
        self, source: object, progress: StepCallback | None = None
    ) -> ReinstatementReceipt:
        """Give back the credits of many invoices, as if reinstated one by one in order.

        They are committed in portions of some 50,000 invoices, in the order of their
        first rows, after the source was read whole. An invoice that credits were never
        applied to does not fail the others; one that gave back before is answered and
        changes nothing, so that a call that broke off can be repeated whole.

        Args:
            source: an Arrow table, or any Arrow stream, with the column invoice, such as
                the source of `apply_many`; others are not read, and the rows of an
                invoice count as one. Or a list of ids.
            progress: is called after each commit with the invoices done and how many
                there are.

        Raises:
            SourceError: the source cannot be read, lacks the column, or has one of a
                wrong type.
        """
        return reinstate_invoices(self._engine, source, progress)

    def _resources(
        self, made: Iterable[CreditTransaction]
    ) -> list[CreditBalanceTransaction]:
        livemode = self._engine.settings.livemode
        return [transaction_resource(each, livemode=livemode) for each in made]


def _facts(
    invoice: Invoice,
    known: Application | None,
    seen: CreditQueries,
    now: int,
    *,
    replace: bool,
) -> list[CreditsApplied | CreditsReinstated]:
    """Return the facts that settle an invoice: none where it is settled already."""
    check_is_no_hold(seen.holds.known([invoice.id]), invoice.id)
    if known is None:
        grants = seen.spendable_of(invoice.customer, now)
        return [_settled(invoice, grants, now)]
    if is_settled(known, invoice, seen.log_time(), replace=replace):
        return []
    check_is_no_statement(_statements(seen, invoice.id), invoice.id)
    grants = drawable_anew(seen, known, now)
    return [CreditsReinstated(invoice=invoice.id), _settled(invoice, grants, now)]


def _settlement(
    facts: Sequence[CreditsApplied | CreditsReinstated], position: int, now: int
) -> Application:
    """Return the application that the last of some facts records."""
    fact = facts[-1]
    assert isinstance(fact, CreditsApplied), "the settlement comes last"
    return applied(fact, position, now)


def _settled(invoice: Invoice, grants: Iterable[Grant], now: int) -> CreditsApplied:
    return invoice.settled(
        burn_down(
            grants,
            invoice.currency,
            invoice.lines,
            period_end=invoice.period_end,
            now=now,
        )
    )


def _statements(seen: CreditQueries, invoice: str) -> set[str]:
    return StatementQueries(seen.connection).known_among([invoice])


def _application(seen: CreditQueries, invoice: str) -> Application:
    return found_by_id(seen.application, invoice, SETTLED_INVOICE, "invoice")
