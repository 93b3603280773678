"""Invoices to be settled with credits: the rules that one must obey.

They are stated here once; a billing run checks by columns what plainly obeys them. The
first rule broken is reported: invoice, customer, period end, then line by line.
"""

from collections.abc import Container
from dataclasses import dataclass

from ledger.facts.credits.grants import CreditsApplied, Draw, InvoiceLine
from ledger.facts.instants import LogTime
from metering.arguments.currencies import check_amount
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked
from metering.arguments.times import instant
from metering.credits.requests import InvoiceApply, InvoiceReinstate
from metering.errors import InvalidRequestError, InvoiceConflictError
from projections.kernels.credits.grants import Application

SETTLED_INVOICE = "invoice with credits applied"
"""What an invoice is called that credits were never applied to, where it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice that obeys the rules."""

    id: str
    customer: str
    currency: str
    period_end: int
    lines: tuple[InvoiceLine, ...]

    def settled(self, draws: tuple[Draw, ...]) -> CreditsApplied:
        """Return the fact that it drew credits."""
        return CreditsApplied(
            invoice=self.id,
            customer=self.customer,
            currency=self.currency,
            period_end=self.period_end,
            lines=self.lines,
            draws=draws,
        )


def check_invoice(
    *,
    invoice: object,
    customer: object,
    period_end: object,
    lines: object,
    replace: object = False,
) -> Invoice:
    """Check an invoice; see `CreditApplications.apply` for its parts.

    Raises:
        InvalidRequestError: a rule is broken.
    """
    asked = checked(
        InvoiceApply,
        invoice=invoice,
        customer=customer,
        period_end=period_end,
        lines=lines,
        replace=replace,
    )
    end = instant(asked.period_end, "period_end")
    currency = asked.lines[0]["currency"]
    by_id: dict[str, InvoiceLine] = {}
    for number, line in enumerate(asked.lines):
        param = f"lines[{number}]"
        if line["currency"] != currency:
            reason = f"{currency}, as that of the lines before it"
            raise invalid(f"{param}[currency]", line["currency"], reason)
        if line["id"] in by_id:
            reason = "another id than the lines before it"
            raise invalid(f"{param}[id]", line["id"], reason)
        check_amount(line["amount"], currency, f"{param}[amount]")
        by_id[line["id"]] = InvoiceLine(line["id"], line["amount"], line.get("price"))
    return Invoice(
        id=asked.invoice,
        customer=asked.customer,
        currency=currency,
        period_end=end,
        lines=tuple(by_id.values()),
    )


def check_invoice_id(invoice: object) -> str:
    """Check the id of an invoice."""
    return checked(InvoiceReinstate, invoice=invoice).invoice


def check_is_no_hold(hold_ids: Container[str], invoice: str) -> None:
    """Check that the id of an invoice is not that of a hold, which settles under it.

    Raises:
        InvalidRequestError: it is.
    """
    if invoice in hold_ids:
        raise InvalidRequestError(
            f"Invoice {invoice} has the id of a credit hold, which is settled under it;"
            " give the invoice another id",
            code="invoice_is_hold",
            param="invoice",
        )


def check_is_no_statement(statement_ids: Container[str], invoice: str) -> None:
    """Check that an invoice whose credits are to change is no statement.

    Raises:
        InvalidRequestError: it is.
    """
    if invoice in statement_ids:
        raise InvalidRequestError(
            f"Invoice {invoice} is a statement, which never changes; void it, and its"
            " credits come back",
            code="invoice_is_statement",
            param="invoice",
        )


def is_settled(
    known: Application, invoice: Invoice, time: LogTime, *, replace: bool
) -> bool:
    """Whether an invoice is what was settled under its id, and not to be replaced.

    Args:
        known: the last settlement.
        invoice: as it comes again.
        time: of the log.
        replace: whether other content takes the place of what was settled, and the same
            content that of what was settled by a wrong time, corrected since.

    Raises:
        InvoiceConflictError: it differs and is not to be replaced, or is of another
            customer.
        InvalidRequestError: its credits were given back for good.
    """
    fields = ("customer", "period_end", "lines")
    differing = [
        field for field in fields if getattr(known, field) != getattr(invoice, field)
    ]
    if known.currency != invoice.currency and "lines" not in differing:
        differing.append("lines")
    if differing and (not replace or "customer" in differing):
        raise InvoiceConflictError(invoice.id, differing)
    if known.reinstated_at is not None:
        raise InvalidRequestError(
            f"The credits of invoice {invoice.id} were reinstated, so that none can be"
            " applied to it; settle another invoice in its place",
            code="invoice_reinstated",
            param="invoice",
        )
    return not differing and not (replace and time.is_wrong_at(known.position))
