"""Applying credits to invoices, and giving them back. Decides what an invoice draws."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from ledger.facts.credits import CreditsApplied, CreditsReinstated
from metering.arguments.ids import found_by_id
from metering.arguments.times import Time
from metering.credits.invoices import (
    Invoice,
    check_invoice,
    check_invoice_id,
    check_same,
)
from metering.credits.requests import InvoiceLineParams
from metering.credits.resources import CreditBalanceTransaction
from metering.credits.settlement.receipts import CreditsProgressCallback, CreditsReceipt
from metering.credits.settlement.run import preview_billing, run_billing
from metering.credits.transactions import transaction_resource
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import burn_down
from projections.kernels.credits.grants import Application, applied
from projections.kernels.credits.timeline import (
    CreditTransaction,
    applied_transactions,
    reinstated_transactions,
)


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
    ) -> list[CreditBalanceTransaction]:
        """Draw down the credits of a customer for an invoice.

        The lines draw in their order, each from the grants that are eligible for it, in
        order of priority, expiry, category, effective time and creation. Applying an
        invoice again answers the same and draws nothing.

        Args:
            invoice: its id.
            customer: whose credits are drawn.
            period_end: a grant must be effective at it, and not be expired.
            lines: ``{"id": …, "amount": …, "currency": …, "price": …}``, amounts in
                minor units of one currency; a line without a price draws only credits
                for every metered price.

        Returns:
            A transaction for each draw, in their order; none where no credit was left.

        Raises:
            InvoiceConflictError: the invoice was settled with other content.
            InvalidRequestError: an argument is malformed, or the invoice's credits were
                reinstated.
        """
        checked = check_invoice(
            invoice=invoice, customer=customer, period_end=period_end, lines=lines
        )

        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            known = seen.application(checked.id)
            if known is None:
                writing.record([_settled(checked, seen, writing.now)])
            else:
                check_same(known, checked)
        with self._engine.credits() as (seen, _):
            application = _application(seen, checked.id)
            grants = seen.grants_drawn(application)
        return self._resources(applied_transactions(application, grants))

    def apply_many(
        self, source: object, progress: CreditsProgressCallback | None = None
    ) -> CreditsReceipt:
        """Settle the invoices of a billing run, as if applied one by one in order.

        The rows of an invoice may lie anywhere. Invoices are settled in the order of
        their first rows, and their lines draw in the order of theirs. An invoice that
        comes again with all its lines is a repetition.

        They are committed in portions of some 50,000 lines, after the source was read
        whole. An invoice that breaks a rule does not fail the others; one that was
        settled before is answered and draws nothing, so that a run that broke off can
        be repeated whole.

        Args:
            source: an Arrow table, or any Arrow stream; a row a line with the columns
                invoice, customer, period_end, line, amount, currency and price (null,
                or left out, for a line without one). Timestamps have a time zone. The
                rows of an invoice have one customer, currency and period end.
            progress: is called after each commit with how far the run has come.

        Raises:
            SourceError: the source cannot be read, lacks a column, or has one of a wrong
                type.
        """
        return run_billing(self._engine, source, progress)

    def preview(
        self,
        *,
        invoice: str,
        customer: str,
        period_end: Time,
        lines: Sequence[InvoiceLineParams],
    ) -> list[CreditBalanceTransaction]:
        """Answer what `apply` would, and record nothing.

        Returns:
            Transactions under the ids ``cbtxn_tmp_1`` and so on; those of an invoice
            that is settled already, under their own.

        Raises:
            InvoiceConflictError: as `apply`.
            InvalidRequestError: as `apply`.
        """
        checked = check_invoice(
            invoice=invoice, customer=customer, period_end=period_end, lines=lines
        )
        with self._engine.credits() as (seen, now):
            known = seen.application(checked.id)
            if known is not None:
                check_same(known, checked)
            application = known or applied(_settled(checked, seen, now), 0, now)
            grants = seen.grants_drawn(application)
        made = self._resources(applied_transactions(application, grants))
        if known is not None:
            return made
        return [
            replace(each, id=f"cbtxn_tmp_{number}")
            for number, each in enumerate(made, 1)
        ]

    def preview_many(self, source: object) -> CreditsReceipt:
        """Answer what `apply_many` would at this instant, and record nothing.

        Args:
            source: as for `apply_many`.

        Returns:
            Its receipt: `applied` counts the invoices that would be settled. Their
            transactions have the ids ``cbtxn_tmp_1`` and so on, in their order; those
            of invoices that are settled already, their own.

        Raises:
            SourceError: as `apply_many`.
        """
        return preview_billing(self._engine, source)

    def reinstate(self, *, invoice: str) -> list[CreditBalanceTransaction]:
        """Return the credits that an invoice drew to their grants: it was voided.

        What goes back to a grant that is expired expires at once. Doing it again
        answers the same.

        Returns:
            The transactions of credits given back, and of those that expired again.

        Raises:
            ResourceMissingError: credits were never applied to such an invoice.
        """
        invoice_id = check_invoice_id(invoice)

        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            if _application(seen, invoice_id).reinstated_at is None:
                writing.record([CreditsReinstated(invoice=invoice_id)])
        with self._engine.credits() as (seen, _):
            application = _application(seen, invoice_id)
            grants = seen.grants_drawn(application)
        return self._resources(reinstated_transactions(application, grants))

    def _resources(
        self, made: Iterable[CreditTransaction]
    ) -> list[CreditBalanceTransaction]:
        livemode = self._engine.settings.livemode
        return [transaction_resource(each, livemode=livemode) for each in made]


def _settled(invoice: Invoice, seen: CreditQueries, now: int) -> CreditsApplied:
    return invoice.settled(
        burn_down(
            seen.spendable_of(invoice.customer, now),
            invoice.currency,
            invoice.lines,
            period_end=invoice.period_end,
            now=now,
        )
    )


def _application(seen: CreditQueries, invoice: str) -> Application:
    return found_by_id(
        seen.application, invoice, "invoice with credits applied", "invoice"
    )
