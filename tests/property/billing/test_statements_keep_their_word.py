"""Statements keep their word, whatever usage came before them and whatever comes after.

The oracle adds up events in lists and rates them with fractions; it shares no code with
the product.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import metering
from tests.empty_stores import empty_store
from tests.oracles.rating import cost, rounded

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START, END = NOW - timedelta(days=20), NOW - timedelta(days=5)
MICROSECOND = timedelta(microseconds=1)
METERED: Any = {"scope": {"price_type": "metered"}}
PRICES: list[dict[str, Any]] = [
    {"unit_amount_decimal": "0.5"},
    {
        "unit_amount_decimal": "5",
        "transform_quantity": {"divide_by": 3, "round": "up"},
    },
    {
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": [
            {"up_to": 10, "unit_amount_decimal": "1.5", "flat_amount": 7},
            {"up_to": "inf", "unit_amount_decimal": "0.25"},
        ],
    },
]
TIMES = st.sampled_from(
    [START - MICROSECOND, START, START + timedelta(days=3), END - MICROSECOND, END]
)


@dataclass
class Event:
    """An event as the oracle keeps it."""

    meter: int
    customer: str
    at: datetime
    value: Decimal
    is_cancelled: bool = False

    @property
    def is_stated(self) -> bool:
        return self.customer == "cus_1" and START <= self.at < END


EVENTS = st.builds(
    Event,
    meter=st.integers(0, len(PRICES) - 1),
    customer=st.sampled_from(["cus_1", "cus_1", "cus_2"]),
    at=TIMES,
    value=st.integers(-(10**12), 3 * 10**13).map(lambda n: Decimal(n).scaleb(-12)),
)
HISTORIES = st.lists(
    st.one_of(EVENTS, EVENTS, st.integers(0, 30), st.just("seal")), max_size=12
)


def live(m: metering.Metering, events: list[Event], history: list[Any]) -> None:
    """Do what a history says: record an event, cancel the one of a number, seal."""
    for each in history:
        if isinstance(each, Event):
            m.meter_events.create(
                event_name=f"meter_{each.meter}",
                identifier=f"event-{len(events)}",
                payload={"stripe_customer_id": each.customer, "value": each.value},
                timestamp=each.at,
            )
            events.append(each)
        elif each == "seal":
            m.seal()
        elif events:
            at = each % len(events)
            m.meter_event_adjustments.create(
                event_name=f"meter_{events[at].meter}",
                type="cancel",
                cancel={"identifier": f"event-{at}"},
            )
            events[at].is_cancelled = True


def quantity(events: list[Event], meter: int) -> Fraction:
    return sum(
        (
            Fraction(each.value)
            for each in events
            if each.meter == meter and each.is_stated and not each.is_cancelled
        ),
        start=Fraction(0),
    )


def rate(price: dict[str, Any], amount: Fraction) -> int:
    return rounded(cost(price, amount))


def balance(m: metering.Metering) -> object:
    return m.credit_balance_summary.retrieve(customer="cus_1").balances


def create_prices(m: metering.Metering) -> list[str]:
    """Create the prices, each of a meter of its own."""
    ids = []
    for number, price in enumerate(PRICES):
        meter = m.meters.create(
            display_name="a",
            event_name=f"meter_{number}",
            default_aggregation={"formula": "sum"},
        )
        made = m.prices.create(
            currency="usd",
            product_data={"name": "a"},
            recurring={
                "interval": "month",
                "usage_type": "metered",
                "meter": meter.id,
            },
            **price,
        )
        ids.append(made.id)
    return ids


def create_grants(m: metering.Metering, values: list[int]) -> None:
    for value in values:
        amount: Any = {"currency": "usd", "value": value}
        m.credit_grants.create(
            customer="cus_1",
            amount={"type": "monetary", "monetary": amount},
            applicability_config=METERED,
        )


def check_lines(stated: metering.Statement, events: list[Event], granted: int) -> None:
    """Compare lines with the oracle, and what is below them with the lines."""
    for number, line in enumerate(stated.lines):
        exact = quantity(events, number)
        assert Fraction(line.quantity) == exact
        assert line.amount == rate(PRICES[number], exact)
        assert line.is_negative is (exact < 0)
        if "tiers" in PRICES[number]:
            assert sum(tier.amount for tier in line.tiers) == line.amount
        drawn = sum(each.amount for each in stated.credits if each.line == line.id)
        assert 0 <= drawn <= line.amount
    assert stated.subtotal == sum(line.amount for line in stated.lines)
    assert stated.credits_applied == min(granted, stated.subtotal)
    assert stated.amount_due == stated.subtotal - stated.credits_applied


def check_drift(
    drift: metering.StatementDrift, events: list[Event], changed: dict[int, str]
) -> None:
    """Compare drift with the oracle, given the events that changed and how."""
    for number, line in enumerate(drift.lines):
        exact = quantity(events, number)
        assert Fraction(line.quantity_now) == exact
        assert line.amount_now == rate(PRICES[number], exact)
    causes = drift.causes.to_pylist()
    assert sorted(
        (each["line"], each["kind"], each["identifier"]) for each in causes
    ) == (
        sorted(
            (f"il_{events[at].meter + 1}", kind, f"event-{at}")
            for at, kind in changed.items()
            if events[at].is_stated
        )
    )


@given(
    before=HISTORIES,
    after=HISTORIES,
    grants=st.lists(st.integers(1, 60), max_size=3),
)
def test_a_statement_keeps_its_word(
    before: list[Any], after: list[Any], grants: list[int]
) -> None:
    clock = metering.FixedClock(START - timedelta(days=1))
    with empty_store(clock=clock) as m:
        asked: dict[str, Any] = {
            "customer": "cus_1",
            "prices": create_prices(m),
            "start_time": START,
            "end_time": END,
        }
        create_grants(m, grants)
        clock.set(NOW)
        events: list[Event] = []
        live(m, events, before)
        untouched, count = balance(m), len(events)

        stated = m.statements.finalize(id="st_1", **asked)

        check_lines(stated, events, sum(grants))
        counted = {at for at, each in enumerate(events) if not each.is_cancelled}
        live(m, events, after)
        counting = {at for at, each in enumerate(events) if not each.is_cancelled}
        changed = {
            at: "event" if at >= count else "cancellation" for at in counted ^ counting
        }
        check_drift(m.statements.drift("st_1"), events, changed)
        assert m.statements.retrieve("st_1") == stated
        assert m.statements.finalize(id="st_1", **asked) == stated
        assert m.explain(stated).adds_up()

        m.statements.void("st_1")
        assert balance(m) == untouched
        again = m.statements.finalize(id="st_2", **asked)
        check_lines(again, events, sum(grants))
        m.statements.void("st_2")
        assert balance(m) == untouched
        assert m.verify().problems == ()
