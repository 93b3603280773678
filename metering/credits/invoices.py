"""Invoices to be settled with credits: the rules that one must obey.

They are stated here once; the bulk path waves through what plainly obeys them. The first
rule broken is the one reported: invoice, customer, period end, then line by line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.facts.credits import CreditsApplied, Draw, InvoiceLine
from metering.arguments.currencies import currency_of
from metering.arguments.parameters import invalid, missing, name_of, only, whole_number
from metering.arguments.times import Time, instant
from metering.credits.parameters import AMOUNT_MAX, LONGEST_ID, check_customer
from metering.errors import InvalidRequestError, InvoiceConflictError
from projections.kernels.credits.grants import Application

_LINE_KEYS = {"id", "amount", "currency", "price"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice that obeys the rules."""

    id: str
    customer: str
    currency: str
    period_end: int
    lines: tuple[InvoiceLine, ...]

    def settled(self, draws: tuple[Draw, ...]) -> CreditsApplied:
        """Make the fact that it drew credits."""
        return CreditsApplied(
            invoice=self.id,
            customer=self.customer,
            currency=self.currency,
            period_end=self.period_end,
            lines=self.lines,
            draws=draws,
        )


def check_invoice(
    *, invoice: object, customer: object, period_end: Time, lines: object
) -> Invoice:
    """Check an invoice.

    Args:
        invoice: its id, 1 to 255 characters.
        customer: whose credits it draws.
        period_end: which grants must be effective then.
        lines: a list of ``{"id", "amount", "currency", "price"}``, in the order in which
            they draw; a line without a price draws credits for every metered price.

    Raises:
        InvalidRequestError: a rule is broken.
    """
    invoice_id = check_invoice_id(invoice)
    owner = check_customer(customer)
    end = instant(period_end, "period_end")
    if lines is None:
        raise missing("lines")
    is_list = isinstance(lines, Sequence) and not isinstance(lines, str | bytes)
    if not is_list or not lines:
        raise invalid("lines", lines, "a list of at least one line")
    checked: dict[str, InvoiceLine] = {}
    currency = ""
    for number, given in enumerate(lines):  # type: ignore[arg-type, var-annotated]  # it is a list
        param = f"lines[{number}]"
        line, of_line = _check_line(given, param)
        if currency not in {"", of_line}:
            reason = f"{currency}, as that of the lines before it"
            raise invalid(f"{param}[currency]", of_line, reason)
        if line.id in checked:
            raise invalid(
                f"{param}[id]", line.id, "another id than the lines before it"
            )
        currency, checked[line.id] = of_line, line
    return Invoice(
        id=invoice_id,
        customer=owner,
        currency=currency,
        period_end=end,
        lines=tuple(checked.values()),
    )


def check_invoice_id(invoice: object) -> str:
    """Check the id of an invoice."""
    return name_of(invoice, "invoice", LONGEST_ID)


def check_same(known: Application, invoice: Invoice) -> None:
    """Check that an invoice is what was settled under its id, and still is.

    Raises:
        InvoiceConflictError: it differs.
        InvalidRequestError: its credits were given back.
    """
    fields = ("customer", "period_end", "lines")
    differing = [
        field for field in fields if getattr(known, field) != getattr(invoice, field)
    ]
    if known.currency != invoice.currency and "lines" not in differing:
        differing.append("lines")
    if differing:
        raise InvoiceConflictError(invoice.id, differing)
    if known.reinstated_at is not None:
        raise InvalidRequestError(
            f"The credits of invoice {invoice.id} were reinstated, so that none can be"
            " applied to it; settle another invoice in its place",
            code="invoice_reinstated",
            param="invoice",
        )


def _check_line(given: object, param: str) -> tuple[InvoiceLine, str]:
    line: Mapping[str, object] = only(given, param, _LINE_KEYS)
    for key in ("id", "amount", "currency"):
        if line.get(key) is None:
            raise missing(f"{param}[{key}]")
    price = line.get("price")
    return (
        InvoiceLine(
            name_of(line["id"], f"{param}[id]", LONGEST_ID),
            whole_number(line["amount"], f"{param}[amount]", 0, AMOUNT_MAX),
            None if price is None else name_of(price, f"{param}[price]", LONGEST_ID),
        ),
        currency_of(line["currency"], f"{param}[currency]"),
    )
