"""Values of 26 integer digits, which older releases recorded, stay what they are."""

from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    columns,
    create_event,
    create_meter,
    rejections,
    total,
)

LARGE = "9" * 26 + "." + "9" * 12
LATER = "1" + "0" * 19
AN_HOUR_AGO = NOW - timedelta(hours=1)


def row(identifier: str, value: str) -> dict[str, object]:
    return {
        "event_name": "tokens",
        "identifier": identifier,
        "timestamp": AN_HOUR_AGO,
        "stripe_customer_id": "cus_1",
        "value": value,
    }


@pytest.fixture
def store(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> metering.Metering:
    """A store in which values lie that would be refused now."""
    opened = connect(clock=metering.FixedClock(NOW), seal_events=None)
    create_meter(opened)
    with monkeypatch.context() as old:
        old.setattr("ledger.usage.quantities.INTEGER_DIGITS", 26)
        opened.meter_events.ingest([row("large", LARGE), row("later", LATER)])
    return opened


@pytest.mark.parametrize("is_sealed", [False, True])
def test_they_are_read_summed_and_verified(
    store: metering.Metering, *, is_sealed: bool
) -> None:
    if is_sealed:
        assert store.seal() == 1
    [meter] = store.meters.list()

    events = list(store.meter_events.list())

    assert [event.payload["value"] for event in events] == [LARGE, LATER]
    assert total(store, meter) == Decimal("100000009999999999999999999.999999999999")
    assert store.reaggregate(formula="max")["value"].to_pylist() == [Decimal(LARGE)]
    assert store.verify().ok


@pytest.mark.parametrize("is_sealed", [False, True])
def test_sent_again_they_are_duplicates(
    store: metering.Metering, *, is_sealed: bool
) -> None:
    if is_sealed:
        store.seal()
    payload = {"stripe_customer_id": "cus_1", "value": LARGE}
    rows = [row("large", LARGE), row("later", "1e19"), row("new", "1")]

    event = create_event(
        store, identifier="large", timestamp=AN_HOUR_AGO, payload=payload
    )
    from_dicts = store.meter_events.ingest(rows)
    from_table = store.meter_events.ingest(pa.Table.from_pylist(rows))

    assert event.duplicate
    assert (from_dicts.accepted, from_dicts.duplicates) == (1, 2)
    assert (from_table.accepted, from_table.duplicates) == (0, 3)


def test_new_ones_are_refused(store: metering.Metering) -> None:
    payload = {"stripe_customer_id": "cus_1", "value": LARGE}

    with refused(
        "meter_event_invalid_value",
        "payload[value]",
        "it has 26 integer digits, and at most 18 are recorded",
        kind=metering.ValueTooLargeError,
    ):
        create_event(store, identifier="new", payload=payload)
    receipt = store.meter_events.ingest(columns(2, value=[LATER, "9" * 18]))

    assert receipt.accepted == 1
    assert rejections(receipt) == [(0, None, "meter_event_invalid_value")]


def test_another_value_under_the_identifier_of_one_is_a_conflict(
    store: metering.Metering,
) -> None:
    receipt = store.meter_events.ingest([row("large", "1"), row("later", LARGE)])

    assert receipt.rejections["code"].to_pylist() == ["identifier_conflict"] * 2
