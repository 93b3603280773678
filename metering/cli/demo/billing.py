"""The bill of the demo: prices, credits of four kinds, and a statement that draws them.

It can be repeated, as the rest of the demo: prices are found by their lookup keys and
grants by their names, and a statement that was finalised is the same and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import metering
from metering.arguments.clock import microseconds
from metering.arguments.pages import LIMIT_MAX
from metering.cli.demo.stages import DemoStage
from metering.cli.demo.traffic import Traffic
from metering.cli.demo.usage import METERS
from metering.cli.screens.credits import balance_columns, grant_columns
from metering.cli.screens.history import show_plot, steps_by_currency
from metering.cli.screens.screen import show, show_table
from metering.cli.screens.statements import show_statement
from metering.cli.targets import find_meter
from metering.credits.requests import CategoryName

_CURRENCY = "usd"
_DAYS_AHEAD = 90
_COSTS: dict[str, dict[str, Any]] = {
    "input_tokens": {
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": [
            {"up_to": 100_000, "unit_amount_decimal": Decimal("0.0001")},
            {"up_to": 10_000_000, "unit_amount_decimal": Decimal("0.00008")},
            {"up_to": "inf", "unit_amount_decimal": Decimal("0.00005")},
        ],
    },
    "output_tokens": {"unit_amount_decimal": Decimal("0.0002")},
    "compute_seconds": {"unit_amount_decimal": Decimal("0.02")},
}
"""What a unit of each meter costs, in cents."""
_STATED = "period_already_finalized"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """Credits that the demo grants, usable within some days from now, in cents."""

    cents: int
    category: CategoryName
    starts_in_days: int = 0
    ends_in_days: int
    event_name: str | None = None


_OFFERS = {
    "Compute trial": _Offer(
        cents=100_00,
        category="promotional",
        ends_in_days=14,
        event_name="compute_seconds",
    ),
    "Welcome": _Offer(cents=50_00, category="promotional", ends_in_days=30),
    "Prepaid": _Offer(cents=200_00, category="paid", ends_in_days=365),
    "Next month": _Offer(
        cents=150_00, category="paid", starts_in_days=30, ends_in_days=60
    ),
}


def billed(m: metering.Metering, traffic: Traffic, customer: str) -> DemoStage:
    """Grant credits to a customer, and finalise a statement of what it used."""
    prices = {event_name: _price(m, event_name) for event_name in _COSTS}
    grants = _grants(m, customer, traffic.start, prices)
    position = m.position
    statement = _statement(m, traffic, customer, list(prices.values()))
    was_finalized = m.position == position
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
        show_statement(m, statement)
        if was_finalized:
            earlier = "It was finalised by an earlier run; again draws nothing."
            show(earlier, style="dim")
        show()
        left = "What is left: available now, and with what is still to come"
        show(left, style="bold")
        show_table(balance_columns(balance.balances), balance.balances)
        show()
        show("As it will stand if nothing else happens", style="bold")
        bounds = (microseconds(start), microseconds(end))
        show_plot(steps_by_currency(history)[_CURRENCY], bounds, _CURRENCY)

    document = {
        "customer": customer,
        "grants": grants,
        "statement": statement,
        "was_finalized": was_finalized,
        "balance": balance,
        "history": history.to_pylist(),
    }
    return DemoStage("billed", document, show_it)


def _price(m: metering.Metering, event_name: str) -> str:
    """Find or create the price of a meter, and return its id."""
    lookup_key = f"demo_{event_name}"
    for price in m.prices.list(lookup_keys=[lookup_key]):
        return price.id
    _, display_name = METERS[event_name]
    return m.prices.create(
        currency=_CURRENCY,
        product_data={"name": display_name},
        recurring={
            "interval": "month",
            "usage_type": "metered",
            "meter": find_meter(m, event_name).id,
        },
        lookup_key=lookup_key,
        **_COSTS[event_name],
    ).id


def _statement(
    m: metering.Metering, traffic: Traffic, customer: str, prices: list[str]
) -> metering.Statement:
    """Finalise a statement, or find the one that has stated the time of the traffic."""
    try:
        return m.statements.finalize(
            id=f"in_demo_{traffic.seed}_{customer}",
            customer=customer,
            prices=prices,
            start_time=traffic.start,
            end_time=traffic.end,
        )
    except metering.InvalidRequestError as error:
        if error.code != _STATED:
            raise
    stated = m.statements.list(customer=customer, limit=LIMIT_MAX).auto_paging_iter()
    return next(
        each
        for each in stated
        if each.status == "finalized" and each.period_start < traffic.end
    )


def _grants(
    m: metering.Metering, customer: str, since: datetime, prices: dict[str, str]
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
            if offer.event_name:
                scope = {"prices": [{"id": prices[offer.event_name]}]}
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
