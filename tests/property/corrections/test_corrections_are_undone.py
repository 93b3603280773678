"""Random corrections: a preview says what happens, and reverting undoes all of it."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.refusals import refused
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import NOW, create_meter
from tests.segment_places import places_of

NAMES = ("tokens", "calls", "seats", "users")
CUSTOMERS = ("cus_1", "cus_2")
EXTREMES = st.sampled_from(["max", "count"])
# Of its own, as the first and the last event may be cancelled ones.
SPAN: Any = {
    "start_time": NOW - timedelta(days=9),
    "end_time": NOW + timedelta(days=1),
}
WHY: Any = {"reason": "wrong", "author": "Ada"}


@dataclass(frozen=True, kw_only=True)
class CorrectedLife:
    """Meters, events by portions, what is done between them, and what is corrected."""

    meters: tuple[tuple[Any, Any], ...]
    events: tuple[tuple[str, str, int, str], ...]
    cuts: tuple[int, ...]
    corrections: tuple[Any, ...]
    is_sealed: tuple[bool, bool]


def changes() -> st.SearchStrategy[Any]:
    different = st.fixed_dictionaries(
        {},
        optional={
            "customer": st.sampled_from([*CUSTOMERS, "cus_3"]),
            "timestamp": st.integers(0, 4).map(lambda n: NOW - n * timedelta(hours=9)),
            "payload": st.sampled_from([{"value": "7", "region": "eu"}]),
        },
    ).filter(bool)
    where = st.fixed_dictionaries(
        {"event_name": st.sampled_from(NAMES)},
        optional={
            "customer": st.sampled_from(CUSTOMERS),
            "first_position": st.integers(1, 25),
            "last_position": st.integers(5, 40),
            "payload": st.just({"region": "us"}),
        },
    )
    cancel = where.map(lambda asked: {"type": "cancel", **asked})
    replace = st.tuples(where, different).map(
        lambda drawn: {"type": "replace", **drawn[0], "replace": drawn[1]}
    )
    return st.lists(cancel | replace, min_size=1, max_size=2)


@st.composite
def histories(draw: st.DrawFn) -> CorrectedLife:
    one = st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(CUSTOMERS),
        st.integers(0, 6),
        st.sampled_from(["1", "-2.5", "3"]),
    )
    events = draw(st.lists(one, min_size=4, max_size=24))
    windows = st.sampled_from([None, "hour", "day"])
    return CorrectedLife(
        meters=tuple(
            (formula, draw(windows))
            for formula in ("sum", "last", draw(EXTREMES), "unique_count")
        ),
        events=tuple(events),
        cuts=tuple(draw(st.lists(st.integers(1, 24), max_size=3))),
        corrections=tuple(draw(st.lists(changes(), min_size=1, max_size=3))),
        is_sealed=(draw(st.booleans()), draw(st.booleans())),
    )


def test_a_correction_does_what_its_preview_says_and_its_revert_undoes_it(
    store_targets: StoreTargets,
) -> None:
    """In totals and in events, sealed before, sealed after or not, whatever the meter."""

    @settings(max_examples=max(3, settings().max_examples // 4))
    @given(histories())
    def undone(history: CorrectedLife) -> None:
        clock = metering.FixedClock(NOW)
        with (
            store_targets() as target,
            metering.connect(target, clock=clock, **places_of(target)) as m,
            metering.connect(target, clock=clock, **places_of(target)) as other,
        ):
            record(history, m)
            made = []
            for asked in history.corrections:
                m.catch_up()
                before, told, money = answers(m), figures(m), billed(m)
                try:
                    impact = m.corrections.preview(asked)
                except metering.InvalidRequestError as refusal:
                    with refused(refusal.code, refusal.param):
                        m.corrections.apply(asked, **WHY)
                    assert answers(m) == before
                    continue
                assert (answers(m), figures(m)) == (before, told)
                corrected = m.corrections.apply(asked, **WHY)
                made.append((before, money, corrected))
                m.catch_up()
                assert foretold(impact, told) == changes_of(told, figures(m))
                assert answers(other) == answers(m)
            if history.is_sealed[1]:
                m.seal()
            for before, money, corrected in reversed(made):
                other.corrections.revert(corrected.id)
                assert answers(m) == answers(other) == before
                assert billed(m) == money
            m.rebuild()
            assert m.verify().problems == ()

    undone()


def sell(history: CorrectedLife, m: metering.Metering) -> None:
    """Meters, alerts on them, and prices of the first, which customers pay."""
    made = [
        create_meter(m, name, formula, event_time_window=window)
        for name, (formula, window) in zip(NAMES, history.meters, strict=True)
    ]
    for meter, (formula, _) in zip(made, history.meters, strict=True):
        for recurrence in ("one_time", "calendar_day"):
            if formula in {"sum", "count", "last"}:
                asked: Any = {"gte": 3, "meter": meter.id, "recurrence": recurrence}
                m.alerts.create(
                    title=f"{meter.event_name} {recurrence}",
                    alert_type="usage_threshold",
                    usage_threshold=asked,
                )
    price = m.prices.create(
        currency="usd",
        product_data={"name": "tokens"},
        unit_amount=7,
        recurring={
            "interval": "month",
            "usage_type": "metered",
            "meter": made[0].id,
        },
    )
    for customer in CUSTOMERS:
        grant(m, 20, customer=customer)
        m.subscriptions.create(customer=customer, items=[{"price": price.id}])


def record(history: CorrectedLife, m: metering.Metering) -> None:
    sell(history, m)
    ends = [*sorted(history.cuts), len(history.events)]
    start = 0
    for end in ends:
        rows = [
            {
                "event_name": name,
                "identifier": f"{start + at}",
                "timestamp": NOW - hours * timedelta(hours=5),
                "stripe_customer_id": customer,
                "value": value,
                "region": "us" if (start + at) % 3 else "eu",
            }
            for at, (name, customer, hours, value) in enumerate(
                history.events[start:end]
            )
        ]
        if rows:
            assert m.meter_events.ingest(rows).accepted == len(rows)
        start = max(start, end)
    m.statements.finalize(
        id="st_1",
        customer=CUSTOMERS[0],
        prices=[m.prices.list()[0].id],
        start_time=NOW - timedelta(days=1),
        end_time=NOW - timedelta(minutes=1),
    )
    if history.is_sealed[0]:
        m.seal()


def figures(m: metering.Metering) -> dict[Any, Any]:
    """Of every customer: triggers, what is billed, balances, and usage by day."""
    found: dict[Any, Any] = Counter(
        ("alert", each.alert.id, each.customer, each.value, each.timestamp)
        for each in m.alerts.triggered()
    )
    for line in m.statements.drift("st_1").lines:
        found["statement", "st_1", line.line] = line.amount_now
    for customer in (*CUSTOMERS, "cus_3"):
        for each in m.credit_balance_summary.retrieve(
            customer=customer, include_unbilled_usage=True
        ).balances:
            for name, amount in (
                ("available", each.available_balance),
                ("unbilled", each.unbilled_usage),
                ("uncovered", each.uncovered_usage),
            ):
                if amount is not None:
                    found["balance", customer, name] = amount.monetary.value
    for row in m.usage().to_pylist():
        key = row["event_name"], row["customer"], row["window_start"]
        found["usage", *key] = row["value"]
    return found


def changes_of(before: dict[Any, Any], after: dict[Any, Any]) -> dict[Any, Any]:
    return {
        key: (was, now)
        for key in {*before, *after}
        if (was := before.get(key, 0)) != (now := after.get(key, 0))
    }


def foretold(impact: metering.Impact, before: dict[Any, Any]) -> dict[Any, Any]:
    """A preview, as `changes_of` has changes."""

    def rows(kind: str, table: pa.Table, *keys: str) -> dict[Any, Any]:
        return {
            (kind, *(row[key] for key in keys)): (row["before"], row["after"])
            for row in table.to_pylist()
        }

    triggers = Counter(
        ("alert", r["alert"], r["customer"], Decimal(r["value"]), r["timestamp"])
        for r in impact.alerts.to_pylist()
    )
    return {
        **{
            key: (before.get(key, 0), before.get(key, 0) + count)
            for key, count in triggers.items()
        },
        **rows("statement", impact.statements, "statement", "line"),
        **rows("balance", impact.balances, "customer", "balance"),
        **rows("usage", impact.usage, "event_name", "customer", "window_start"),
    }


def billed(m: metering.Metering) -> dict[Any, Any]:
    """The figures but for triggers, which stay."""
    return {key: each for key, each in figures(m).items() if key[0] != "alert"}


def answers(m: metering.Metering) -> Any:
    """Of all windows; those of totals are those of the events."""
    found = []
    for window in ("hour", "day", None):
        asked: Any = {"window": window, **SPAN}
        usage = m.usage(**asked)
        assert usage.equals(m.reaggregate(**asked)), window
        found.append(usage.to_pylist())
    return found
