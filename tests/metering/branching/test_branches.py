"""A branch begins as its origin, goes on by itself, and the origin never hears of it."""

from datetime import timedelta
from pathlib import Path

import pytest

import metering
from tests.conftest import Connect
from tests.metering.branching.usual_branches import answers, beside, files_of, fill
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    counted,
    create_event,
    total,
)
from tests.metering.usual_webhooks import add_endpoint
from tests.segment_places import runs_of, segments_of
from tests.webhook_receiver import Receiver

DAY = timedelta(days=1)


@pytest.fixture
def origin(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """A store with segments, a tail and facts."""
    opened = connect(clock=clock, allow_private_webhooks=True, seal_events=None)
    fill(opened)
    return opened


def test_a_branch_begins_as_its_origin(
    origin: metering.Metering, store_target: str
) -> None:
    before = answers(origin)

    with origin.branch(beside(store_target)) as branch:
        assert answers(branch) == before
        ours, its = origin.verify(), branch.verify()
        assert (its.problems, its.digest) == ((), ours.digest)
        assert its.epoch != ours.epoch
        assert branch.verify(checkpoint=ours.checkpoint).ok


def test_an_origin_never_hears_of_its_branch(
    origin: metering.Metering, store_target: str
) -> None:
    before, proof = answers(origin), origin.verify()
    places = segments_of(store_target), runs_of(store_target)
    files = files_of(*places)

    with origin.branch(beside(store_target)) as branch:
        [meter] = branch.meters.list()
        branch.meter_events.ingest(batch(1_000, 50))
        cancel_event(branch, "event-50")
        branch.meters.deactivate(meter.id)
        grant(branch, 500)
        branch.seal()
        branch.rebuild()
        with metering.connect(beside(store_target), create=False) as again:
            assert answers(again) == answers(branch) != before
        assert branch.verify().problems == ()

    assert answers(origin) == before
    assert origin.verify() == proof
    assert files_of(*places) == files


def test_identifiers_of_the_origin_are_taken(
    origin: metering.Metering, store_target: str
) -> None:
    sealed = next(e for e in origin.meter_events.list() if e.identifier == "event-50")

    with origin.branch(beside(store_target)) as branch:
        assert counted(branch.meter_events.ingest(batch(1, 300))) == (100, 200, 0)
        again = create_event(
            branch, identifier="event-50", timestamp=NOW, payload=sealed.payload
        )

        assert (again.duplicate, again.position) == (True, sealed.position)
        with pytest.raises(metering.IdentifierConflictError):
            create_event(branch, identifier="event-51", timestamp=NOW - DAY)


def test_nothing_is_sent_from_a_branch(
    origin: metering.Metering, store_target: str, receiver: Receiver
) -> None:
    add_endpoint(origin, receiver)
    create_event(origin, identifier="before")
    grant(origin, 1)

    with origin.branch(beside(store_target)) as branch:
        add_endpoint(branch, receiver)
        grant(branch, 500)
        sent = branch.deliver()
        with branch.worker():
            grant(branch, 500)
        assert (sent.enqueued, sent.delivered, sent.failed) == (0, 0, 0)
        status = branch.status()
        assert (status.pending_deliveries, status.branch_position) == (
            0,
            origin.position,
        )
        assert branch.verify().problems == ()
    assert receiver.received == []

    assert origin.deliver().delivered > 0


def test_an_endpoint_may_be_changed_in_a_branch(
    origin: metering.Metering, store_target: str, receiver: Receiver
) -> None:
    endpoint = add_endpoint(origin, receiver)

    with origin.branch(beside(store_target)) as branch:
        branch.webhook_endpoints.update(endpoint.id, disabled=True)
        branch.webhook_endpoints.rotate_secret(endpoint.id)
        branch.webhook_endpoints.delete(endpoint.id)

    assert origin.webhook_endpoints.retrieve(endpoint.id).status == "enabled"


def test_a_branch_rehearses_next_month(
    origin: metering.Metering, store_target: str
) -> None:
    [price] = origin.prices.list()
    later = metering.FixedClock(NOW + 40 * DAY)

    with origin.branch(beside(store_target), clock=later) as branch:
        made = branch.statements.finalize(
            id="st_1",
            customer="cus_1",
            prices=[price.id],
            start_time=NOW - DAY,
            end_time=NOW + 30 * DAY,
        )

        assert made.created == later.now()
        assert made.lines[0].quantity == 68
    assert list(origin.statements.list()) == []
    assert origin.now() == NOW


def test_alerts_go_on_where_they_were(
    origin: metering.Metering, store_target: str
) -> None:
    origin.catch_up()
    [alert] = origin.alerts.list()
    before = list(origin.alerts.triggered())

    with origin.branch(beside(store_target)) as branch:
        assert branch.status().evaluated_position == origin.position
        payload = {"stripe_customer_id": "cus_9", "value": "500"}
        create_event(branch, payload=payload)

        branch.catch_up()

        triggered = [each.customer for each in branch.alerts.triggered(alert.id)]
        assert triggered[0] == "cus_9"
        assert triggered[1:] == [each.customer for each in before]
    assert list(origin.alerts.triggered()) == before


def test_a_branch_of_a_branch_outlives_what_becomes_of_both(
    origin: metering.Metering, store_target: str
) -> None:
    at_first = origin.position
    with origin.branch(beside(store_target, "first")) as first:
        fill(first)
        in_between = answers(first)
        with (
            first.branch(beside(store_target, "second")) as second,
            first.branch(beside(store_target, "third"), at_first) as third,
        ):
            fill(first)
            fill(origin)
            origin.rebuild()
            first.rebuild()

            assert answers(second) == in_between
            assert third.position == at_first
            for branch in (second, third):
                fill(branch)
                assert branch.verify().problems == ()
    with metering.connect(beside(store_target, "second"), create=False) as again:
        assert again.verify().problems == ()


def test_what_was_sealed_is_shared_and_what_follows_from_it(
    origin: metering.Metering, store_target: str, tmp_path: Path
) -> None:
    origin.seal()
    [meter] = origin.meters.list()
    create_event(origin, identifier="event-1", timestamp=NOW)

    with origin.branch(tmp_path / "branch") as branch:
        assert total(branch, meter) == total(origin, meter)
        assert counted(branch.meter_events.ingest(batch(1, 1))) == (0, 1, 0)

        kinds = {path.parent.name for path in (tmp_path / "branch").rglob("*.*")}
        assert kinds == {"branch"}
    held = sum(len(each) for each in files_of(tmp_path / "branch").values())
    assert held < 1_000_000


@pytest.mark.parametrize("name", ["store", "branch"])
def test_a_place_that_is_taken_is_refused(
    origin: metering.Metering, store_target: str, name: str
) -> None:
    taken = beside(store_target, name)
    origin.branch(taken).close()

    with pytest.raises(metering.StoreUnavailableError, match="there is a store"):
        origin.branch(taken)


def test_a_place_within_the_store_is_refused(tmp_path: Path) -> None:
    with metering.connect(
        tmp_path / "usage", segments=tmp_path / "far", cache=tmp_path / "runs"
    ) as m:
        for place in ("usage", "usage/branch", "far", "runs/branch"):
            with pytest.raises(metering.InvalidRequestError, match="the store's own"):
                m.branch(tmp_path / place)
        with pytest.raises(metering.StoreUnavailableError, match="and no store"):
            m.branch(tmp_path)


def test_segments_that_are_gone_are_named(
    origin: metering.Metering, store_target: str, tmp_path: Path
) -> None:
    origin.branch(tmp_path / "branch").close()
    moved = segments_of(store_target).rename(tmp_path / "moved")

    with pytest.raises(metering.SegmentMissingError) as raised:
        metering.connect(tmp_path / "branch")

    assert str(segments_of(store_target)) in raised.value.message
    with metering.connect(tmp_path / "branch", segments=moved) as again:
        assert again.verify().problems == ()
