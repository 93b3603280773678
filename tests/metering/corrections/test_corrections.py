"""Corrections: events cancelled and replaced together, at any age, and reverted."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
    table,
    total,
)

WHY: Any = {"reason": "sent twice", "author": "Ada"}
EVENT: Any = {"type": "cancel", "event_name": "tokens"}
YEAR = timedelta(days=365)


@pytest.fixture
def m(connect: Connect) -> metering.Metering:
    return connect(clock=metering.FixedClock(NOW))


def replace(**different: Any) -> Any:
    return {"type": "replace", "event_name": "tokens", "replace": different}


def test_events_are_cancelled_and_replaced_together(m: metering.Metering) -> None:
    meter = create_meter(m)
    m.meter_events.ingest(batch(0, 9, "{}"))

    made = m.corrections.apply(
        [
            {**EVENT, "identifiers": ["event-3"]},
            {**replace(value="0.5"), "customer": "cus_1"},
        ],
        **WHY,
    )

    assert made == metering.Correction(
        id=made.id,
        author="Ada",
        cancelled=4,
        created=NOW,
        last_position=18,
        livemode=False,
        position=11,
        reason="sent twice",
        replaced=3,
        reverted_at=None,
        reverted_by=None,
        reverted_reason=None,
        status="applied",
    )
    assert m.corrections.retrieve(made.id) == made
    assert m.corrections.list() == [made]
    assert [total(m, meter, f"cus_{n}") for n in range(3)] == [6, Decimal("1.5"), 15]
    events = list(m.meter_events.list())
    assert [each.position for each in events if each.cancelled] == [3, 5, 6, 9]
    assert [each.identifier for each in events[-3:]] == [
        f"{made.id}/{position}" for position in (3, 6, 9)
    ]
    assert m.verify().problems == ()


def test_replacements_come_from_a_table(m: metering.Metering) -> None:
    """Of whole events; one that says what is recorded changes nothing."""
    meter = create_meter(m)
    other = create_meter(m, "calls", "count")
    m.meter_events.ingest(batch(0, 9))
    seen = batch(0, 9).set_column(4, "value", pa.array(["1"] * 8 + ["7"]))

    made = m.corrections.apply(seen, **WHY)
    moved = m.corrections.apply(
        [
            {
                **EVENT,
                "type": "replace",
                "identifiers": ["event-0"],
                "replace": {"event_name": "calls", "customer": "cus_9"},
            }
        ],
        **WHY,
    )

    assert (made.cancelled, made.replaced, moved.replaced) == (1, 1, 1)
    assert [total(m, meter, f"cus_{n}") for n in range(3)] == [2, 3, 9]
    assert total(m, other, "cus_9") == 1


def test_a_correction_has_no_age_and_leaves_identifiers_taken(
    m: metering.Metering,
) -> None:
    meter = create_meter(m)
    old = {
        "event_name": "tokens",
        "identifier": "old",
        "timestamp": NOW - 3 * YEAR,
        "stripe_customer_id": "cus_1",
        "value": "5",
    }
    m.meter_events.ingest([old], backfill=True)

    m.corrections.apply([replace(timestamp=NOW - 2 * YEAR)], **WHY)

    assert m.meter_events.ingest([old], backfill=True).duplicates == 1
    [after] = m.meters.event_summaries(
        meter.id,
        customer="cus_1",
        start_time=NOW - 2 * YEAR,
        end_time=NOW - 2 * YEAR + timedelta(minutes=1),
    )
    assert after.aggregated_value == 5 == total(m, meter)


def test_what_is_reverted_counts_in_its_old_place(m: metering.Metering) -> None:
    """Also where only the last event of a window counts."""
    meter = create_meter(m, event_time_window="day")
    for value in ("1", "2", "3"):
        create_event(m, payload={"stripe_customer_id": "cus_1", "value": value})
    first = m.corrections.apply([{**EVENT, "first_position": 4}], **WHY)
    second = m.corrections.apply([{**replace(value=9), "last_position": 2}], **WHY)
    assert total(m, meter) == 9
    m.seal()

    m.corrections.revert(second.id)
    assert total(m, meter) == 2
    reverted = m.corrections.revert(first.id, reason="it was right", author="Bob")

    assert total(m, meter) == 3
    assert reverted.status == "reverted"
    assert reverted.reverted_at == NOW
    assert (reverted.reverted_by, reverted.reverted_reason) == ("Bob", "it was right")
    assert not any(each.cancelled for each in [*m.meter_events.list()][:3])
    # What counts again can be cancelled again.
    m.corrections.apply([{**EVENT, "first_position": 4, "last_position": 4}], **WHY)
    assert total(m, meter) == 2
    m.seal()
    m.rebuild()
    assert total(m, meter) == 2
    assert m.verify().problems == ()


def test_history_is_as_it_was(m: metering.Metering) -> None:
    create_meter(m)
    create_event(m)
    made = m.corrections.apply([replace(value="2")], **WHY)
    m.corrections.revert(made.id)

    def value(as_of: int) -> list[Decimal]:
        found: list[Decimal] = m.reaggregate(as_of=as_of).column("value").to_pylist()
        return found

    before, between, after = made.position - 1, made.last_position, m.position
    assert [value(each) for each in (before, between, after)] == [[1], [2], [1]]


def test_an_alert_triggers_at_the_replacement_that_crosses(
    m: metering.Metering,
) -> None:
    meter = create_meter(m)
    for formula in ("sum", "last"):
        other = meter if formula == "sum" else create_meter(m, "calls", formula)
        m.alerts.create(
            title=formula,
            alert_type="usage_threshold",
            usage_threshold={"gte": 5, "meter": other.id, "recurrence": "one_time"},
        )
    create_event(m)
    create_event(m, "calls")
    m.catch_up()

    made = m.corrections.apply(
        [{**replace(value="6"), "event_name": name} for name in ("tokens", "calls")],
        **WHY,
    )
    m.catch_up()

    triggered = m.alerts.triggered()
    assert {each.event_position for each in triggered} == {
        made.last_position - 1,
        made.last_position,
    }
    m.corrections.revert(made.id)
    create_event(m, payload={"stripe_customer_id": "cus_1", "value": "3"})
    m.catch_up()
    assert m.alerts.triggered() == triggered
    assert m.verify().problems == ()


@pytest.mark.parametrize("window", [None, "day"])
def test_an_alert_counts_what_counts_again(
    m: metering.Metering, window: str | None
) -> None:
    """Evaluated with what follows, where events add up and where they replace each other."""
    meter = create_meter(m, event_time_window=window)
    m.alerts.create(
        title="a",
        alert_type="usage_threshold",
        usage_threshold={"gte": 5, "meter": meter.id, "recurrence": "one_time"},
    )
    early = NOW - timedelta(days=2)
    payload = {"stripe_customer_id": "cus_1", "value": "3"}
    create_event(m, payload=payload, timestamp=early)
    m.catch_up()
    made = m.corrections.apply([EVENT], **WHY)
    m.catch_up()
    m.corrections.revert(made.id)

    last = create_event(m, payload={**payload, "value": "2"})
    m.catch_up()

    [triggered] = m.alerts.triggered()
    assert triggered.value == 5
    assert triggered.event_position == last.position
    assert m.verify().problems == ()


def test_wrong_corrections_are_refused(m: metering.Metering) -> None:
    """Whole, with the change or the row that is wrong."""
    create_meter(m)
    create_meter(m, "calls", "count")
    m.meter_events.ingest(batch(0, 4))
    cancel_event(m, "event-3")
    position = m.position
    late = NOW + timedelta(hours=1)
    one: Any = {**EVENT, "identifiers": ["event-0"]}
    two: Any = {**replace(value=2), "last_position": 3}

    for changes, code, param in (
        ([{**EVENT, "identifiers": ["event-0", "x"]}], "resource_missing", "changes[0][identifiers][1]"),
        ([one, {**EVENT, "identifiers": ["event-3"]}], "event_cancelled", "changes[1][identifiers][0]"),
        ([{**EVENT, "customer": "cus_7"}], "nothing_to_correct", "changes[0]"),
        ([{**replace(value=1)}], "nothing_to_correct", "changes"),
        ([one, one], "event_changed_twice", "changes"),
        ([one, two], "event_changed_twice", "changes"),
        ([replace(timestamp=late)], "timestamp_in_future", "changes[0]"),
        ([replace(event_name="x")], "no_meter", "event_name"),
        ([{**replace(value=2), "replace": {"event_name": "calls", "value": 2}}], None, "changes[0][replace][value]"),
        ([{"type": "replace", "event_name": "tokens"}], "parameter_missing", "changes[0][replace]"),
        ([{**EVENT, "replace": {"value": 1}}], None, "changes[0][type]"),
        ([{"type": "cancel"}], "parameter_missing", "changes[0][event_name]"),
        ([{**one, "customer": "cus_1"}], "parameters_exclusive", "changes[0][customer]"),
        ([{**EVENT, "wrong": 1}], "parameter_unknown", "changes[0][wrong]"),
        ([], None, "changes"),
        (batch(9, 1), "resource_missing", "changes[0]"),
        (batch(0, 2, "x"), "meter_event_invalid_value", "changes[0]"),
        (table([{"event_name": "tokens", "timestamp": "2026-03-01T12:00:00Z", "value": "1"}]), "parameter_missing", "changes[0]"),
    ):  # fmt: skip
        with refused(code, param):
            m.corrections.apply(changes, **WHY)
    with refused(None, "reason"):
        m.corrections.apply([one], reason="", author="Ada")
    assert m.position == position


def test_what_cannot_be_reverted_is_refused(m: metering.Metering) -> None:
    create_meter(m)
    create_event(m)
    first = m.corrections.apply([replace(value=2)], **WHY)
    second = m.corrections.apply([replace(value=3)], **WHY)

    with refused("correction_corrected", "id"):
        m.corrections.revert(first.id)
    m.corrections.revert(second.id)
    m.corrections.revert(first.id)

    for each in (first, second):
        with refused("correction_reverted", "id"):
            m.corrections.revert(each.id)
    with refused("resource_missing", "id"):
        m.corrections.revert("corr_9")
