"""A real store and the naive oracle live through the same histories and must agree.

Two connections write and read in turn, reopen, rebuild and let time pass; afterwards
every event, every summary in many windows and the log itself are compared. The last
tests show that the comparison is able to fail.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import event, example, given

from tests.conftest import StoreTargets
from tests.oracles.usage import OracleEvent, OracleMeter, Row
from tests.postgresql_server import fresh_database
from tests.property.operations import (
    CHANGES,
    Advance,
    Again,
    Cancel,
    CancelSent,
    CompareEverything,
    CorrectTime,
    Create,
    Define,
    Fresh,
    History,
    Ingest,
    LetAClockBeWrong,
    Operation,
    Rename,
    SetActive,
)
from tests.property.side_by_side import SideBySide
from tests.property.two_connections import Upkeep
from tests.segment_places import clear_places_of, inside_of
from tests.strategies import MICROSECOND, MIDNIGHT, histories

HOUR = timedelta(hours=1)
TOKENS = OracleMeter(event_name="tokens", formula="sum")
LATEST = OracleMeter(event_name="latest", formula="last", event_time_window="hour")
CALLS = OracleMeter(event_name="calls", formula="count", event_time_window="day")

EVERY_OUTCOME = {
    "accepted", "duplicate", "conflict", "rejected", "refused",
    "cancelled", "cancelled again", "cancelled nothing",
    "customer", "timestamp", "value", "payload",
    "no_meter", "archived_meter", "meter_event_no_customer_defined",
    "meter_event_invalid_value", "timestamp_too_far_in_past", "timestamp_in_future",
    "time corrected",
}  # fmt: skip


def sent(
    event_name: str, value: str, hours: float, identifier: str | None = None
) -> Fresh:
    row = Row(
        event_name=event_name,
        payload={"stripe_customer_id": "cus_1", "value": value, "model": "large"},
        identifier=identifier,
        timestamp=MIDNIGHT + hours * HOUR,
    )
    return Fresh(row=row)


def history_of(*operations: Operation) -> History:
    steps = ((number % 2, each) for number, each in enumerate(operations))
    return History(meters=(TOKENS, LATEST), steps=tuple(steps))


A_BATCH = Ingest(
    items=(
        sent("tokens", "1e18", 0),
        sent("latest", "5", 0.5, "first"),
        sent("latest", "7", 0.25, "second"),
        Again(back=0, change="nothing"),
        Again(back=0, change="customer"),
        sent("tokens", "0.000000000001", -1),
        Fresh(row=sent("tokens", "1", 0).row, from_now=timedelta(days=-35)),
        Fresh(row=sent("tokens", "1", 0).row, from_now=timedelta(days=-36)),
        Fresh(row=sent("tokens", "1", 0).row, from_now=timedelta(minutes=6)),
        Fresh(row=Row(event_name="tokens", payload={"value": "1"})),
        sent("nobody measures this", "1", 0),
    ),
    form="flat table",
    cuts=(3, 1),
    backfill=False,
)
EVENTFUL = history_of(
    Create(item=sent("tokens", "9" * 18 + "." + "9" * 12, 1, "large")),
    Create(item=sent("tokens", "9" * 18, 1, "larger")),
    *(Create(item=Again(back=0, change=change)) for change in CHANGES),
    A_BATCH,
    Define(meter=CALLS),
    Define(meter=TOKENS),
    Create(item=sent("calls", "kept as text", 2, "call")),
    CancelSent(back=0),
    CancelSent(back=0),
    Cancel(event_name="latest", identifier="second"),
    Cancel(event_name="latest", identifier="never sent"),
    SetActive(event_name="tokens", active=True),
    SetActive(event_name="tokens", active=False),
    Create(item=sent("tokens", "3", 0)),
    Rename(event_name="tokens"),
    Advance(by=timedelta(days=20)),
    SetActive(event_name="tokens", active=True),
    Upkeep(verb="reopen"),
    replace(A_BATCH, form="map reader", backfill=True),
    Upkeep(verb="rebuild"),
    LetAClockBeWrong(by=timedelta(days=400)),
    Create(item=sent("tokens", "3", 24 * 420)),
    Upkeep(verb="seal"),
    Define(meter=replace(CALLS, event_name="defined by a wrong clock")),
    CompareEverything(),
    CorrectTime(share=Fraction(1, 2)),
    CompareEverything(),
    CancelSent(back=0),
    replace(A_BATCH, form="map reader", backfill=True),
    Create(item=sent("tokens", "3", 0)),
)


def test_every_answer_agrees_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
) -> None:
    @given(histories())
    def agree(history: History) -> None:
        for outcome in outcomes_of(history, store_targets):
            event(outcome)

    agree()


@pytest.mark.dialect
def test_a_history_of_every_outcome_agrees_with_the_oracle(
    store_targets: StoreTargets,
) -> None:
    assert outcomes_of(EVENTFUL, store_targets) >= EVERY_OUTCOME


@pytest.mark.postgresql
def test_segments_in_the_database_agree_with_the_oracle_after_any_history(
    postgresql_server: str,
) -> None:
    @contextmanager
    def targets() -> Iterator[str]:
        with fresh_database(postgresql_server) as url:
            yield inside_of(url)
            clear_places_of(inside_of(url))

    @given(histories())
    @example(EVENTFUL)
    def agree(history: History) -> None:
        outcomes_of(history, targets)

    agree()


def outcomes_of(history: History, store_targets: StoreTargets) -> set[str]:
    """Live through a history; compare everything at its end, rebuilt and sealed."""
    with store_targets() as target, SideBySide(target) as both:
        both.play(history)

        both.compare_everything(0)
        both.connections[1].rebuild()
        both.compare_everything(1)
        both.connections[0].seal()
        both.compare_everything(1)
        both.compare_past(0)
        both.verify(0)
    return set(both.reached)


def shift(known: OracleEvent) -> None:
    known.timestamp += MICROSECOND


def add_the_least(known: OracleEvent) -> None:
    known.value += Decimal("1e-12")


def cancel(known: OracleEvent) -> None:
    known.cancelled = not known.cancelled


def move(known: OracleEvent) -> None:
    known.customer = "cus_2"


def relabel(known: OracleEvent) -> None:
    known.payload["model"] = "small"


@pytest.mark.parametrize("damage", [shift, add_the_least, cancel, move, relabel])
def test_the_comparison_sees_the_smallest_disagreement(
    tmp_path: Path, damage: Callable[[OracleEvent], None]
) -> None:
    with SideBySide(str(tmp_path / "usage")) as both:
        both.play(history_of(Create(item=sent("tokens", "2", 1)), A_BATCH))
        both.compare_everything(0)

        damage(both.oracle.accepted[0])

        with pytest.raises(AssertionError):
            both.compare_everything(0)


def test_the_comparison_of_summaries_alone_sees_a_missing_event(
    tmp_path: Path,
) -> None:
    with SideBySide(str(tmp_path / "usage")) as both:
        both.play(history_of(Create(item=sent("tokens", "2", 1)), A_BATCH))

        del both.oracle.accepted[0]

        with pytest.raises(AssertionError, match="Read"):
            both.compare_everything(0)
