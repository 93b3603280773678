"""Whatever is done to a branch, its origin answers as before, to the byte."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.branching.usual_branches import answers, beside, files_of, fill
from tests.metering.usual_credits import apply, grant
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
)
from tests.profiles import PROFILE
from tests.segment_places import places_of, runs_of, segments_of

Deed = Callable[[metering.Metering, int], object]


def _state(m: metering.Metering, number: int) -> None:
    [price] = m.prices.list()
    m.statements.finalize(
        id=f"st_{number}",
        customer="cus_1",
        prices=[price.id],
        start_time=NOW - timedelta(days=1),
        end_time=NOW,
    )


def _change_meter(m: metering.Metering, number: int) -> None:
    meter = m.meters.retrieve(event_name="tokens")
    m.meters.update(meter.id, display_name=f"Name {number}")
    if number % 2:
        m.meters.deactivate(meter.id)


def _correct(m: metering.Metering, number: int) -> None:
    m.corrections.apply(
        [
            {
                "type": "replace",
                "event_name": "tokens",
                "identifiers": [f"event-{number}"],
                "replace": {"value": str(number)},
            }
        ],
        reason="a rehearsal",
        author="anybody",
    )


DEEDS: Sequence[Deed] = (
    lambda m, number: m.meter_events.ingest(batch(number * 7, 20)),
    lambda m, number: create_event(m, identifier=f"single-{number}"),
    lambda m, number: cancel_event(m, f"event-{number}"),
    lambda m, number: create_meter(m, f"meter_{number}"),
    _correct,
    _change_meter,
    lambda m, number: grant(m, 100 + number),
    lambda m, number: apply(m, f"in_{number}"),
    _state,
    lambda m, _: m.seal(),
    lambda m, _: m.rebuild(),
    lambda m, _: m.catch_up(),
    lambda m, _: m.deliver(),
)
DEED = st.tuples(st.sampled_from(DEEDS), st.integers(0, 30))


def do(m: metering.Metering, deeds: Sequence[tuple[Deed, int]]) -> None:
    for deed, number in deeds:
        # As an invoice of other content, or an event of an inactive meter.
        with suppress(metering.InvalidRequestError):
            deed(m, number)


@settings(max_examples=max(3, PROFILE.examples // 4))
@given(
    before=st.lists(DEED, max_size=5),
    meanwhile=st.lists(DEED, max_size=3),
    after=st.lists(DEED, min_size=1, max_size=8),
)
def test_an_origin_answers_as_before_whatever_is_done_to_its_branch(
    store_targets: StoreTargets,
    before: Sequence[tuple[Deed, int]],
    meanwhile: Sequence[tuple[Deed, int]],
    after: Sequence[tuple[Deed, int]],
) -> None:
    """Nothing that is done to a branch reaches its origin, and a branch is what that was."""
    clock = metering.FixedClock(NOW)
    with (
        store_targets() as target,
        metering.connect(
            target, clock=clock, seal_events=None, **places_of(target)
        ) as origin,
    ):
        fill(origin)
        do(origin, before)
        then = answers(origin)
        do(origin, meanwhile)
        known, proof = answers(origin), origin.verify()
        files = files_of(segments_of(target), runs_of(target))

        with origin.branch(beside(target), then["position"]) as branch:
            assert answers(branch) == then

            do(branch, after)

            assert branch.verify().problems == ()
        assert answers(origin) == known
        assert origin.verify() == proof
        assert files_of(segments_of(target), runs_of(target)) == files
