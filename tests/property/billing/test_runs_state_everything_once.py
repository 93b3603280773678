"""Billing runs state all time that is billed once, each part by the price of its time.

Prices are replaced, subscriptions pause and are resumed, runs come at any time, and
statements become void. The oracle keeps usage in a list, and what was billed when.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import metering
from tests.empty_stores import empty_store
from tests.oracles.rating import cost, rounded

START = datetime(2026, 1, 31, 7, 30, tzinfo=UTC)
AMOUNTS = ("0.5", "3")
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 30 * 24 * 60)),
        st.tuples(st.just("use"), st.integers(1, 10**13)),
        st.tuples(st.just("price"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["pause", "run", "void"]), st.just(0)),
    ),
    max_size=14,
)


@dataclass
class Billed:
    """What the oracle knows of a subscription.

    Attributes:
        usage: when, and how much.
        prices: from when on each of the prices held.
        pauses: when one began or ended.
    """

    usage: list[tuple[datetime, Decimal]] = field(default_factory=list)
    prices: list[tuple[datetime, int]] = field(default_factory=lambda: [(START, 0)])
    pauses: list[datetime] = field(default_factory=list)

    @property
    def is_paused(self) -> bool:
        return len(self.pauses) % 2 == 1

    def price_at(self, at: datetime) -> int:
        return [price for since, price in self.prices if since <= at][-1]

    def between(self, start: datetime, end: datetime) -> Fraction:
        return sum(
            (Fraction(value) for at, value in self.usage if start <= at < end),
            start=Fraction(0),
        )

    def billed_until(self, end: datetime) -> list[tuple[datetime, datetime]]:
        """The times until an instant that are billed, one price each."""
        cuts = {START, end, *self.pauses, *(since for since, _ in self.prices)}
        inside = sorted(cut for cut in cuts if cut <= end)
        return [
            (since, until)
            for since, until in pairwise(inside)
            if sum(cut <= since for cut in self.pauses) % 2 == 0
        ]


def subscribe(m: metering.Metering) -> tuple[str, list[str]]:
    """Create two prices of one meter, and a subscription to the first."""
    meter = m.meters.create(
        display_name="a",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    ids = [
        m.prices.create(
            currency="usd",
            product_data={"name": "a"},
            unit_amount_decimal=each,
            recurring=recurring,
        ).id
        for each in AMOUNTS
    ]
    made = m.subscriptions.create(customer="cus_1", items=[{"price": ids[0]}])
    return made.id, ids


def do(
    m: metering.Metering,
    subscription: str,
    ids: list[str],
    deed: tuple[str, int],
    known: Billed,
) -> None:
    """Do a deed, a second after what came before it."""
    kind, number = deed
    now = m.now()
    match kind:
        case "use":
            value = Decimal(number).scaleb(-12)
            payload: Any = {"stripe_customer_id": "cus_1", "value": value}
            m.meter_events.create(event_name="tokens", payload=payload, timestamp=now)
            known.usage.append((now, value))
        case "price" if not known.is_paused:
            [item] = m.subscriptions.retrieve(subscription).items.data
            m.subscription_items.update(item.id, price=ids[number])
            if known.prices[-1][1] != number:
                known.prices.append((now, number))
        case "pause":
            change = (
                m.subscriptions.resume if known.is_paused else m.subscriptions.pause
            )
            change(subscription)
            known.pauses.append(now)
        case "run":
            assert m.statements.run(period_end=now).rejected == 0
        case "void":
            for each in m.statements.list(status="finalized", limit=1):
                m.statements.void(str(each.id))
        case _:
            pass


@given(DEEDS)
def test_runs_state_everything_once(deeds: list[tuple[str, int]]) -> None:
    clock = metering.FixedClock(START)
    known = Billed()
    with empty_store(clock=clock) as m:
        subscription, ids = subscribe(m)
        for deed in deeds:
            minutes = deed[1] if deed[0] == "wait" else 0
            clock.advance(timedelta(minutes=minutes, seconds=1))
            do(m, subscription, ids, deed, known)
        clock.advance(timedelta(days=40))

        m.statements.run(period_end=m.now())

        assert m.statements.run(period_end=m.now()).finalized == 0
        stated = m.statements.list(status="finalized", limit=100)
        lines = sorted(
            (line for each in stated for line in each.lines),
            key=lambda line: line.period_start,
        )
        for line in lines:
            exact = known.between(line.period_start, line.period_end)
            price = known.price_at(line.period_start)
            assert line.price == ids[price]
            assert Fraction(line.quantity) == exact
            unit: dict[str, Any] = {"unit_amount_decimal": AMOUNTS[price]}
            assert line.amount == rounded(cost(unit, exact))
        covered = [(line.period_start, line.period_end) for line in lines]
        assert joined(covered) == joined(
            known.billed_until(covered[-1][1]) if covered else []
        )
        assert m.verify().problems == ()


def joined(
    spans: list[tuple[datetime, datetime]],
) -> list[tuple[datetime, datetime]]:
    """Spans that touch, as one; those that overlap are none."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            assert not found or found[-1][1] < start, "time is stated twice"
            found.append((start, end))
    return found
