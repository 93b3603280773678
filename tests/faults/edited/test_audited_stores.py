"""An audit finds every fault that is planted, and none in a store that has none."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

import metering
from tests.conftest import StoreTargets
from tests.faults.copying import copied
from tests.faults.edited.planting import KINDS, Planted, make_audited
from tests.figures import Figures
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.alerts.test_alerts_on_credits import watch
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
)
from tests.profiles import budget, drawing

TRIES = 1_000
EXPECTED = {
    "a changed word in a run": "",
    "a total off by one unit": "Hourly usage of meter",
    "a missing cell": "nothing is stored",
    "a stale checkpoint": "alert_checkpoint, row checkpoint_id = 1",
    "a doubled transaction": "In table credit_application, the row with",
}


@pytest.fixture(scope="module")
def original(store_targets: StoreTargets) -> Iterator[str]:
    with store_targets() as target:
        make_audited(target)
        yield target


@pytest.mark.slow
@pytest.mark.sweep
def test_an_audit_finds_every_fault_that_is_planted(
    original: str, figures: Figures
) -> None:
    """A changed word in a run, a total off by one unit, a missing cell, a stale checkpoint
    and a doubled transaction are found, and named first.
    """
    random = drawing("planted faults")
    for number in range(budget(TRIES)):
        kind = KINDS[number % len(KINDS)]
        with copied(original) as copy, Planted(copy, kind, random) as store:
            figures.add("edits")

            made = store.audit.run()

            assert made is not None
            assert made.status == "failed", kind
            assert EXPECTED[kind] in made.differences[0], made.differences
            assert store.audit.status().ok is False


class Life:
    """What a store lives through, at random."""

    def __init__(self, store: metering.Metering, random: Random) -> None:
        self._store = store
        self._random = random
        self._tokens = create_meter(store)
        create_meter(store, "level", "last")
        self._recorded = 0
        self._cancelled = set[int]()

    def record(self) -> None:
        count = self._random.randrange(1, 60)
        self._store.meter_events.ingest(batch(self._recorded, count, "{}.25"))
        self._recorded += count

    def set_level(self) -> None:
        payload = {
            "stripe_customer_id": "cus_1",
            "value": f"{self._random.randrange(99)}.125",
        }
        create_event(self._store, "level", payload)

    def cancel(self) -> None:
        left = {*range(self._recorded)} - self._cancelled
        if left:
            number = self._random.choice(sorted(left))
            cancel_event(self._store, f"event-{number}")
            self._cancelled.add(number)

    def seal(self) -> None:
        self._store.seal()

    def evaluate(self) -> None:
        self._store.catch_up()

    def grant(self) -> None:
        ends = self._store.now() + timedelta(hours=1)
        grant(self._store, self._random.randrange(1, 2_000), expires_at=ends)

    def apply(self) -> None:
        invoice = f"in_{self._random.randrange(5)}"
        apply(self._store, invoice, line(7))

    def watch_usage(self) -> None:
        create_alert(self._store, self._tokens, self._random.randrange(1, 500))

    def watch_credits(self) -> None:
        watch(self._store, self._random.randrange(1, 900))


STEPS = (
    *(Life.record, Life.record, Life.set_level, Life.cancel, Life.seal, Life.seal),
    *(Life.evaluate, Life.grant, Life.apply, Life.watch_usage, Life.watch_credits),
)


@pytest.mark.slow
@pytest.mark.sweep
def test_an_audit_finds_nothing_in_stores_that_have_no_fault(figures: Figures) -> None:
    """Whatever a store has lived through, and however much of it is evaluated."""
    random = drawing("clean stores")
    for _ in range(budget(TRIES)):
        clock = metering.FixedClock(NOW)
        with metering.connect(":memory:", clock=clock) as store:
            life = Life(store, random)
            for step in random.choices(STEPS, k=random.randrange(4, 16)):
                step(life)
                clock.advance(timedelta(minutes=random.randrange(30)))
            figures.add("audits")

            made = store.audit.run(files=True)

            assert made is not None
            assert made.differences == ()
            assert made.entries == made.entries_present == store.position
            assert made.hourly_totals == made.hourly_totals_explained
