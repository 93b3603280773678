"""Events: each kind's shape, ids that stay, and lists of them both ways."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

import metering
from metering.bodies import body_of, encoded
from metering.webhooks.event_rules import EVENT_TYPES
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_prices import create_price, create_product
from tests.metering.usual_usage import NOW, PAYLOAD, columns, create_event, create_meter
from tests.metering.usual_webhooks import add_endpoint
from tests.webhook_receiver import Receiver, answering


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def live(store: metering.Metering, clock: metering.FixedClock) -> None:
    """Let one of everything happen, a second apart."""
    meter = create_meter(store)
    for deed in (
        lambda: store.meters.update(meter.id, display_name="Other"),
        lambda: store.meters.deactivate(meter.id),
        lambda: store.meters.reactivate(meter.id),
        lambda: store.alerts.create(
            title="A lot",
            usage_threshold={"gte": 5, "meter": meter.id, "recurrence": "one_time"},
        ),
        lambda: create_event(store, payload={**PAYLOAD, "value": "7.5"}),
        store.catch_up,
        lambda: grant(store, name="first"),
        lambda: store.credit_grants.update(newest(store), metadata={"a": "b"}),
        lambda: apply(store, "in_1", line(400), period_end=clock.now()),
        lambda: store.credits.reinstate(invoice="in_1"),
        lambda: store.credit_grants.expire(newest(store)),
        lambda: grant(store, name="second"),
        lambda: store.credit_grants.void(newest(store)),
    ):
        clock.advance(timedelta(seconds=1))
        deed()


def newest(store: metering.Metering) -> str:
    [newest_grant] = store.credit_grants.list(limit=1)
    return newest_grant.id


@pytest.fixture
def lived(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    live(store, clock)
    return store


@pytest.fixture
def stored(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """The same on each database."""
    opened = connect(clock=clock, allow_private_webhooks=True)
    live(opened, clock)
    return opened


# What an update changed, as it was before.
TOLD: list[tuple[str, dict[str, Any] | None]] = [
    ("meter.created", None),
    ("meter.updated", {"display_name": "A meter", "updated": at(0)}),
    (
        "meter.deactivated",
        {
            "status": "active",
            "status_transitions": metering.StatusTransitions(deactivated_at=None),
            "updated": at(1),
        },
    ),
    (
        "meter.reactivated",
        {
            "status": "inactive",
            "status_transitions": metering.StatusTransitions(deactivated_at=at(2)),
            "updated": at(2),
        },
    ),
    ("alert.triggered", None),
    ("credit_grant.created", None),
    ("credit_balance_transaction.created", None),
    ("credit_grant.updated", {"metadata": {}, "updated": at(7)}),
    ("credit_balance_transaction.created", None),
    ("credit_balance_transaction.created", None),
    ("credit_grant.updated", {"expires_at": None, "updated": at(8)}),
    ("credit_balance_transaction.created", None),
    ("credit_grant.created", None),
    ("credit_balance_transaction.created", None),
    ("credit_grant.updated", {"updated": at(12), "voided_at": None}),
    ("credit_balance_transaction.created", None),
]
OF_PRICES: list[tuple[str, dict[str, Any] | None]] = [
    ("product.created", None),
    ("price.created", None),
    ("price.updated", {"lookup_key": "k"}),
    ("price.created", None),
    ("product.updated", {"name": "Tokens", "updated": NOW}),
    ("price.updated", {"active": True, "metadata": {}}),
    ("product.created", None),
    ("product.deleted", None),
]


def test_prices_have_events_with_what_they_were(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    first = create_price(m, lookup_key="k")
    second = create_price(
        m, product=first.product, lookup_key="k", transfer_lookup_key=True
    )
    clock.advance(timedelta(seconds=1))
    m.products.update(first.product, name="T")
    m.prices.update(
        second.id,
        active=False,
        metadata={"a": "1"},
        currency_options={"eur": {"unit_amount": 1}},
    )
    gone = create_product(m, name="G")
    m.products.delete(gone.id)

    told = m.events.list(limit=100)[::-1]

    assert [(each.type, each.data.previous_attributes) for each in told] == OF_PRICES
    then = [each.data.object for each in told]
    assert [(each.name, each.active) for each in then if isinstance(each, metering.Product)] == [
        ("Tokens", True), ("T", True), ("G", True), ("G", True),
    ]  # fmt: skip
    prices = [each for each in then if isinstance(each, metering.Price)]
    assert [(each.id, each.lookup_key, each.active) for each in prices] == [
        (first.id, "k", True),
        (first.id, None, True),
        (second.id, "k", True),
        (second.id, "k", False),
    ]
    assert m.events.retrieve(told[0].id) == told[0]
    for kind in {kind for kind, _ in OF_PRICES}:
        assert m.events.list(kind)[::-1] == [each for each in told if each.type == kind]


_TOLD_ELSEWHERE = {"customer", "entitlements", "metering", "reporting", "test_helpers"}


def test_every_type_has_the_resource_as_it_was(lived: metering.Metering) -> None:
    told = lived.events.list(limit=100)[::-1]

    assert [each.type for each in told] == [f"billing.{kind}" for kind, _ in TOLD]
    of_prices = {kind for kind, _ in OF_PRICES}
    elsewhere = of_prices | {
        each for each in EVENT_TYPES if each.split(".")[0] in _TOLD_ELSEWHERE
    }
    assert {each.type for each in told} == set(EVENT_TYPES) - elsewhere
    assert [each.data.previous_attributes for each in told] == [
        previous for _, previous in TOLD
    ]
    names = [
        each.data.object.display_name
        for each in told
        if isinstance(each.data.object, metering.Meter)
    ]
    assert names == ["A meter", "Other", "Other", "Other"]
    states = [
        each.data.object.status
        for each in told
        if isinstance(each.data.object, metering.Meter)
    ]
    assert states == ["active", "active", "inactive", "active"]
    causes = [
        (each.data.object.debit or each.data.object.credit)
        for each in told
        if isinstance(each.data.object, metering.CreditBalanceTransaction)
    ]
    assert [each.type for each in causes if each is not None] == [
        "credits_granted",
        "credits_applied",
        "credits_application_invoice_voided",
        "credits_expired",
        "credits_granted",
        "credits_voided",
    ]
    transactions = [
        each.data.object
        for each in told
        if isinstance(each.data.object, metering.CreditBalanceTransaction)
    ]
    listed = lived.credit_balance_transactions.list(customer="cus_1", limit=100)
    assert {each.id: each for each in transactions} == {
        each.id: each for each in listed
    }


def test_an_alert_is_told_with_the_fields_of_stripe_and_no_others(
    lived: metering.Metering,
) -> None:
    [event] = lived.events.list(type="billing.alert.triggered")

    told = json.loads(encoded(body_of(event)))["data"]["object"]

    assert told.pop("alert") == {
        "id": lived.alerts.list()[0].id,
        "object": "billing.alert",
        "alert_type": "usage_threshold",
        "livemode": False,
        "status": "active",
        "title": "A lot",
        "usage_threshold": {
            "filters": None,
            "gte": 5,
            "meter": lived.meters.list()[0].id,
            "recurrence": "one_time",
        },
    }
    assert told == {
        "object": "billing.alert_triggered",
        "created": int(event.created.timestamp()),
        "customer": "cus_1",
        "livemode": False,
        "value": 7.5,
    }


@pytest.mark.dialect
def test_events_stay_as_they_are(
    stored: metering.Metering, connect: Connect, clock: metering.FixedClock
) -> None:
    before = stored.events.list(limit=100)
    bodies = [encoded(body_of(each)) for each in before]

    stored.meter_events.ingest(columns(20))
    stored.seal()
    stored.rebuild()
    clock.advance(timedelta(days=400))
    other = connect(clock=clock)

    for store in (stored, other):
        after = [each for each in store.events.list(limit=100) if each in before]
        assert [encoded(body_of(each)) for each in after] == bodies
        assert [store.events.retrieve(each.id) for each in before] == before


def test_what_is_sent_again_has_the_bytes_it_had(
    stored: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    add_endpoint(stored, receiver)
    receiver.behaviours["/"] = answering(500)
    live_again = [create_meter(stored, f"meter {number}") for number in range(3)]
    stored.deliver()
    for each in live_again:
        stored.meters.update(each.id, display_name="Renamed before it is sent again")
    stored.rebuild()
    del receiver.behaviours["/"]
    clock.advance(timedelta(minutes=1))
    stored.deliver()

    sent = [each.body for each in receiver.received]
    assert len(sent) == 9
    assert set(sent[:3]) < set(sent[3:])
    assert len(set(sent)) == 6


def test_events_are_listed_both_ways(lived: metering.Metering) -> None:
    everything = [each.id for each in lived.events.list(limit=100)]

    def listed(**page: Any) -> list[str]:
        return [each.id for each in lived.events.list(**page)]

    assert len(everything) == len(set(everything)) == len(TOLD)
    assert listed() == everything[:10]
    for size in (1, 3, 7):
        forwards: list[str] = listed(limit=size)
        while more := listed(limit=size, starting_after=forwards[-1]):
            forwards += more
        assert forwards == everything
        backwards = everything[-1:]
        while more := listed(limit=size, ending_before=backwards[0]):
            backwards = more + backwards
        assert backwards == everything


def test_events_are_listed_both_ways_where_much_lies_between(
    store: metering.Metering,
) -> None:
    create_meter(store)
    for name in ("second", "third"):
        store.meter_events.ingest(columns(1_500))
        create_meter(store, name)

    third, second, first = store.events.list()

    assert store.events.list(starting_after=third.id) == [second, first]
    assert store.events.list(ending_before=first.id) == [third, second]
    assert store.events.list(ending_before=first.id, limit=1) == [second]
    assert store.events.list(ending_before=second.id) == [third]


@pytest.mark.parametrize("event_type", sorted({f"billing.{kind}" for kind, _ in TOLD}))
def test_events_are_listed_by_type(lived: metering.Metering, event_type: Any) -> None:
    everything = lived.events.list(limit=100)
    wanted = [each for each in everything if each.type == event_type]

    assert lived.events.list(event_type) == wanted != []
    assert lived.events.list(event_type, limit=1) == wanted[:1]
    cursor = everything[-1].id
    expected = [each for each in wanted if each.id != cursor]
    assert lived.events.list(event_type, ending_before=cursor) == expected


def test_events_are_listed_by_types(lived: metering.Metering) -> None:
    everything = lived.events.list(limit=100)

    def listed(**filters: Any) -> list[metering.Event]:
        return lived.events.list(**filters, limit=100)

    two = ["billing.meter.created", "billing.credit_grant.created"]
    expected = [each for each in everything if each.type in two]
    assert listed(types=[*two, "invoice.paid"]) == expected != []
    assert listed(types=["invoice.paid"]) == []
    of_meters = [each for each in everything if "billing.meter." in each.type]
    assert listed(type="billing.meter.*") == of_meters != []
    assert listed(type="*.created") == [
        each for each in everything if each.type.endswith(".created")
    ]
    assert listed(type="*") == everything
    assert listed(type="invoice.*") == []
    assert listed(type="billing.meter.created*created") == []


@pytest.mark.dialect
def test_events_are_listed_by_whether_they_were_delivered(
    stored: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    for path in ("/well", "/ill"):
        add_endpoint(stored, receiver, path)
    receiver.behaviours["/ill"] = answering(500)
    failed, pending = create_meter(stored, "failed"), create_meter(stored, "pending")
    stored.deliver()
    # Three days are enough for one of them, and the other is enqueued after these.
    clock.advance(timedelta(days=3, minutes=1))
    late = create_meter(stored, "late")
    stored.deliver()

    def listed(**filters: Any) -> list[metering.Event]:
        return stored.events.list(**filters, limit=100)

    everything = listed()
    [of_failed, of_pending, of_late] = [
        each
        for meter in (failed, pending, late)
        for each in everything
        if getattr(each.data.object, "id", None) == meter.id
    ]
    undelivered = [of_late, of_pending, of_failed]
    delivered = [each for each in everything if each not in undelivered]
    assert listed(delivery_success=False) == undelivered
    assert listed(delivery_success=True) == delivered != []
    assert len(delivered) == len(everything) - 3
    assert listed(delivery_success=False, ending_before=of_failed.id) == [
        of_late,
        of_pending,
    ]
    assert listed(delivery_success=True, ending_before=of_failed.id) == []
    assert listed(delivery_success=False, types=["billing.alert.triggered"]) == []


def test_events_are_listed_by_when_they_were_recorded(
    lived: metering.Metering,
) -> None:
    everything = lived.events.list(limit=100)
    start, end = NOW + timedelta(seconds=2), NOW + timedelta(seconds=9)

    def listed(created: Any) -> list[metering.Event]:
        return lived.events.list(created=created, limit=100)

    def between(least: timedelta, most: timedelta) -> list[metering.Event]:
        return [
            each for each in everything if NOW + least <= each.created <= NOW + most
        ]

    second = timedelta(seconds=1)
    assert listed({"gte": start, "lt": end}) == between(2 * second, 8 * second)
    assert listed({"gt": start, "lte": end}) == between(3 * second, 9 * second)
    assert listed({"gt": end}) == between(10 * second, 99 * second)
    assert listed({"lt": start}) == between(0 * second, 1 * second)
    assert listed(start) == between(2 * second, 2 * second) != []
    assert listed(int(start.timestamp())) == listed(start)
    assert listed({"gte": end, "lt": start}) == []
    assert listed({}) == everything


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"type": "billing.meter"}, "type"),
        ({"type": 1}, "type"),
        ({"type": "*", "types": ["billing.meter.created"]}, "types"),
        ({"type": "*.meter.*"}, "type"),
        ({"types": []}, "types"),
        ({"types": ["billing.meter.created"] * 21}, "types"),
        ({"types": "billing.meter.created"}, "types"),
        ({"types": [1]}, "types[0]"),
        ({"delivery_success": "true"}, "delivery_success"),
        ({"created": {"since": 1}}, "created[since]"),
        ({"created": {"gte": "yesterday"}}, "created[gte]"),
        ({"created": "yesterday"}, "created"),
        ({"ending_before": None, "starting_after": 1}, "starting_after"),
    ],
)
def test_a_list_that_is_malformed_is_refused(
    store: metering.Metering, arguments: dict[str, Any], param: str
) -> None:
    with refused(param=param):
        store.events.list(**arguments)


def test_an_id_that_is_of_no_event_is_missing(lived: metering.Metering) -> None:
    known = lived.events.list(limit=1)[0].id
    log = known.split("_")[1]

    for wrong in (
        "",
        "evt_1",
        known + "0",
        known.upper(),
        f"evt_{log}_1_1",
        f"evt_{log}_0_0",
        f"evt_{log}_6_0",
        f"evt_{log}_ffffffffffffffff_0",
        f"evt_{log}_01_0",
        f"evt_{'0' * 12}_1_0",
        None,
        1,
    ):
        with pytest.raises(metering.ResourceMissingError, match="event"):
            lived.events.retrieve(wrong)  # type: ignore[arg-type]  # some are none
    assert lived.events.retrieve(f"evt_{log}_1_0").type == "billing.meter.created"
