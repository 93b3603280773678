"""A clock that was a year ahead spoils the log's time, and a correction brings it back."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import metering
from ledger.errors import StoreDamagedError
from ledger.records.idempotency import Request
from tests.conftest import Connect, StoreTargets
from tests.metering.usual_credits import DAY, apply, balance, grant, run, told
from tests.metering.usual_usage import NOW, create_event, create_meter, total
from tests.metering.usual_webhooks import add_endpoint, bodies
from tests.segment_places import places_of
from tests.webhook_receiver import Receiver, answering

YEAR = 365 * DAY
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> metering.FixedClock:
    """The right clock."""
    return metering.FixedClock(NOW)


@pytest.fixture
def store(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock, allow_private_webhooks=True)


@pytest.fixture
def ahead() -> metering.FixedClock:
    """A clock that is a year ahead."""
    return metering.FixedClock(NOW + YEAR)


@pytest.fixture
def wrong(connect: Connect, ahead: metering.FixedClock) -> metering.Metering:
    """The store, by a process whose clock is a year ahead."""
    return connect(clock=ahead, allow_private_webhooks=True)


def test_a_store_without_a_right_entry_can_be_repaired(
    store: metering.Metering, wrong: metering.Metering
) -> None:
    create_meter(wrong)

    with pytest.raises(metering.InvalidRequestError) as raised:
        store.log_time.repair()

    assert raised.value.message == (
        "Invalid to: to is missing; give a time from 1970-01-01T00:00:00+00:00, since no"
        f" entry is right, to {NOW.isoformat()}, the real time"
    )
    assert store.log_time.repair(NOW).position == 2


@pytest.mark.parametrize(
    ("end", "code"), [(9 * 10**18, "store_damaged"), (41 * 10**14, "clock_skew")]
)
def test_an_end_of_the_log_that_somebody_changed_is_damage(
    tmp_path: Path, end: int, code: str
) -> None:
    with metering.connect(tmp_path / "usage") as store:
        create_meter(store)
        with closing(sqlite3.connect(tmp_path / "usage" / "log.db")) as database:
            database.execute(f"UPDATE log_head SET recorded_at = {end}")
            database.commit()
        damage = f"{end} is stored, and no entry was recorded so late"

        with pytest.raises(metering.MeteringError) as raised:
            create_meter(store, "other")
        assert raised.value.code == code
        with pytest.raises(StoreDamagedError, match=damage):
            store.log_time.repair(dry_run=True)
        assert any(damage in problem for problem in store.verify().problems)


def test_an_hour_of_a_wrong_year_is_named_and_ends(connect: Connect) -> None:
    # Beyond what this machine's clock shows, which verification goes by otherwise.
    now = datetime(2090, 3, 1, 12, tzinfo=UTC)
    store = connect(clock=metering.FixedClock(now))
    wrong = connect(clock=metering.FixedClock(now + YEAR))
    create_meter(store)
    create_event(wrong)
    create_event(store)

    assert store.status().ahead_seconds == YEAR.total_seconds()
    [problem] = store.verify().problems
    assert "positions 2 to 3 are recorded in the future" in problem
    assert "metering repair time --to" in problem

    seen = store.log_time.repair(dry_run=True)
    made = store.log_time.repair(now)

    assert seen == metering.TimeRepair(
        real_time=now,
        recorded_until=now + YEAR,
        after=1,
        right_until=now,
        up_to=3,
        corrected_to=None,
        position=None,
        event_count=2,
        invoices=(),
        triggered=0,
        expired=0,
    )
    assert (made.corrected_to, made.position) == (now, 4)
    assert store.verify().problems == ()
    assert store.status().ahead_seconds == 0
    for again in (store.log_time.repair(now), wrong.log_time.repair(now)):
        assert (again.was_wrong, again.position) == (False, None)
    assert store.position == 4
    assert [each.created for each in wrong.meter_events.list()] == [now, now]


@pytest.mark.parametrize(
    "to", [NOW - timedelta(microseconds=1), NOW + timedelta(microseconds=1), None]
)
def test_the_bounds_of_the_right_time_are_named(
    store: metering.Metering, wrong: metering.Metering, to: datetime | None
) -> None:
    create_meter(store)
    create_event(wrong)

    with pytest.raises(metering.InvalidRequestError) as caught:
        store.log_time.repair(to)

    assert f"give a time from {NOW.isoformat()}" in caught.value.message
    assert f"to {NOW.isoformat()}, the real time" in caught.value.message
    assert caught.value.param == "to"
    assert store.position == 2


def test_credits_that_a_wrong_clock_let_expire_are_available_again(
    store: metering.Metering, wrong: metering.Metering
) -> None:
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    grant(wrong, 500)
    assert balance(store) == {"usd": (500, 500)}
    assert apply(store, "in_1", {**LINE, "price": "p"}, period_end=NOW) == []

    made = store.log_time.repair(NOW)

    assert made.invoices == ("in_1",)
    # Effective from its creation on, which counts as of now.
    assert balance(store) == {"usd": (1_500, 1_500)}
    assert store.credit_grants.list().data[0].effective_at == NOW
    assert store.verify().problems == ()


LINE: Any = {"id": "il_1", "amount": 100, "currency": "usd", "price": "price_1"}


@pytest.mark.parametrize("calls", ["apply", "apply_many"])
def test_an_invoice_that_drew_nothing_by_the_wrong_time_is_settled_anew_once(
    store: metering.Metering, wrong: metering.Metering, calls: str
) -> None:
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    create_meter(wrong)
    assert apply(store, "in_1", period_end=NOW) == []
    store.log_time.repair(NOW)
    assert apply(store, "in_1", period_end=NOW) == []

    for _ in range(2):
        if calls == "apply_many":
            store.credits.apply_many(run({"period_end": NOW}), replace=True)
        else:
            drawn = apply(store, "in_1", period_end=NOW, replace=True)
            assert told(drawn) == [("credits_applied", -100)]

    # The correction, what was given back, and what was settled.
    assert store.position == 6
    assert balance(store) == {"usd": (900, 900)}
    store.rebuild()
    assert balance(store) == {"usd": (900, 900)}
    assert store.verify().problems == ()


@pytest.mark.parametrize("sealed_after", [0, 1, 2, 3])
def test_answers_as_of_a_time_are_as_if_the_clock_had_been_right(
    connect: Connect,
    store: metering.Metering,
    wrong: metering.Metering,
    clock: metering.FixedClock,
    sealed_after: int,
) -> None:
    def seal(step: int) -> None:
        if step == sealed_after:
            store.seal()

    create_meter(store)
    clock.advance(DAY)
    create_event(store, identifier="day 1")
    seal(1)
    create_event(wrong, identifier="a year ahead", timestamp=NOW + YEAR)
    clock.advance(DAY)
    create_event(store, identifier="day 2")
    seal(2)
    store.log_time.repair(NOW + DAY + HOUR)
    clock.advance(DAY)
    create_event(store, identifier="day 3")
    seal(3)

    for each in (store, wrong, connect(clock=clock)):
        counts = [as_of(each, NOW + days * DAY) for days in (0, 1, 2, 3)]
        assert counts == [0, 1, 3, 4]
        assert as_of(each, NOW + DAY + HOUR) == 3
        recorded = each.sql(
            "SELECT position, recorded_at FROM events ORDER BY position"
        )
        instants = recorded["recorded_at"].to_pylist()
        assert instants == [NOW + h * HOUR for h in (24, 25, 25, 72)]
        assert [e.created for e in each.meter_events.list()] == instants
    assert store.verify().problems == ()


def as_of(store: metering.Metering, time: datetime) -> int:
    counts = store.reaggregate(as_of=time)["event_count"]
    return int(pa.compute.sum(counts).as_py() or 0)


def test_events_of_facts_are_listed_by_when_they_count(
    store: metering.Metering, wrong: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, 1)
    grant(wrong, 2)
    clock.advance(DAY)
    grant(store, 3)
    store.log_time.repair(NOW + HOUR)
    clock.advance(DAY)
    grant(store, 4)

    def amounts(**created: datetime) -> list[int]:
        bounds: Any = created
        listed: Any = store.events.list("billing.credit_grant.created", bounds)
        return [each.data.object.amount.monetary.value for each in listed]

    assert amounts() == [4, 3, 2, 1]
    assert amounts(lte=NOW) == [1]
    assert amounts(gt=NOW) == [4, 3, 2]
    assert amounts(gt=NOW, lte=NOW + HOUR) == [3, 2]
    assert amounts(gt=NOW + HOUR) == [4]


def test_an_identifier_of_the_wrong_time_is_kept_as_long_as_others(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock, identifier_retention=DAY)
    ahead = metering.FixedClock(NOW + YEAR)
    wrong = connect(clock=ahead, identifier_retention=DAY)
    create_meter(store)
    create_event(wrong, identifier="a", timestamp=NOW + YEAR)
    store.log_time.repair(NOW)

    clock.advance(DAY)
    with pytest.raises(metering.IdentifierConflictError):
        create_event(store, identifier="a", timestamp=NOW)
    clock.advance(timedelta(microseconds=1))
    create_event(store, identifier="a", timestamp=NOW)


def test_an_event_of_the_wrong_time_can_be_cancelled_as_long_as_others(
    connect: Connect, clock: metering.FixedClock, wrong: metering.Metering
) -> None:
    store = connect(clock=clock, cancel_window=DAY)
    create_meter(store)
    for identifier in "ab":
        create_event(wrong, identifier=identifier)
    store.log_time.repair(NOW)

    def cancel(identifier: str) -> None:
        store.meter_event_adjustments.create(
            event_name="tokens", type="cancel", cancel={"identifier": identifier}
        )

    clock.advance(DAY)
    cancel("a")
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(metering.InvalidRequestError, match="more than"):
        cancel("b")


def test_deliveries_that_a_wrong_clock_put_off_are_due(
    store: metering.Metering,
    wrong: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
) -> None:
    add_endpoint(store, receiver, "/bad")
    receiver.behaviours["/bad"] = answering(500)
    meter = create_meter(wrong)
    wrong.deliver()
    assert store.deliver().delivered == 0
    receiver.behaviours.clear()

    store.log_time.repair(NOW)
    clock.advance(timedelta(seconds=1))
    receipt = store.deliver()

    assert (receipt.delivered, receipt.failed) == (1, 0)
    [first, last] = bodies(receiver)
    assert first == last
    assert last["data"]["object"]["id"] == meter.id
    [delivery] = store.webhook_endpoints.deliveries(
        store.webhook_endpoints.list().data[0].id
    )
    assert all(each.attempted_at <= clock.now() for each in delivery.attempts)


def test_an_expiry_that_was_sent_too_early_is_sent_when_it_comes(
    store: metering.Metering,
    wrong: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
    ahead: metering.FixedClock,
) -> None:
    def expired() -> int:
        kinds = Counter(
            each["data"]["object"].get("debit", {}).get("type", "")
            if each["type"] == "billing.credit_balance_transaction.created"
            and each["data"]["object"]["debit"]
            else ""
            for each in bodies(receiver)
        )
        return kinds["credits_expired"]

    add_endpoint(store, receiver)
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    create_meter(wrong)
    wrong.deliver()
    assert expired() == 1

    made = store.log_time.repair(NOW)
    store.deliver()
    assert (made.expired, expired()) == (1, 1)
    grant(store, 500, expires_at=NOW + 10 * DAY)
    clock.advance(11 * DAY)
    store.deliver()
    assert expired() == 2
    clock.advance(20 * DAY)
    ahead.set(clock.now())
    for each in (wrong, store):
        each.deliver()
    assert expired() == 3
    assert store.verify().problems == ()


def create_credit_alert(store: metering.Metering, lte: int) -> None:
    store.alerts.create(
        title="Nearly used up",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": "usd", "value": lte},
            }
        },
    )


def test_an_alert_that_triggered_too_early_triggers_when_credits_fall(
    store: metering.Metering,
    wrong: metering.Metering,
    clock: metering.FixedClock,
    ahead: metering.FixedClock,
) -> None:
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    create_credit_alert(store, 500)
    store.catch_up()
    create_meter(wrong)
    wrong.catch_up()
    assert len(store.alerts.triggered()) == 1

    made = store.log_time.repair(NOW)
    ahead.set(NOW)
    for each in (store, wrong):
        each.catch_up()
    assert (made.triggered, len(store.alerts.triggered())) == (1, 1)
    for advanced in (clock, ahead):
        advanced.advance(30 * DAY)
    for each in (store, wrong, store):
        each.catch_up()
    assert len(store.alerts.triggered()) == 2
    assert store.verify().problems == ()
    store.rebuild()
    store.catch_up()
    assert len(store.alerts.triggered()) == 2
    assert store.verify().problems == ()


def test_a_fall_that_the_wrong_time_hid_triggers_after_the_correction(
    store: metering.Metering, wrong: metering.Metering
) -> None:
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    taken = grant(store, 500)
    create_credit_alert(store, 1_000)
    create_meter(wrong)
    store.catch_up()
    assert [t.value for t in store.alerts.triggered()] == [500]
    store.credit_grants.void(taken.id)
    store.catch_up()

    store.log_time.repair(NOW)
    store.catch_up()

    assert [t.value for t in store.alerts.triggered()] == [500, 1_000]
    assert store.verify().problems == ()


def test_a_request_of_the_wrong_time_is_known_as_long_as_others(
    store: metering.Metering, wrong: metering.Metering, clock: metering.FixedClock
) -> None:
    request = Request(
        key_id="key_1", idempotency_key="once", fingerprint=b"f", request_id="req_1"
    )
    create_meter(wrong)
    with store.internals.requests.on_behalf_of(request):
        grant(store)
    store.log_time.repair(NOW)

    clock.advance(DAY - timedelta(microseconds=1))
    assert store.internals.requests.find(request) is not None
    clock.advance(timedelta(microseconds=1))
    assert store.internals.requests.find(request) is None


def test_a_time_can_be_corrected_again(
    connect: Connect, store: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(store)
    for number, ahead in enumerate((YEAR, 2 * YEAR, DAY)):
        wrong = connect(clock=metering.FixedClock(clock.now() + ahead))
        create_event(wrong, identifier=f"wrong {number}")
        store.log_time.repair(clock.now())
        clock.advance(HOUR)
        create_event(store, identifier=f"right {number}")

    created = [each.created for each in store.meter_events.list()]
    assert created == [NOW + h * HOUR for h in (0, 1, 1, 2, 2, 3)]
    assert [as_of(store, NOW + h * HOUR) for h in range(4)] == [1, 3, 5, 6]
    store.seal()
    assert [as_of(store, NOW + h * HOUR) for h in range(4)] == [1, 3, 5, 6]
    assert store.verify().problems == ()
    with connect(clock=clock) as again:
        assert [as_of(again, NOW + h * HOUR) for h in range(4)] == [1, 3, 5, 6]


def test_a_clock_that_is_behind_the_log_can_repair_it(connect: Connect) -> None:
    store = connect()
    create_meter(store)
    right = metering.SystemClock().now()
    create_event(connect(clock=metering.FixedClock(right + YEAR)))
    with pytest.raises(metering.ClockSkewError, match="metering repair time --to"):
        create_event(store)

    store.log_time.repair(right, reason="an RTC battery was empty")

    created = create_event(store)
    assert created.created < right + HOUR
    assert store.verify().problems == ()
    assert [as_of(store, right), as_of(store, metering.SystemClock().now())] == [1, 2]


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM log_correction",
        "UPDATE log_correction SET corrected_to = corrected_to + 1",
        'UPDATE log_correction SET "after" = 0',
        "UPDATE log_correction SET position = position - 1",
    ],
)
def test_a_correction_that_was_tampered_with_is_found_and_rebuilt(
    tmp_path: Path, tampering: str
) -> None:
    target = tmp_path / "usage"
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        with metering.connect(target, clock=metering.FixedClock(NOW + YEAR)) as wrong:
            grant(wrong, 500)
        store.log_time.repair(NOW)
    with closing(sqlite3.connect(target / "log.db")) as connection, connection:
        connection.execute(tampering)

    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        problems = store.verify().problems
        store.rebuild()

        assert any("log_correction" in problem for problem in problems)
        assert store.verify().problems == ()
        assert balance(store) == {"usd": (500, 500)}


@pytest.mark.dialect
def test_a_corrected_store_answers_as_one_whose_clock_was_right(
    store_targets: StoreTargets,
) -> None:
    """The log has one entry more, which says what happened; all else is equal."""
    with store_targets() as spoiled, store_targets() as spared:
        answers = [lived_through(spoiled, YEAR), lived_through(spared, None)]

    assert answers[0] == answers[1]


def lived_through(target: str, wrong_by: timedelta | None) -> list[object]:
    """Record by two processes, one of which may be wrong for an hour; and ask."""
    clock = metering.FixedClock(NOW)
    places = places_of(target)
    with (
        metering.connect(target, clock=clock, **places) as store,
        metering.connect(
            target, clock=(other := metering.FixedClock(NOW)), **places
        ) as wrong,
    ):
        meter = create_meter(store)
        create_credit_alert(store, 500)
        grant(store, 900, expires_at=NOW + 30 * DAY, name="short")
        create_event(store, identifier="a", timestamp=NOW)
        store.catch_up()
        if wrong_by is not None:
            other.advance(wrong_by)
        create_event(wrong, identifier="b", timestamp=NOW + (wrong_by or timedelta(0)))
        grant(store, 100, name="meanwhile")
        apply(store, "in_1", period_end=NOW)
        create_event(store, identifier="c", timestamp=NOW)
        if wrong_by is not None:
            other.set(NOW)
            store.log_time.repair(NOW)
            # It drew from the grant that was left, and draws as it would have.
            apply(store, "in_1", period_end=NOW, replace=True)
        asked: list[object] = []
        for days in (0, 1, 29, 30, 40):
            for moved in (clock, other):
                moved.set(NOW + days * DAY)
            for each in (wrong, store):
                each.catch_up()
            asked += [
                balance(store),
                balance(wrong, at=NOW),
                [(t.value, t.created) for t in store.alerts.triggered()],
                [(e.identifier, e.created) for e in wrong.meter_events.list()],
                [as_of(store, at) for at in (NOW - HOUR, NOW, clock.now())],
                {
                    g.name: (g.created, g.effective_at)
                    for g in store.credit_grants.list()
                },
                total(store, meter),
            ]
        assert store.verify().problems == ()
        return asked
