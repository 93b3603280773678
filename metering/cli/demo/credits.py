"""The credits of the demo: grants of four kinds, and an invoice for usage that draws them.

Can be done again, as the rest of the demo: grants are found by their names, and an
invoice that was applied answers the same and draws nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import metering
from metering.arguments.clock import SystemClock
from metering.cli.demo.stages import InvoiceLine, Prepaid
from metering.cli.demo.traffic import Traffic
from metering.cli.pages import every
from metering.cli.screens.history import history_documents

_CURRENCY = "usd"
_DAYS_AHEAD = 90
_CENTS_PER_UNIT = {
    "input_tokens": Decimal("0.0003"),
    "output_tokens": Decimal("0.0015"),
    "gpu_seconds": Decimal("0.4"),
}
_ALREADY = {"invoice_conflict", "invoice_reinstated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """Credits that the demo grants, usable within some days from now, in cents."""

    name: str
    cents: int
    category: Literal["paid", "promotional"]
    starts_in_days: int = 0
    ends_in_days: int
    price: str | None = None


_OFFERS = (
    _Offer(
        name="GPU trial",
        cents=100_00,
        category="promotional",
        ends_in_days=14,
        price="price_gpu_seconds",
    ),
    _Offer(name="Welcome", cents=50_00, category="promotional", ends_in_days=30),
    _Offer(name="Prepaid", cents=200_00, category="paid", ends_in_days=365),
    _Offer(
        name="Next month",
        cents=150_00,
        category="paid",
        starts_in_days=30,
        ends_in_days=60,
    ),
)


def pay_with_credits(
    m: metering.Metering,
    traffic: Traffic,
    customer: str,
    usage: Callable[[str], Decimal],
) -> Prepaid:
    """Grant credits to a customer, and apply an invoice for what it used.

    `usage` sums up the customer's usage on the meter of an event name.
    """
    grants = _grants(m, customer, traffic.start)
    invoice = f"in_demo_{traffic.rows}_{traffic.seed}"
    lines = [
        InvoiceLine(
            id=f"il_{event_name}",
            price=f"price_{event_name}",
            amount=_cents(usage(event_name), per_unit),
            currency=_CURRENCY,
        )
        for event_name, per_unit in _CENTS_PER_UNIT.items()
    ]
    position = m.position
    transactions = _apply(m, customer, invoice, traffic.end, lines)
    start = min(grant.created for grant in grants).replace(microsecond=0)
    end = start + timedelta(days=_DAYS_AHEAD)
    history = m.credit_balance_summary.history(customer=customer, start=start, end=end)
    return Prepaid(
        customer=customer,
        grants=grants,
        invoice=invoice,
        lines=lines,
        transactions=transactions,
        was_applied=m.position == position,
        balance=m.credit_balance_summary.retrieve(customer=customer),
        start_time=start,
        end_time=end,
        history=history_documents(history),
    )


def _grants(
    m: metering.Metering, customer: str, since: datetime
) -> list[metering.CreditGrant]:
    """Make sure of the grants; those that are usable now are so for older usage as well."""

    def fetch(most: int, after: str | None) -> Sequence[metering.CreditGrant]:
        return m.credit_grants.list(customer, limit=most, starting_after=after)

    found = {grant.name: grant for grant in every(fetch)}
    now = SystemClock().now()
    for offer in _OFFERS:
        if offer.name not in found:
            pending = now + timedelta(days=offer.starts_in_days)
            found[offer.name] = m.credit_grants.create(
                customer=customer,
                amount=_amount(offer),
                applicability_config={"scope": _scope(offer)},
                category=offer.category,
                name=offer.name,
                effective_at=pending if offer.starts_in_days else since,
                expires_at=now + timedelta(days=offer.ends_in_days),
            )
    return [found[offer.name] for offer in _OFFERS]


def _amount(offer: _Offer) -> dict[str, object]:
    monetary = {"currency": _CURRENCY, "value": offer.cents}
    return {"type": "monetary", "monetary": monetary}


def _scope(offer: _Offer) -> dict[str, object]:
    if offer.price is None:
        return {"price_type": "metered"}
    return {"prices": [{"id": offer.price}]}


def _cents(quantity: Decimal, per_unit: Decimal) -> int:
    """Price a quantity, rounded half to even."""
    return int((quantity * per_unit).to_integral_value(ROUND_HALF_EVEN))


def _apply(
    m: metering.Metering,
    customer: str,
    invoice: str,
    period_end: datetime,
    lines: Sequence[InvoiceLine],
) -> list[metering.CreditBalanceTransaction]:
    """Apply an invoice, or find what it drew where usage changed since."""
    try:
        return m.credits.apply(
            invoice=invoice,
            customer=customer,
            period_end=period_end,
            lines=[
                {
                    "id": line.id,
                    "amount": line.amount,
                    "currency": line.currency,
                    "price": line.price,
                }
                for line in lines
            ],
        )
    except metering.InvalidRequestError as error:
        if error.code not in _ALREADY:
            raise

    def fetch(
        most: int, after: str | None
    ) -> Sequence[metering.CreditBalanceTransaction]:
        return m.credit_balance_transactions.list(
            customer, limit=most, starting_after=after
        )

    return [each for each in every(fetch) if _is_of(each, invoice)][::-1]


def _is_of(transaction: metering.CreditBalanceTransaction, invoice: str) -> bool:
    """Tell whether an invoice drew it."""
    debit = transaction.debit
    applied = None if debit is None else debit.credits_applied
    return applied is not None and applied.invoice == invoice
