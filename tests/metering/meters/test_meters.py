"""Meters: creating, changing, finding and listing them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, PAYLOAD, create_event, create_meter, total


def test_a_created_meter_has_the_usual_settings(store: metering.Metering) -> None:
    meter = store.meters.create(
        display_name="Tokens used",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )

    assert meter == metering.Meter(
        id=meter.id,
        created=NOW,
        updated=NOW,
        display_name="Tokens used",
        event_name="tokens",
        default_aggregation=metering.DefaultAggregation(formula="sum"),
        customer_mapping=metering.CustomerMapping(
            event_payload_key="stripe_customer_id", type="by_id"
        ),
        value_settings=metering.ValueSettings(event_payload_key="value"),
        event_time_window=None,
        status="active",
        status_transitions=metering.StatusTransitions(deactivated_at=None),
        livemode=False,
    )
    assert meter.object == "billing.meter"
    assert meter.id.startswith("mtr_test_")


def test_a_created_meter_has_the_settings_it_was_given(
    store: metering.Metering,
) -> None:
    meter = store.meters.create(
        display_name="x" * 250,
        event_name="n" * 100,
        default_aggregation={"formula": "last"},
        customer_mapping={"event_payload_key": "account"},
        value_settings={"event_payload_key": "größe"},
        event_time_window="day",
    )

    assert meter.display_name == "x" * 250
    assert meter.event_name == "n" * 100
    assert meter.default_aggregation.formula == "last"
    assert meter.customer_mapping == metering.CustomerMapping(
        event_payload_key="account", type="by_id"
    )
    assert meter.value_settings.event_payload_key == "größe"
    assert meter.event_time_window == "day"


@pytest.mark.parametrize(
    "formula", ["sum", "count", "last", "min", "max", "avg", "unique_count"]
)
@pytest.mark.parametrize("window", [None, "hour", "day"])
def test_a_meter_can_have_any_formula_and_window(
    store: metering.Metering, formula: str, window: str | None
) -> None:
    meter = create_meter(store, formula=formula, event_time_window=window)

    assert store.meters.retrieve(meter.id) == meter
    assert meter.default_aggregation.formula == formula
    assert meter.event_time_window == window


@pytest.mark.parametrize("formula", ["min", "max", "avg"])
def test_a_meter_of_numbers_refuses_an_event_without_one(
    store: metering.Metering, formula: str
) -> None:
    create_meter(store, formula=formula)

    with refused("meter_event_invalid_value", kind=metering.MeterEventInvalidError):
        create_event(store, payload={**PAYLOAD, "value": "five"})


def test_a_meter_of_unique_texts_takes_any_text(store: metering.Metering) -> None:
    create_meter(store, formula="unique_count")

    texts = ["five", "", "5", "5.0"]
    events = [create_event(store, payload={**PAYLOAD, "value": t}) for t in texts]

    assert [event.payload["value"] for event in events] == texts


def test_a_meter_of_unique_texts_refuses_an_event_without_one(
    store: metering.Metering,
) -> None:
    create_meter(store, formula="unique_count")

    with refused(
        "meter_event_invalid_value",
        "payload[value]",
        kind=metering.MeterEventInvalidError,
    ):
        create_event(store, payload={"stripe_customer_id": "cus_1"})


def test_a_meter_cannot_count_the_texts_that_name_its_customers(
    store: metering.Metering,
) -> None:
    own: Any = {"event_payload_key": "stripe_customer_id"}

    with refused("parameter_invalid", "value_settings[event_payload_key]"):
        create_meter(store, formula="unique_count", value_settings=own)


def test_a_live_store_names_its_meters_without_test(
    clock: metering.FixedClock,
) -> None:
    with metering.connect(":memory:", clock=clock, livemode=True) as live:
        meter = create_meter(live)

    assert meter.livemode
    assert meter.id.startswith("mtr_")
    assert not meter.id.startswith("mtr_test_")


KEY = "[event_payload_key]"
REFUSED_ARGUMENTS: list[tuple[str, object, str, str]] = [
    ("display_name", "", "parameter_invalid", ""),
    ("display_name", "x" * 251, "parameter_invalid", ""),
    ("display_name", None, "parameter_missing", ""),
    ("display_name", 5, "parameter_invalid", ""),
    ("display_name", "a\0", "invalid_characters", ""),
    ("display_name", "\ud800", "invalid_characters", ""),
    ("event_name", "", "parameter_invalid", ""),
    ("event_name", "x" * 101, "parameter_invalid", ""),
    ("event_name", None, "parameter_missing", ""),
    ("event_name", "a\0b", "invalid_characters", ""),
    ("event_name", "\udc00", "invalid_characters", ""),
    ("default_aggregation", None, "parameter_missing", ""),
    ("default_aggregation", "sum", "parameter_invalid", ""),
    ("default_aggregation", {}, "parameter_missing", "[formula]"),
    ("default_aggregation", {"formula": "median"}, "parameter_invalid", "[formula]"),
    ("default_aggregation", {"formula": ["sum"]}, "parameter_invalid", "[formula]"),
    ("default_aggregation", {"formula": "sum", "of": ""}, "parameter_unknown", "[of]"),
    ("customer_mapping", "account", "parameter_invalid", ""),
    ("customer_mapping", {"type": "by_id"}, "parameter_missing", KEY),
    ("customer_mapping", {"event_payload_key": ""}, "parameter_invalid", KEY),
    ("customer_mapping", {"event_payload_key": "x" * 101}, "parameter_invalid", KEY),
    (
        "customer_mapping",
        {"event_payload_key": "account", "type": "by_name"},
        "parameter_invalid",
        "[type]",
    ),
    (
        "customer_mapping",
        {"event_payload_key": "account", "kind": "by_id"},
        "parameter_unknown",
        "[kind]",
    ),
    ("value_settings", 5, "parameter_invalid", ""),
    ("value_settings", {}, "parameter_missing", KEY),
    ("value_settings", {"event_payload_key": "a\0"}, "invalid_characters", KEY),
    (
        "value_settings",
        {"event_payload_key": "value", "unit": "token"},
        "parameter_unknown",
        "[unit]",
    ),
    (
        "value_settings",
        {"event_payload_key": "stripe_customer_id"},
        "parameter_invalid",
        KEY,
    ),
    ("event_time_window", "minute", "parameter_invalid", ""),
    ("event_time_window", ["hour"], "parameter_invalid", ""),
]


@pytest.mark.parametrize(("argument", "given", "code", "inside"), REFUSED_ARGUMENTS)
def test_creating_a_meter_refuses_a_malformed_argument(
    store: metering.Metering, argument: str, given: object, code: str, inside: str
) -> None:
    arguments: dict[str, object] = {
        "display_name": "Tokens",
        "event_name": "tokens",
        "default_aggregation": {"formula": "sum"},
        argument: given,
    }

    with pytest.raises(metering.InvalidRequestError) as refusal:
        store.meters.create(**arguments)  # type: ignore[arg-type]  # Wrong on purpose.

    param = argument + inside
    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert param in refusal.value.message
    assert store.position == 0


def test_a_counting_meter_may_look_for_the_customer_where_others_look_for_the_value(
    store: metering.Metering,
) -> None:
    meter = create_meter(
        store, formula="count", customer_mapping={"event_payload_key": "value"}
    )

    create_event(store, payload={"value": "cus_1"})

    assert total(store, meter) == 1


def test_an_event_name_belongs_to_one_meter_also_while_that_is_inactive(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)

    with pytest.raises(metering.InvalidRequestError) as active:
        create_meter(other)
    store.meters.deactivate(meter.id)
    with pytest.raises(metering.InvalidRequestError) as inactive:
        create_meter(other)

    for refusal in (active.value, inactive.value):
        assert refusal.code == "resource_already_exists"
        assert refusal.param == "event_name"
        assert "'tokens'" in refusal.message
    assert len(store.meters.list()) == 1


@pytest.mark.dialect
def test_event_names_that_differ_in_case_or_form_are_different(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    names = ["tokens", "Tokens", "tokens ", "é", "e\u0301"]

    for name in names:
        create_meter(store, name)

    assert [meter.event_name for meter in store.meters.list()] == names[::-1]


def test_a_meter_that_is_ensured_is_created_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    wanted: Any = {
        "event_name": "tokens",
        "default_aggregation": {"formula": "sum"},
        "event_time_window": "hour",
    }

    created = store.meters.ensure(display_name="Tokens", **wanted)
    again = other.meters.ensure(display_name="Other words", **wanted)

    assert again == created
    assert created.display_name == "Tokens"
    assert store.meters.list() == [created]
    assert store.position == 1


def test_an_inactive_meter_that_is_ensured_stays_inactive(
    store: metering.Metering,
) -> None:
    meter = create_meter(store)
    inactive = store.meters.deactivate(meter.id)

    assert ensure_meter(store) == inactive


@pytest.mark.parametrize(
    ("others", "field"),
    [
        ({"formula": "max"}, "default_aggregation[formula]"),
        (
            {"customer_mapping": {"event_payload_key": "account"}},
            "customer_mapping[event_payload_key]",
        ),
        (
            {"value_settings": {"event_payload_key": "bytes"}},
            "value_settings[event_payload_key]",
        ),
        ({"event_time_window": "day"}, "event_time_window"),
    ],
    ids=["formula", "customer", "value", "window"],
)
def test_ensuring_a_meter_that_measures_otherwise_names_the_difference(
    store: metering.Metering, others: dict[str, Any], field: str
) -> None:
    meter = create_meter(store)

    with pytest.raises(metering.MeterConflictError) as refusal:
        ensure_meter(store, **others)

    assert refusal.value.code == "resource_already_exists"
    assert refusal.value.param == field
    assert refusal.value.fields == (field,)
    assert refusal.value.meter == meter.id
    assert "'tokens'" in refusal.value.message
    assert store.meters.list() == [meter]


def test_a_malformed_meter_is_refused_although_one_of_its_name_exists(
    store: metering.Metering,
) -> None:
    create_meter(store)

    with refused("parameter_invalid", "default_aggregation[formula]"):
        ensure_meter(store, formula="median")


def ensure_meter(
    store: metering.Metering, formula: Any = "sum", **keywords: Any
) -> metering.Meter:
    return store.meters.ensure(
        display_name="A meter",
        event_name="tokens",
        default_aggregation={"formula": formula},
        **keywords,
    )


def test_a_meter_is_found_by_its_event_name_also_while_it_is_inactive(
    store: metering.Metering,
) -> None:
    create_meter(store, "requests")
    meter = create_meter(store)

    found = store.meters.retrieve(event_name="tokens")
    inactive = store.meters.deactivate(meter.id)

    assert found == meter
    assert store.meters.retrieve(event_name="tokens") == inactive


@pytest.mark.parametrize("name", ["images", "", "to\0kens"])
def test_an_event_name_without_a_meter_is_refused(
    store: metering.Metering, name: str
) -> None:
    create_meter(store)

    with refused("resource_missing", "event_name", kind=metering.ResourceMissingError):
        store.meters.retrieve(event_name=name)


def test_a_meter_is_retrieved_by_one_name(store: metering.Metering) -> None:
    retrieve: Any = store.meters.retrieve
    meter = create_meter(store)

    with refused("parameter_missing", "id"):
        retrieve()
    with refused("parameters_exclusive", "event_name"):
        retrieve(meter.id, event_name="tokens")


def test_updating_a_meter_changes_its_display_name_and_nothing_else(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(store)
    clock.advance(timedelta(hours=1))

    renamed = store.meters.update(meter.id, display_name="Tokens, all models")

    assert renamed.display_name == "Tokens, all models"
    assert renamed.updated == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert renamed.created == NOW
    assert store.meters.retrieve(meter.id) == renamed
    unchanged = ("id", "event_name", "status", "value_settings", "customer_mapping")
    for field in unchanged:
        assert getattr(renamed, field) == getattr(meter, field)


def test_updating_a_meter_to_the_name_it_has_records_nothing(
    store: metering.Metering, tokens: metering.Meter, clock: metering.FixedClock
) -> None:
    clock.advance(timedelta(hours=1))

    assert store.meters.update(tokens.id, display_name="A meter") == tokens

    assert store.position == 1


@pytest.mark.parametrize("name", ["", "x" * 251, None, "a\0", "\ud800"])
def test_updating_a_meter_refuses_a_malformed_display_name(
    store: metering.Metering, tokens: metering.Meter, name: str
) -> None:
    with refused(param="display_name"):
        store.meters.update(tokens.id, display_name=name)

    assert store.meters.retrieve(tokens.id).display_name == "A meter"


def test_an_inactive_meter_can_be_renamed(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    store.meters.deactivate(tokens.id)

    assert store.meters.update(tokens.id, display_name="Old").status == "inactive"


def test_a_meter_says_when_it_was_deactivated_until_it_is_reactivated(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(store)
    clock.advance(timedelta(days=1))

    inactive = store.meters.deactivate(meter.id)
    known = store.meters.retrieve(meter.id)
    clock.advance(timedelta(days=1))
    active = store.meters.reactivate(meter.id)

    later = datetime(2026, 3, 2, 12, tzinfo=UTC)
    deactivated = metering.StatusTransitions(deactivated_at=later)
    assert (inactive.status, inactive.status_transitions) == ("inactive", deactivated)
    assert (inactive.created, inactive.updated) == (NOW, later)
    assert known == inactive
    assert active == replace(meter, updated=later + timedelta(days=1))
    assert store.meters.retrieve(meter.id) == active


def test_a_meter_cannot_be_brought_into_the_status_that_it_has(
    store: metering.Metering,
) -> None:
    meter = create_meter(store)

    with pytest.raises(metering.InvalidRequestError, match="active already") as active:
        store.meters.reactivate(meter.id)
    store.meters.deactivate(meter.id)
    with pytest.raises(
        metering.InvalidRequestError, match="inactive already"
    ) as inactive:
        store.meters.deactivate(meter.id)

    assert (active.value.code, active.value.param) == ("meter_status_invalid", "id")
    assert (inactive.value.code, inactive.value.param) == ("meter_status_invalid", "id")
    assert store.position == 2


def test_a_meter_that_does_not_exist_is_missing_for_every_operation(
    store: metering.Metering,
) -> None:
    operations: list[Callable[[], object]] = [
        lambda: store.meters.retrieve("mtr_none"),
        lambda: store.meters.update("mtr_none", display_name="Name"),
        lambda: store.meters.deactivate("mtr_none"),
        lambda: store.meters.reactivate("mtr_none"),
        lambda: store.meters.event_summaries(
            "mtr_none", customer="cus_1", start_time=0, end_time=1
        ),
    ]

    for operation in operations:
        with pytest.raises(metering.ResourceMissingError) as refusal:
            operation()

        assert refusal.value.code == "resource_missing"
        assert refusal.value.param == "id"
        assert refusal.value.message == "No such billing meter: 'mtr_none'"


def test_meters_are_listed_newest_first_and_by_status(
    store: metering.Metering,
) -> None:
    first, second, third = (create_meter(store, name) for name in "abc")
    second = store.meters.deactivate(second.id)

    assert store.meters.list() == [third, second, first]
    assert store.meters.list(status="active") == [third, first]
    assert store.meters.list(status="inactive") == [second]


def test_listing_meters_refuses_a_status_that_does_not_exist(
    store: metering.Metering,
) -> None:
    with refused(None, "status", "active, inactive"):
        store.meters.list(status="archived")  # type: ignore[arg-type]  # On purpose.


def test_two_connections_see_each_others_meters_at_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    one, other = connect(clock=clock), connect(clock=clock)
    assert one.meters.list() == other.meters.list() == []

    meter = create_meter(one)
    assert other.meters.retrieve(meter.id) == meter
    renamed = other.meters.update(meter.id, display_name="Renamed")
    assert one.meters.list() == [renamed]
    inactive = one.meters.deactivate(meter.id)
    assert other.meters.list(status="inactive") == [inactive]
    active = other.meters.reactivate(meter.id)
    assert one.meters.retrieve(meter.id) == active


@pytest.mark.dialect
def test_meters_outlive_their_connection(
    connect: Connect, clock: metering.FixedClock
) -> None:
    with connect(clock=clock) as store:
        create_meter(store, "first", event_time_window="hour", formula="last")
        store.meters.deactivate(create_meter(store, "second").id)
        before = store.meters.list()

    assert connect(clock=clock).meters.list() == before


def test_a_meter_is_a_value_that_cannot_be_changed(tokens: metering.Meter) -> None:
    with pytest.raises(AttributeError):
        tokens.display_name = "Changed"  # type: ignore[misc]  # Wrong on purpose.
