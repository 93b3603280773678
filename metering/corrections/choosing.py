"""Which recorded events a change means: by identifiers, or by conditions."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import WORD, take_rows
from metering.arguments.refusals import exclusive, invalid, missing
from metering.arguments.times import instant
from metering.corrections.requests import ChangeParams
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.store.engine import Engine
from metering.usage.listing import EventQuery, recorded_batches
from projections.usage.view import UsageView

ROWS_AT_A_TIME = 10_000
"""Events that are looked at, and recorded, together."""
_EVER = 1 << 62
_CONDITIONS = (
    "customer",
    "start_time",
    "end_time",
    "first_position",
    "last_position",
    "payload",
)


class MeantEvents(NamedTuple):
    """Events that a change means.

    Attributes:
        positions: int64.
        events: at them.
    """

    positions: np.ndarray
    events: pa.RecordBatch


def check_change(change: ChangeParams, path: str) -> None:
    """Check that a change says what becomes of which events.

    Raises:
        InvalidRequestError: it does not.
    """
    is_replaced, has_replacement = change["type"] == "replace", "replace" in change
    if is_replaced and not change.get("replace"):
        raise missing(f"{path}[replace]")
    if has_replacement and not is_replaced:
        raise invalid(f"{path}[type]", change["type"], "replace, where it says how")
    given = [name for name in _CONDITIONS if name in change]
    if "identifiers" in change:
        if "event_name" not in change:
            raise missing(f"{path}[event_name]")
        if given:
            raise exclusive(f"{path}[{given[0]}]", "identifiers", given[0])
    elif not given and "event_name" not in change:
        # Everything that was ever recorded is meant by nobody.
        raise missing(f"{path}[event_name]")


def chosen_events(
    engine: Engine, view: UsageView, change: ChangeParams, path: str
) -> Iterator[MeantEvents]:
    """Read the events that a change means, a portion at a time.

    Raises:
        ResourceMissingError: an identifier is that of no event.
        InvalidRequestError: one is that of an event that does not count.
    """
    if "identifiers" in change:
        name, identifiers = change["event_name"], change["identifiers"]
        for start in range(0, len(identifiers), ROWS_AT_A_TIME):
            some = identifiers[start : start + ROWS_AT_A_TIME]
            named = pa.RecordBatch.from_arrays(
                [pa.array([name] * len(some), WORD), pa.array(some, pa.string())],
                ["event_name", "identifier"],
            )
            paths = [f"{path}[identifiers][{start + at}]" for at in range(len(some))]
            positions = positions_of_named(engine, view, named, paths)
            yield MeantEvents(positions, engine.log.events_at(positions)[0])
        return
    wanted = EventQuery(
        event_name=change.get("event_name"),
        customer=change.get("customer"),
        start=_bound(change, "start_time", path, 0),
        end=_bound(change, "end_time", path, _EVER),
        after=max(0, change.get("first_position", 0) - 1),
    )
    last = change.get("last_position", view.position)
    for events, positions, _ in recorded_batches(engine.log, view, wanted):
        for start in range(0, len(positions), ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            some, at = events.slice(start, ROWS_AT_A_TIME), positions[part]
            counts = ~view.are_cancelled(at) & (at <= last)
            for key, value in change.get("payload", {}).items():
                found = pc.map_lookup(
                    some.column("payload"), query_key=key, occurrence="first"
                )
                is_it = pc.equal(found, value).fill_null(False)  # noqa: FBT003
                counts &= is_it.to_numpy(zero_copy_only=False)
            rows = np.flatnonzero(counts)
            if len(rows):
                yield MeantEvents(at[rows], take_rows(some, rows))


def positions_of_named(
    engine: Engine, view: UsageView, named: pa.RecordBatch, paths: list[str]
) -> np.ndarray:
    """Return the positions (int64) of events by event name and identifier.

    Args:
        engine: of the store.
        view: of usage.
        named: their columns.
        paths: of each, for refusals.

    Raises:
        ResourceMissingError: there is no such event.
        InvalidRequestError: it does not count.
    """
    positions = engine.log.find_events(named)
    for row in np.flatnonzero(positions == 0)[:1].tolist():
        name, identifier = _named(named, row)
        raise ResourceMissingError(
            f"meter event of {name!r}", identifier, param=paths[row]
        )
    cancellations = view.cancellations_of(positions)
    for row in np.flatnonzero(cancellations)[:1].tolist():
        name, identifier = _named(named, row)
        raise InvalidRequestError(
            f"The event of {name!r} with identifier {identifier} was cancelled already,"
            f" at position {cancellations[row]}",
            code="event_cancelled",
            param=paths[row],
        )
    return positions


def _named(named: pa.RecordBatch, row: int) -> tuple[str, str]:
    event_name, identifier = (column[row].as_py() for column in named.columns[:2])
    return event_name, identifier


def _bound(
    change: ChangeParams,
    name: Literal["start_time", "end_time"],
    path: str,
    otherwise: int,
) -> int:
    time = change.get(name)
    return otherwise if time is None else instant(time, f"{path}[{name}]")
