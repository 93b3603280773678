"""A branch at a position is what the store was there; it can be parted between commits."""

from datetime import timedelta

import pytest

import metering
from tests.conftest import Connect
from tests.metering.branching.usual_branches import Answers, answers, beside, fill
from tests.metering.usual_usage import NOW, batch, create_event, create_meter

SECOND = timedelta(seconds=1)


@pytest.fixture
def moments() -> list[Answers]:
    return []


@pytest.fixture
def origin(
    connect: Connect, clock: metering.FixedClock, moments: list[Answers]
) -> metering.Metering:
    """A store that was asked at each of its moments, and sealed afterwards."""
    origin = connect(clock=clock, seal_events=None)
    fill(origin)
    for number in range(3):
        moments.append(answers(origin))
        origin.meter_events.ingest(batch(1_000 + 10 * number, 10))
        create_event(origin, identifier=f"single-{number}")
        create_meter(origin, f"meter_{number}")
        clock.advance(SECOND)
    moments.append(answers(origin))
    assert origin.seal() == 1
    fill(origin)
    return origin


@pytest.mark.parametrize("number", range(4))
def test_a_branch_answers_as_the_store_did(
    origin: metering.Metering,
    moments: list[Answers],
    store_target: str,
    number: int,
) -> None:
    then = moments[number]
    clock = metering.FixedClock(NOW + number * SECOND)

    with origin.branch(beside(store_target), then["position"], clock=clock) as branch:
        assert answers(branch) == then
        assert branch.verify().problems == ()

        branch.seal()

        assert answers(branch) == then


def test_a_time_is_the_last_position_by_then(
    origin: metering.Metering, moments: list[Answers], store_target: str
) -> None:
    with origin.branch(beside(store_target), NOW + SECOND) as branch:
        assert branch.position == moments[2]["position"]


def test_the_empty_log_is_a_position(
    origin: metering.Metering, store_target: str
) -> None:
    with origin.branch(beside(store_target), 0) as branch:
        assert (branch.position, list(branch.meters.list())) == (0, [])

        fill(branch)

        assert branch.verify().problems == ()


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_position_within_a_commit_is_refused_with_its_bounds(
    connect: Connect, store_target: str, *, is_sealed: bool
) -> None:
    m = connect(clock=metering.FixedClock(NOW), seal_events=None)
    create_meter(m)
    m.meter_events.ingest(batch(0, 10))
    if is_sealed:
        m.seal()

    with pytest.raises(
        metering.InvalidRequestError, match=r"give 1, before it, or 11, its end"
    ) as raised:
        m.branch(beside(store_target), 5)

    assert raised.value.param == "at"
    for position in (-1, 12):
        with pytest.raises(metering.InvalidRequestError, match="no position of the"):
            m.branch(beside(store_target), position)
    with pytest.raises(metering.StoreMissingError):
        metering.connect(beside(store_target), create=False)
