"""Test clocks: their lives, who lives by them, and who does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

import metering
from ledger.facts.test_clocks import TestClockAdvancing
from tests.conftest import Connect
from tests.metering.holds.usual_holds import hold
from tests.metering.schedules.usual_schedules import granted, schedule
from tests.metering.subscriptions.usual_subscriptions import metered_price, subscribe
from tests.metering.usual_credits import apply, balance, grant, line, run
from tests.metering.usual_usage import NOW, create_event, create_meter, total

THEN = datetime(2030, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def frozen(store: metering.Metering) -> metering.TestClock:
    return store.test_helpers.test_clocks.create(frozen_time=THEN, name="a year")


@pytest.fixture
def clocked(store: metering.Metering, frozen: metering.TestClock) -> str:
    return store.customers.create(test_clock=frozen.id).id


def refuses(
    call: Callable[[], object],
    param: str | None = None,
    code: str | None = None,
    kind: type[metering.MeteringError] = metering.InvalidRequestError,
) -> metering.MeteringError:
    with pytest.raises(kind) as error:
        call()
    assert code in {None, error.value.code}
    assert param in {None, error.value.param}
    return error.value


def usage_of(customer: str, value: str = "1") -> dict[str, Any]:
    return {"payload": {"stripe_customer_id": customer, "value": value}}


def test_a_clock_is_ready_until_it_is_deleted(
    store: metering.Metering, frozen: metering.TestClock
) -> None:
    assert frozen == metering.TestClock(
        id=frozen.id,
        created=NOW,
        deletes_after=NOW + timedelta(days=30),
        frozen_time=THEN,
        livemode=False,
        name="a year",
        status="ready",
        status_details=metering.TestClockStatusDetails(),
    )
    assert frozen.id.startswith("clock_test_")
    assert store.test_clocks.retrieve(frozen.id) == frozen
    assert [*store.test_clocks.list()] == [frozen]

    advanced = store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)

    assert (advanced.status, advanced.frozen_time) == ("ready", THEN + DAY)
    store.test_clocks.delete(frozen.id)
    assert [*store.test_clocks.list()] == []
    refuses(
        lambda: store.test_clocks.retrieve(frozen.id),
        kind=metering.ResourceMissingError,
    )
    events = [each.type for each in store.events.list("test_helpers.test_clock.*")]
    assert events[::-1] == [
        f"test_helpers.test_clock.{each}"
        for each in ("created", "advancing", "ready", "deleted")
    ]


def test_an_event_of_a_clock_has_it_as_it_was_then(
    store: metering.Metering, frozen: metering.TestClock
) -> None:
    store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)

    told = [each.data.object for each in store.events.list()][::-1]

    clocks = [each for each in told if isinstance(each, metering.TestClock)]
    details = [each.status_details.advancing for each in clocks]
    assert [(each.status, each.frozen_time) for each in clocks] == [
        ("ready", THEN),
        ("advancing", THEN),
        ("ready", THEN + DAY),
    ]
    assert details == [
        None,
        metering.TestClockAdvancingTo(target_frozen_time=THEN + DAY),
        None,
    ]


@pytest.mark.parametrize("to", [THEN, THEN - DAY, "x"])
def test_a_clock_goes_forward_alone(
    store: metering.Metering, frozen: metering.TestClock, to: Any
) -> None:
    refuses(lambda: store.test_clocks.advance(frozen.id, frozen_time=to), "frozen_time")

    assert store.test_clocks.retrieve(frozen.id) == frozen


def test_a_customer_is_attached_to_a_clock_for_good(
    store: metering.Metering, frozen: metering.TestClock
) -> None:
    made = store.customers.create(test_clock=frozen.id)
    other = store.customers.create()

    assert (made.created, made.test_clock) == (THEN, frozen.id)
    second = store.test_clocks.create(frozen_time=THEN, customer=other.id)
    attached = store.customers.retrieve(other.id)
    assert isinstance(attached, metering.Customer)
    assert (attached.created, attached.test_clock) == (NOW, second.id)
    for each in (made, other):
        refuses(
            partial(store.test_clocks.create, frozen_time=THEN, customer=each.id),
            "customer",
            "test_clock_attached",
        )
    refuses(
        lambda: store.customers.create(test_clock="clock_0"),
        "test_clock",
        kind=metering.ResourceMissingError,
    )


def test_who_has_subscriptions_or_credits_is_not_attached(
    store: metering.Metering,
) -> None:
    paying, granted_to = store.customers.create().id, store.customers.create().id
    subscribe(store, customer=paying)
    grant(store, customer=granted_to)

    for each in (paying, granted_to):
        refuses(
            partial(store.test_clocks.create, frozen_time=THEN, customer=each),
            "customer",
            "test_clock_attached",
        )


def test_lists_leave_out_who_lives_by_a_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    other = store.customers.create().id
    price = metered_price(store)
    hidden = subscribe(store, price, customer=clocked)
    shown = subscribe(store, price, customer=other)

    assert [each.id for each in store.customers.list()] == [other]
    assert [each.id for each in store.customers.list(test_clock=frozen.id)] == [clocked]
    assert [each.id for each in store.subscriptions.list()] == [shown.id]
    for found in (
        store.subscriptions.list(clocked),
        store.subscriptions.list(test_clock=frozen.id),
    ):
        assert [each.id for each in found] == [hidden.id]
    assert (hidden.test_clock, hidden.created) == (frozen.id, THEN)


def test_events_are_taken_by_the_time_of_their_customer(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    create_meter(store)

    made = create_event(store, **usage_of(clocked))
    for at in (THEN - 35 * DAY, THEN + timedelta(minutes=5)):
        create_event(store, timestamp=at, **usage_of(clocked))

    assert (made.timestamp, made.created) == (THEN, THEN)
    for at in (NOW, THEN - 36 * DAY, THEN + timedelta(minutes=6)):
        refuses(
            partial(create_event, store, timestamp=at, **usage_of(clocked)),
            "timestamp",
            kind=metering.TimestampOutOfRangeError,
        )
    refuses(
        lambda: create_event(store, timestamp=THEN, **usage_of("cus_1")),
        "timestamp",
        kind=metering.TimestampOutOfRangeError,
    )
    store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)
    assert create_event(store, **usage_of(clocked)).timestamp == THEN + DAY
    assert [each.created for each in store.meter_events.list(customer=clocked)] == [
        *[THEN] * 3,
        THEN + DAY,
    ]


def test_rows_of_files_are_taken_as_events_are(
    store: metering.Metering, clocked: str
) -> None:
    meter = create_meter(store)
    customers = [clocked, "cus_1"]
    rows = [
        {
            "event_name": "tokens",
            "identifier": f"{customer}-{at:%Y}",
            "timestamp": at,
            "stripe_customer_id": customer,
            "value": "1",
        }
        for customer in customers
        for at in (NOW, THEN)
    ]

    receipt = store.meter_events.ingest(rows)

    assert (receipt.accepted, receipt.rejected) == (2, 2)
    assert [total(store, meter, each) for each in customers] == [1, 1]
    assert [each["row"] for each in receipt.rejections.to_pylist()] == [0, 3]


def test_credits_are_effective_and_expire_by_the_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    made = grant(store, 10, customer=clocked, expires_at=THEN + 2 * DAY)
    grant(store, 5, customer=clocked, effective_at=THEN + 3 * DAY)
    assert (made.created, made.effective_at, made.test_clock) == (THEN, THEN, frozen.id)
    assert balance(store, clocked) == {"usd": (15, 10)}
    apply(store, "in_1", line(4), customer=clocked, period_end=THEN)

    store.test_clocks.advance(frozen.id, frozen_time=THEN + 2 * DAY)
    assert balance(store, clocked) == {"usd": (5, 0)}
    store.test_clocks.advance(frozen.id, frozen_time=THEN + 3 * DAY)
    assert balance(store, clocked) == {"usd": (5, 5)}

    moved = [*store.credit_balance_transactions.list(customer=clocked)][::-1]
    assert [each.created for each in moved] == [THEN, THEN, THEN, THEN + 2 * DAY]
    assert {each.test_clock for each in moved} == {frozen.id}
    told = [
        (each.type.rpartition(".")[2], each.created)
        for each in store.events.list("billing.credit_balance_transaction.created")
    ]
    assert told == [("created", THEN + 2 * DAY), *[("created", THEN)] * 3]


def test_what_is_changed_is_changed_at_the_clock_s_time(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    first, second = (grant(store, 10, customer=clocked).id for _ in range(2))
    store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)

    assert store.credit_grants.expire(first).expires_at == THEN + DAY
    assert store.credit_grants.void(second).voided_at == THEN + DAY
    changed = store.credit_grants.update(
        grant(store, customer=clocked).id, metadata={"a": "b"}
    )
    assert changed.updated == THEN + DAY


def test_holds_expire_by_the_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    grant(store, 10, customer=clocked)
    grant(store, 10)
    made = hold(store, 4, "job_1", customer=clocked, expires_at=THEN + DAY)
    assert (made.created, made.status) == (THEN, "open")

    store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)

    assert store.credit_holds.retrieve("job_1").status == "expired"
    assert [
        each.created for each in store.events.list("metering.credit_hold.expired")
    ] == [THEN + DAY]


def test_schedules_grant_at_their_instants_by_the_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    schedule(store, 7, "others")
    schedule(store, 10, "monthly", customer=clocked)
    assert len(granted(store, clocked)) == 1

    store.test_clocks.advance(frozen.id, frozen_time=datetime(2030, 4, 30, tzinfo=UTC))

    effective = [each.effective_at for each in store.credit_grants.list(clocked)]
    assert effective[::-1] == [
        datetime(2030, month, day, tzinfo=UTC)
        for month, day in ((1, 31), (2, 28), (3, 31), (4, 30))
    ]
    assert len(granted(store)) == 1


def test_trials_and_subscriptions_end_by_the_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    made = subscribe(
        store, customer=clocked, trial_end=THEN + DAY, cancel_at=THEN + 3 * DAY
    )
    assert made.status == "trialing"

    store.test_clocks.advance(frozen.id, frozen_time=THEN + 2 * DAY)
    assert store.subscriptions.retrieve(made.id).status == "active"
    store.test_clocks.advance(frozen.id, frozen_time=THEN + 4 * DAY)

    assert store.subscriptions.retrieve(made.id).ended_at == THEN + 3 * DAY
    told = [
        (each.type, each.created)
        for each in store.events.list("customer.subscription.*")
    ]
    assert told[::-1] == [
        ("customer.subscription.created", THEN),
        ("customer.subscription.updated", THEN + DAY),
        ("customer.subscription.deleted", THEN + 3 * DAY),
    ]


def test_the_others_go_by_the_log_whatever_a_clock_shows(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    grant(store, 10, expires_at=THEN + DAY)
    subscribed = subscribe(store, cancel_at=NOW + 30 * DAY)
    hold(store, 5, "job_1", expires_at=NOW + DAY)
    create_meter(store, "calls")
    schedule(store, 3, "plan")
    known = balance(store), granted(store)

    store.test_clocks.advance(frozen.id, frozen_time=THEN + 400 * DAY)

    assert (balance(store), granted(store)) == known
    assert store.credit_holds.retrieve("job_1").status == "open"
    assert store.subscriptions.retrieve(subscribed.id).status == "active"
    assert create_event(store, "calls").timestamp == NOW


def test_batches_are_of_customers_that_live_by_one_time(
    store: metering.Metering, clocked: str
) -> None:
    grant(store, 10, customer=clocked)
    grant(store, 10)
    rows = [
        {
            "invoice": f"in_{customer}",
            "customer": customer,
            "amount": 4,
            "period_end": THEN,
        }
        for customer in (clocked, "cus_1")
    ]

    refuses(
        lambda: store.credits.apply_many(run(*rows)), "customers", "test_clocks_differ"
    )

    assert store.credits.apply_many(run(rows[0])).applied == 1
    assert balance(store, clocked) == {"usd": (6, 6)}
    [drawn] = store.credits.reinstate_many([f"in_{clocked}"]).transactions.to_pylist()
    assert drawn["amount"] == 4


def test_a_pool_has_no_member_that_lives_by_a_clock(
    store: metering.Metering, clocked: str
) -> None:
    store.credit_pools.create(id="team", name="Team")

    refuses(
        lambda: store.credit_pools.add_member("team", customer=clocked),
        "customer",
        "test_clocks_differ",
    )


def test_a_run_states_who_lives_by_a_clock_where_it_is_named(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    price = metered_price(store)
    create_event(store, **usage_of(clocked, "3"))
    subscribe(store, price, customer=clocked)
    end = datetime(2030, 2, 28, tzinfo=UTC)
    store.test_clocks.advance(frozen.id, frozen_time=end)

    assert len(store.statements.run(period_end=NOW).statements) == 0
    refuses(lambda: store.statements.run(period_end=end), "period_end")
    assert store.statements.run(period_end=end, customers=[clocked]).finalized == 1
    [made] = store.statements.list(clocked)
    assert made.created == end
    assert made.lines[0].quantity == 3


def test_a_deleted_clock_takes_its_customers_with_it(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    meter = create_meter(store)
    create_event(store, identifier="a", **usage_of(clocked))
    create_event(store)
    given = grant(store, 10, customer=clocked).id
    subscribed = subscribe(store, customer=clocked).id
    hold(store, 4, "job_1", customer=clocked, expires_at=THEN + DAY)

    store.test_clocks.delete(frozen.id)

    assert store.customers.retrieve(clocked) == metering.DeletedCustomer(id=clocked)
    for call in (
        lambda: store.credit_grants.retrieve(given),
        lambda: store.credit_grants.list(clocked),
        lambda: store.subscriptions.retrieve(subscribed),
        lambda: store.credit_holds.retrieve("job_1"),
        lambda: balance(store, clocked),
        lambda: grant(store, 10, customer=clocked),
        lambda: store.customers.list(test_clock=frozen.id),
        lambda: store.customers.update(clocked, name="b"),
    ):
        refuses(call, kind=metering.ResourceMissingError)
    assert [*store.credit_grants.list()] == []
    assert [*store.credit_holds.list()] == []
    assert total(store, meter, clocked) == 0
    assert [
        each.payload["stripe_customer_id"] for each in store.meter_events.list()
    ] == ["cus_1"]
    usage = store.usage(start_time=0, end_time=THEN + DAY, window=None)
    assert usage.column("customer").to_pylist() == ["cus_1"]
    refuses(
        lambda: create_event(store, **usage_of(clocked)),
        kind=metering.MeterEventInvalidError,
    )
    assert store.verify().problems == ()


def test_the_reference_s_limits_hold_where_a_connection_is_strict(
    connect: Connect,
) -> None:
    m = connect(strict=True)
    frozen = m.test_clocks.create(frozen_time=THEN)
    customers = [m.customers.create(test_clock=frozen.id).id for _ in range(3)]

    refuses(
        lambda: m.customers.create(test_clock=frozen.id),
        "test_clock",
        "test_clock_limit_reached",
    )
    far = datetime(2032, 1, 31, tzinfo=UTC)
    refuses(
        lambda: m.test_clocks.advance(frozen.id, frozen_time=far + DAY),
        "frozen_time",
        "test_clock_limit_reached",
    )
    subscribe(m, customer=customers[0])
    refuses(
        lambda: m.test_clocks.advance(
            frozen.id, frozen_time=datetime(2030, 4, 1, tzinfo=UTC)
        ),
        "frozen_time",
        "test_clock_limit_reached",
    )
    two = datetime(2030, 3, 31, tzinfo=UTC)
    assert m.test_clocks.advance(frozen.id, frozen_time=two).frozen_time == two


def test_the_environment_says_whether_a_connection_is_strict(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STRICT", "yes")
    m = connect()
    frozen = m.test_clocks.create(frozen_time=THEN)

    refuses(
        lambda: m.test_clocks.advance(
            frozen.id, frozen_time=datetime(2033, 1, 31, tzinfo=UTC)
        ),
        "frozen_time",
        "test_clock_limit_reached",
    )


def test_a_clock_that_is_advancing_is_finished_by_who_looks(connect: Connect) -> None:
    m = connect()
    frozen = m.test_clocks.create(frozen_time=THEN)
    customer = m.customers.create(test_clock=frozen.id).id
    begin_advancing(m, frozen.id, THEN + DAY)

    error = refuses(
        lambda: m.customers.update(customer, name="b"),
        kind=metering.TestClockAdvancingError,
    )
    assert error.message == (
        f"Test clock advancement underway - cannot perform modifications: {frozen.id}"
    )
    assert m.customers.create().test_clock is None

    assert m.test_clocks.retrieve(frozen.id).frozen_time == THEN + DAY
    assert m.customers.update(customer, name="b").name == "b"
    begin_advancing(m, frozen.id, THEN + 2 * DAY)
    m.deliver()
    [found] = m.test_clocks.list()
    assert (found.status, found.frozen_time) == ("ready", THEN + 2 * DAY)


def test_a_clock_is_deleted_when_its_days_are_over(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = store.test_clocks.create(frozen_time=THEN)

    clock.set(made.deletes_after - timedelta(seconds=1))
    store.deliver()
    assert [*store.test_clocks.list()] == [made]
    clock.set(made.deletes_after)
    store.deliver()
    assert [*store.test_clocks.list()] == []


def test_features_are_had_by_the_clock(
    store: metering.Metering, frozen: metering.TestClock, clocked: str
) -> None:
    price = metered_price(store)
    feature = store.entitlements.features.create(lookup_key="sso", name="SSO").id
    store.entitlements.product_features.create(
        price.product, entitlement_feature=feature
    )
    subscribe(store, price, customer=clocked, cancel_at=THEN + 2 * DAY)
    store.deliver()

    store.test_clocks.advance(frozen.id, frozen_time=THEN + DAY)
    assert store.entitlements.check(customer=clocked, feature="sso").entitled
    store.test_clocks.advance(frozen.id, frozen_time=THEN + 2 * DAY)
    assert not store.entitlements.check(customer=clocked, feature="sso").entitled
    assert [*store.entitlements.active_entitlements.list(clocked)] == []
    store.deliver()
    told = store.events.list("entitlements.active_entitlement_summary.updated")
    assert [each.created for each in told] == [THEN + 2 * DAY, THEN]


def test_a_clock_that_meets_damage_has_failed_for_good(connect: Connect) -> None:
    m = connect()
    frozen = m.test_clocks.create(frozen_time=THEN)
    customer = m.customers.create(test_clock=frozen.id).id
    schedule(m, customer=customer)
    with m._engine.log.writing_beside() as connection:  # noqa: SLF001  # as a disk may
        damaged = "UPDATE credit_schedule SET interval = 'decade'"
        connection.exec_driver_sql(damaged)

    refuses(
        lambda: m.test_clocks.advance(frozen.id, frozen_time=THEN + 60 * DAY),
        kind=metering.MeteringError,
    )

    assert m.test_clocks.retrieve(frozen.id).status == "internal_failure"
    told = m.events.list("test_helpers.test_clock.*")
    assert [each.type.rpartition(".")[2] for each in told] == [
        "internal_failure",
        "advancing",
        "created",
    ]
    refuses(
        lambda: m.test_clocks.advance(frozen.id, frozen_time=THEN + 60 * DAY),
        code="test_clock_failed",
    )


def begin_advancing(m: metering.Metering, clock: str, to: datetime) -> None:
    """Do the first step of an advance, as of a process that dies behind it."""
    target = int(to.timestamp()) * 1_000_000
    with m._engine.writing() as writing:  # noqa: SLF001  # and does nothing else
        writing.record([TestClockAdvancing(test_clock_id=clock, target=target)])
