"""The credits of the demo: grants of four kinds, and an invoice for usage that draws them.

It can be repeated, as the rest of the demo: grants are found by their names, and an
invoice that was applied gets the same answer and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import metering
from metering.arguments.clock import microseconds
from metering.arguments.pages import LIMIT_MAX
from metering.cli.demo.stages import DemoStage
from metering.cli.demo.traffic import Traffic
from metering.cli.demo.usage import total
from metering.cli.screens.credits import balance_columns, grant_columns, money_of
from metering.cli.screens.history import show_plot, steps_by_currency
from metering.cli.screens.screen import Column, show, show_table
from metering.credits.requests import CategoryName

_CURRENCY = "usd"
_DAYS_AHEAD = 90
_CENTS_PER_UNIT = {
    "input_tokens": Decimal("0.0001"),
    "output_tokens": Decimal("0.0002"),
    "compute_seconds": Decimal("0.02"),
}
_ALREADY = {"invoice_conflict", "invoice_reinstated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """Credits that the demo grants, usable within some days from now, in cents."""

    cents: int
    category: CategoryName
    starts_in_days: int = 0
    ends_in_days: int
    price: str | None = None


_OFFERS = {
    "Compute trial": _Offer(
        cents=100_00,
        category="promotional",
        ends_in_days=14,
        price="price_compute_seconds",
    ),
    "Welcome": _Offer(cents=50_00, category="promotional", ends_in_days=30),
    "Prepaid": _Offer(cents=200_00, category="paid", ends_in_days=365),
    "Next month": _Offer(
        cents=150_00, category="paid", starts_in_days=30, ends_in_days=60
    ),
}


def paid(m: metering.Metering, traffic: Traffic, customer: str) -> DemoStage:
    """Grant credits to a customer, and apply an invoice for what it used."""
    grants = _grants(m, customer, traffic.start)
    invoice = f"in_demo_{traffic.seed}"
    lines: list[metering.InvoiceLineParams] = [
        {
            "id": f"il_{event_name}",
            "price": f"price_{event_name}",
            "amount": _cents(total(m, traffic, event_name, customer), per_unit),
            "currency": _CURRENCY,
        }
        for event_name, per_unit in _CENTS_PER_UNIT.items()
    ]
    position = m.position
    drawn = _apply(m, customer, invoice, traffic.end, lines)
    was_applied = m.position == position
    balance = m.credit_balance_summary.retrieve(customer=customer)
    start = min(grant.created for grant in grants).replace(microsecond=0)
    end = start + timedelta(days=_DAYS_AHEAD)
    history = m.credit_balance_summary.history(
        customer=customer, start_time=start, end_time=end
    )

    def show_it() -> None:
        show(f"Credits of {customer}", style="bold")
        show_table(grant_columns(m, customer, grants)[:-1], grants)
        show()
        show(f"The invoice {invoice} drew on them", style="bold")
        _show_draws(grants, drawn)
        if was_applied:
            show("It was applied by an earlier run; again draws nothing.", style="dim")
        show()
        left = "What is left: available now, and with what is still to come"
        show(left, style="bold")
        show_table(balance_columns(), balance.balances)
        show()
        show("As it will stand if nothing else happens", style="bold")
        bounds = (microseconds(start), microseconds(end))
        show_plot(steps_by_currency(history)[_CURRENCY], bounds, _CURRENCY)

    document = {
        "customer": customer,
        "grants": grants,
        "invoice": invoice,
        "lines": lines,
        "transactions": drawn,
        "was_applied": was_applied,
        "balance": balance,
        "history": history.to_pylist(),
    }
    return DemoStage("prepaid", document, show_it)


def _show_draws(
    grants: list[metering.CreditGrant], drawn: list[metering.CreditBalanceTransaction]
) -> None:
    names = {grant.id: grant.name for grant in grants}

    def debit_of(
        each: metering.CreditBalanceTransaction,
    ) -> metering.CreditTransactionDebit:
        assert each.debit is not None, "what an invoice draws is a debit"
        return each.debit

    def line_of(each: metering.CreditBalanceTransaction) -> str:
        applied = debit_of(each).credits_applied
        assert applied is not None, "it names its line"
        return applied.invoice_line_item

    columns: list[Column[metering.CreditBalanceTransaction]] = [
        Column("invoice line", line_of),
        Column("drawn", lambda each: money_of(debit_of(each).amount), is_number=True),
        Column("from", lambda each: names[each.credit_grant]),
    ]
    show_table(columns, drawn)


def _grants(
    m: metering.Metering, customer: str, since: datetime
) -> list[metering.CreditGrant]:
    """Find or create the grants; those that are usable now pay for older usage too."""
    found = {
        grant.name: grant
        for grant in m.credit_grants.list(customer, limit=LIMIT_MAX).auto_paging_iter()
    }
    now = m.now()
    for name, offer in _OFFERS.items():
        if name not in found:
            starts = now + timedelta(days=offer.starts_in_days)
            scope: metering.CreditScopeParams = {"price_type": "metered"}
            if offer.price:
                scope = {"prices": [{"id": offer.price}]}
            monetary: metering.MonetaryParams = {
                "currency": _CURRENCY,
                "value": offer.cents,
            }
            found[name] = m.credit_grants.create(
                customer=customer,
                amount={"type": "monetary", "monetary": monetary},
                applicability_config={"scope": scope},
                category=offer.category,
                name=name,
                effective_at=starts if offer.starts_in_days else since,
                expires_at=now + timedelta(days=offer.ends_in_days),
            )
    return [found[name] for name in _OFFERS]


def _cents(quantity: Decimal, per_unit: Decimal) -> int:
    """Price a quantity, rounded half to even."""
    return int((quantity * per_unit).to_integral_value(ROUND_HALF_EVEN))


def _apply(
    m: metering.Metering,
    customer: str,
    invoice: str,
    period_end: datetime,
    lines: list[metering.InvoiceLineParams],
) -> list[metering.CreditBalanceTransaction]:
    """Apply an invoice, or find what it drew where usage changed since."""
    try:
        return m.credits.apply(
            invoice=invoice, customer=customer, period_end=period_end, lines=lines
        )
    except metering.InvalidRequestError as error:
        if error.code not in _ALREADY:
            raise
    transactions = m.credit_balance_transactions.list(customer, limit=LIMIT_MAX)
    found = transactions.auto_paging_iter()
    return [each for each in found if _is_of(each, invoice)][::-1]


def _is_of(transaction: metering.CreditBalanceTransaction, invoice: str) -> bool:
    """Whether an invoice drew a transaction."""
    debit = transaction.debit
    applied = None if debit is None else debit.credits_applied
    return applied is not None and applied.invoice == invoice
