"""What may be done to an alert, and what is said of it."""

from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter


def create_alert(
    store: metering.Metering,
    meter: metering.Meter,
    gte: int = 100,
    customer: str | None = None,
    **threshold: Any,
) -> metering.Alert:
    given: Any = {
        "gte": gte,
        "meter": meter.id,
        "recurrence": "one_time",
        **threshold,
    }
    if customer is not None:
        given["filters"] = [{"type": "customer", "customer": customer}]
    return store.alerts.create(title="A lot", usage_threshold=given)


def threshold_of(alert: metering.Alert) -> metering.UsageThreshold:
    assert alert.usage_threshold is not None
    return alert.usage_threshold


def test_an_alert_is_told_as_it_was_created(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    alert = create_alert(store, tokens, customer="cus_1")

    assert alert.id.startswith("alrt_test_")
    assert alert == metering.Alert(
        id=alert.id,
        livemode=False,
        status="active",
        title="A lot",
        usage_threshold=metering.UsageThreshold(
            gte=100,
            meter=tokens.id,
            recurrence="one_time",
            filters=(metering.AlertFilter(customer="cus_1"),),
            timezone=None,
        ),
    )
    assert store.alerts.retrieve(alert.id) == alert


def test_an_alert_without_a_filter_has_none(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    empty = create_alert(store, tokens, filters=[])

    assert threshold_of(empty).filters is None
    assert threshold_of(create_alert(store, tokens)).filters is None


def test_a_calendar_is_that_of_utc_unless_told(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    daily = create_alert(store, tokens, recurrence="calendar_day")
    monthly = create_alert(
        store, tokens, recurrence="calendar_month", timezone="Asia/Kolkata"
    )

    assert threshold_of(daily).timezone == "UTC"
    assert threshold_of(monthly).timezone == "Asia/Kolkata"


def test_an_alert_at_a_percentage_is_of_what_each_customer_may_use(
    connect: Connect,
) -> None:
    m = connect()
    least = "0.000000000001"
    allowed = {"quantity": "100.000001", "customers": {"cus_2": "5", "cus_3": least}}
    alert = create_alert(m, create_meter(m), 80, percent_of=allowed)

    for customer, value in (
        *(("cus_1", "80"), ("cus_2", "4"), ("cus_1", "0.0000008")),
        # 80 % of the least quantity there is are reached with all of it.
        *(("cus_3", "0"), ("cus_3", least)),
    ):
        create_event(m, payload={"stripe_customer_id": customer, "value": value})
    m.catch_up()
    m.rebuild()

    threshold = threshold_of(m.alerts.retrieve(alert.id))
    assert threshold.percent_of == metering.PercentOf(
        quantity=Decimal("100.000001"),
        customers={"cus_2": Decimal(5), "cus_3": Decimal(least)},
    )
    assert [(each.customer, each.value) for each in m.alerts.triggered()] == [
        ("cus_2", Decimal(4)),
        ("cus_1", Decimal("80.0000008")),
        ("cus_3", Decimal(least)),
    ]
    assert m.verify().ok


@pytest.mark.parametrize(
    ("threshold", "param"),
    [
        ({"gte": 0}, "usage_threshold[gte]"),
        ({"gte": 1.5}, "usage_threshold[gte]"),
        ({"gte": None}, "usage_threshold[gte]"),
        ({"gte": True}, "usage_threshold[gte]"),
        ({"gte": 10**18}, "usage_threshold[gte]"),
        ({"meter": "mtr_1"}, "usage_threshold[meter]"),
        ({"meter": None}, "usage_threshold[meter]"),
        ({"recurrence": "weekly"}, "usage_threshold[recurrence]"),
        ({"filters": "cus_1"}, "usage_threshold[filters]"),
        ({"filters": [{}, {}]}, "usage_threshold[filters]"),
        ({"filters": [{"type": "plan"}]}, "usage_threshold[filters][0][type]"),
        ({"filters": [{"type": "customer"}]}, "usage_threshold[filters][0][customer]"),
        ({"timezone": "UTC"}, "usage_threshold[timezone]"),
        (
            {"recurrence": "calendar_day", "timezone": "Mars"},
            "usage_threshold[timezone]",
        ),
        (
            {"recurrence": "calendar_day", "timezone": 1},
            "usage_threshold[timezone]",
        ),
        ({"lte": 1}, "usage_threshold[lte]"),
        ({"percent_of": {}}, "usage_threshold[percent_of][quantity]"),
        (
            {"percent_of": {"quantity": "0"}},
            "usage_threshold[percent_of][quantity]",
        ),
        (
            {"percent_of": {"quantity": "0.0000000000001"}},
            "usage_threshold[percent_of][quantity]",
        ),
        (
            {"percent_of": {"customers": {"cus_1": -1}}},
            "usage_threshold[percent_of][customers][cus_1]",
        ),
        (
            {"percent_of": {"customers": {"cus_1": 0}}},
            "usage_threshold[percent_of][customers][cus_1]",
        ),
        (
            {"percent_of": {"customers": {"": 1}}},
            "usage_threshold[percent_of][customers]",
        ),
    ],
)
def test_a_threshold_that_breaks_a_rule_is_refused(
    store: metering.Metering,
    tokens: metering.Meter,
    threshold: dict[str, Any],
    param: str,
) -> None:
    given: Any = {"gte": 1, "meter": tokens.id, "recurrence": "one_time"}
    given |= threshold

    with refused(param=param):
        store.alerts.create(title="A lot", usage_threshold=given)

    assert store.alerts.list() == []


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 257}, "title"),
        ({"title": None}, "title"),
        ({"alert_type": "usage"}, "alert_type"),
    ],
)
def test_a_title_has_1_to_256_characters_and_a_type_is_one_of_three(
    store: metering.Metering, tokens: metering.Meter, given: Any, param: str
) -> None:
    threshold: Any = {"gte": 1, "meter": tokens.id, "recurrence": "one_time"}
    asked: Any = {"title": "A lot", "usage_threshold": threshold, **given}

    with refused(param=param):
        store.alerts.create(**asked)


