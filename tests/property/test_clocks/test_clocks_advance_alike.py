"""A test clock that is advanced in one step or in many leaves the same, and only its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import metering
from tests.metering.entitlements.test_entitlements_are_told import UPDATED
from tests.metering.entitlements.usual_features import attach
from tests.metering.holds.usual_holds import hold
from tests.metering.schedules.usual_schedules import schedule
from tests.metering.subscriptions.usual_subscriptions import metered_price, subscribe
from tests.metering.usual_credits import balance, grant
from tests.metering.usual_usage import NOW

START = datetime(2031, 1, 31, tzinfo=UTC)
DAYS = 100
_DAY = timedelta(days=1)
_INSTANTS = st.integers(1, DAYS * 24).map(lambda hours: START + timedelta(hours=hours))
_MADE = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 50), _INSTANTS),
    st.tuples(st.just("hold"), st.integers(1, 20), _INSTANTS),
    st.tuples(
        st.just("schedule"),
        st.integers(1, 30),
        st.sampled_from(["day", "week", "month"]),
    ),
    st.tuples(st.just("subscription"), st.integers(1, 90), _INSTANTS),
)


def make(
    m: metering.Metering,
    customer: str,
    made: Sequence[tuple[str, int, Any]],
    price: metering.Price,
) -> None:
    """Give a customer what falls due later."""
    grant(m, 100, customer=customer)
    for number, (kind, value, when) in enumerate(made):
        name = f"{customer}-{number}"
        match kind:
            case "grant":
                grant(m, value, customer=customer, expires_at=when)
            case "hold":
                ends = min(when, START + 30 * _DAY)
                hold(m, min(value, 5), name, customer=customer, expires_at=ends)
            case "schedule":
                schedule(
                    m, value, name, customer=customer, interval=when, expires_after=1
                )
            case _:
                trial = START + value * _DAY
                subscribe(m, price, customer=customer, trial_end=trial, cancel_at=when)


def left(m: metering.Metering, customer: str) -> list[tuple[str, datetime, int]]:
    """What was moved of a customer's credits, and when, oldest first."""
    moved = m.credit_balance_transactions.list(customer=customer, limit=100)
    found: list[tuple[str, datetime, int]] = []
    for each in moved.auto_paging_iter():
        change = each.credit or each.debit
        assert change is not None
        found.append((str(change.type), each.created, change.amount.monetary.value))
    return found[::-1]


def had(m: metering.Metering, customer: str) -> list[tuple[datetime, list[str]]]:
    """What a customer had each time that it changed, and when, the last first."""
    return [
        (
            event.created,
            [each.lookup_key for each in event.data.object.entitlements.data],
        )
        for event in m.events.list(type=UPDATED, limit=100).auto_paging_iter()
        if isinstance(event.data.object, metering.ActiveEntitlementSummary)
        and event.data.object.customer == customer
    ]


@given(
    made=st.lists(_MADE, min_size=1, max_size=6),
    cuts=st.lists(_INSTANTS, max_size=5, unique=True),
)
def test_a_clock_advanced_in_one_step_leaves_what_it_does_in_many(
    made: Sequence[tuple[str, int, Any]], cuts: Sequence[datetime]
) -> None:
    """What falls due is recorded at its instant, however far a clock goes at once; whoever has none never notices. The oracle is the clock itself, cut elsewhere."""
    end = START + DAYS * _DAY
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as m:
        price = metered_price(m)
        attach(m, price, "sso")
        m.alerts.create(
            title="Low",
            alert_type="credit_balance_threshold",
            credit_balance_threshold={
                "lte": {
                    "balance_type": "monetary",
                    "monetary": {"currency": "usd", "value": 110},
                }
            },
        )
        clocks = [m.test_clocks.create(frozen_time=START).id for _ in range(2)]
        once, often = (m.customers.create(test_clock=each).id for each in clocks)
        make(m, once, made, price)
        make(m, often, made, price)
        attach(m, price, "audit")
        grant(m, 7, customer="other", expires_at=START)
        known = left(m, "other"), balance(m, "other")

        m.test_clocks.advance(clocks[0], frozen_time=end)
        for each in sorted({*cuts, end}):
            m.test_clocks.advance(clocks[1], frozen_time=each)

        assert left(m, once) == left(m, often)
        assert balance(m, once) == balance(m, often)
        fallen = [
            [
                (each.created, each.value)
                for each in m.alerts.triggered(customer=customer)
            ]
            for customer in (once, often)
        ]
        assert fallen[0] == fallen[1]
        ended = [
            [(each.status, each.ended_at, each.trial_end) for each in found]
            for customer in (once, often)
            for found in [m.subscriptions.list(customer, status="all")]
        ]
        assert ended[0] == ended[1]
        assert had(m, once) == had(m, often)
        assert (left(m, "other"), balance(m, "other")) == known
        assert m.verify().problems == ()