@pytest.mark.parametrize("formula", ["min", "max", "avg", "unique_count"])
def test_usage_that_does_not_grow_event_by_event_is_not_watched(
    store: metering.Metering, formula: str
) -> None:
    meter = create_meter(store, formula=formula)

    with pytest.raises(metering.InvalidRequestError, match=formula) as caught:
        create_alert(store, meter)

    assert caught.value.code == "meter_formula_unsupported"


def test_an_alert_goes_from_active_to_inactive_and_back(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    alert = create_alert(store, tokens)

    assert store.alerts.deactivate(alert.id).status == "inactive"
    assert store.alerts.activate(alert.id).status == "active"
    assert store.alerts.archive(alert.id).status == "archived"
    assert store.alerts.retrieve(alert.id).status == "archived"


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ([], "activate"),
        (["deactivate"], "deactivate"),
        (["archive"], "activate"),
        (["archive"], "deactivate"),
        (["archive"], "archive"),
        (["deactivate", "archive"], "activate"),
    ],
)
def test_a_transition_from_the_wrong_status_is_refused(
    store: metering.Metering, tokens: metering.Meter, before: list[str], wrong: str
) -> None:
    alert = create_alert(store, tokens)
    for each in before:
        getattr(store.alerts, each)(alert.id)
    position = store.position

    with refused("alert_status_invalid"):
        getattr(store.alerts, wrong)(alert.id)

    assert store.position == position


@pytest.mark.parametrize("alert_id", ["alrt_1", "\0", None])
def test_what_is_unknown_is_missing(store: metering.Metering, alert_id: Any) -> None:
    for deed in (
        store.alerts.retrieve,
        store.alerts.activate,
        store.alerts.archive,
        lambda each: store.alerts.triggered(alert=str(each)),
        lambda each: store.alerts.list(meter=str(each)),
    ):
        with pytest.raises(metering.ResourceMissingError):
            deed(alert_id)


def test_the_list_is_newest_first_and_hides_what_is_archived(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    others = create_meter(store, "requests")
    alerts = [create_alert(store, tokens, gte) for gte in range(1, 6)]
    other = create_alert(store, others)
    store.alerts.archive(alerts[2].id)

    ids = [alert.id for alert in store.alerts.list(meter=tokens.id)]

    assert ids == [alerts[at].id for at in (4, 3, 1, 0)]
    assert [each.id for each in store.alerts.list(meter=others.id)] == [other.id]
    assert [each.id for each in store.alerts.list(limit=2)] == [other.id, ids[0]]
    assert len(store.alerts.list(alert_type="usage_threshold")) == 5
    after = store.alerts.list(limit=2, starting_after=ids[0])
    assert [alert.id for alert in after] == ids[1:3]
    before = store.alerts.list(limit=2, ending_before=ids[3])
    assert [alert.id for alert in before] == ids[1:3]


def test_at_most_25_alerts_apply_to_a_customer(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    of_everybody = [create_alert(store, tokens) for _ in range(20)]
    for _ in range(5):
        create_alert(store, tokens, customer="cus_1")
    create_alert(store, tokens, customer="cus_2")

    for customer in ("cus_1", None):
        with refused("alert_limit_reached"):
            create_alert(store, tokens, customer=customer)

    create_alert(store, tokens, customer="cus_2")
    create_alert(store, create_meter(store, "requests"), customer="cus_1")
    store.alerts.archive(of_everybody[0].id)
    create_alert(store, tokens, customer="cus_1")


def test_how_many_alerts_apply_can_be_set() -> None:
    with metering.connect(":memory:", alerts_max=1) as store:
        meter = create_meter(store)
        create_alert(store, meter)

        with pytest.raises(metering.InvalidRequestError):
            create_alert(store, meter)
