"""A plan of a correction: which events it takes out, and what it puts in their place."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from os import PathLike
from typing import Self, TypeAlias

import numpy as np
import pyarrow as pa
from msgspec import Struct

from ledger.entries import Head
from ledger.usage.rows import batch_of
from metering.corrections.choosing import (
    MeantEvents,
    check_change,
    chosen_events,
    positions_of_named,
)
from metering.corrections.replacing import (
    changed_alone,
    refused_replacement,
    replaced,
    without_doubts,
)
from metering.corrections.requests import ChangeParams
from metering.corrections.spooling import SpooledEvents, with_positions
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.ingest.layout import Columns, LocatedColumns
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.piece_rules import (
    check_columns,
    check_rows,
    numbers_without_identifier,
)
from metering.usage.ingest.receipts import Rejection
from metering.usage.ingest.schemas import check_fit
from metering.usage.ingest.sources import open_source
from projections.meters.catalog import Definitions
from projections.usage.view import UsageView

Replacements: TypeAlias = str | PathLike[str] | pa.Table | pa.RecordBatch
"""A source of events, each of which replaces the one of its identifier."""
SOURCES = (str, PathLike, pa.Table, pa.RecordBatch)

_AS_GIVEN = IngestOptions(backfill=True)
_MeantPart = tuple[MeantEvents, pa.RecordBatch | None]
"""Events to be cancelled, and their replacements, with the identifiers of the events."""


class CorrectionPlan(Struct, frozen=True, kw_only=True):
    """What a correction comes to, by what was known as it was made.

    Attributes:
        replaced: events that have a replacement, with their positions.
        cancelled: others, likewise.
        replacements: in the order of `replaced`.
        positions: of all events (int64, ascending).
        definitions: by which replacements were checked.
        head: up to which events were known.
    """

    replaced: SpooledEvents
    cancelled: SpooledEvents
    replacements: SpooledEvents
    positions: np.ndarray
    definitions: Definitions
    head: Head


class CorrectionPlanning:
    """Plans a correction; its files are deleted when the context ends.

    Args:
        engine: of the store.
        changes: checked changes, or a source of replacements.
        correction_id: by which replacements are named.
    """

    def __init__(
        self,
        engine: Engine,
        changes: Sequence[ChangeParams] | Replacements,
        correction_id: str,
    ) -> None:
        self._engine = engine
        self._changes = changes
        self._correction_id = correction_id
        self._files = ExitStack()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the files."""
        self._files.close()

    def plan(self) -> CorrectionPlan:
        """Find out what the changes come to.

        Raises:
            ResourceMissingError: an identifier is that of no event.
            InvalidRequestError: a change is malformed or means no event, an event is meant
                twice or was cancelled already, or a replacement breaks a rule of events.
            SourceError: the source cannot be read.
        """
        engine = self._engine
        head, definitions = engine.log.catch_up(), engine.definitions()
        view = engine.usage.view()
        arrival = Arrival(
            now=engine.now(),
            definitions=definitions,
            takes_any_past=True,
            takes_now=False,
        )
        self._files.close()
        made = [self._files.enter_context(SpooledEvents()) for _ in range(3)]
        of_replaced, of_cancelled, replacements = made
        positions: list[np.ndarray] = []
        for chosen, instead in self._parts(view, arrival):
            positions.append(chosen.positions)
            placed = with_positions(*chosen)
            if instead is None:
                of_cancelled.add(placed)
            else:
                of_replaced.add(placed)
                replacements.add(self._named(instead, chosen.positions))
        return CorrectionPlan(
            replaced=of_replaced,
            cancelled=of_cancelled,
            replacements=replacements,
            positions=_each_once(positions),
            definitions=definitions,
            head=head,
        )

    def _parts(self, view: UsageView, arrival: Arrival) -> Iterator[_MeantPart]:
        if isinstance(self._changes, SOURCES):
            yield from self._of_source(self._changes, view, arrival)
            return
        for at, change in enumerate(self._changes):
            path, is_empty = f"changes[{at}]", True
            check_change(change, path)
            for chosen in chosen_events(self._engine, view, change, path):
                is_empty = False
                if "replace" not in change:
                    yield chosen, None
                    continue
                for alike in replaced(chosen, change["replace"], arrival, path):
                    kept, instead = changed_alone(*alike)
                    if instead.num_rows:
                        yield kept, instead
            if is_empty:
                raise _nothing(path)

    def _of_source(
        self, source: Replacements, view: UsageView, arrival: Arrival
    ) -> Iterator[_MeantPart]:
        opened = open_source(source, Columns(), _AS_GIVEN)
        if opened.schema is not None:
            check_fit(opened.schema, opened.columns, arrival.definitions)
        for piece in opened.pieces:
            for number in numbers_without_identifier(piece)[:1].tolist():
                message = "it has no identifier"
                raise _refused(Rejection(number, None, "parameter_missing", message))
            checked = without_doubts(
                check_columns(piece, arrival, _AS_GIVEN)
                if isinstance(piece, LocatedColumns)
                else check_rows(piece, arrival, _AS_GIVEN)
            )
            if checked.refusals:
                raise _refused(min(checked.refusals.items())[1])
            events = batch_of(checked.events)
            paths = [f"changes[{row}]" for row in checked.numbers.tolist()]
            named = events.select(["event_name", "identifier"])
            positions = positions_of_named(self._engine, view, named, paths)
            originals = MeantEvents(positions, self._engine.log.events_at(positions)[0])
            kept, instead = changed_alone(originals, events)
            if instead.num_rows:
                yield kept, instead

    def _named(
        self, replacements: pa.RecordBatch, positions: np.ndarray
    ) -> pa.RecordBatch:
        """Name replacements by what they replace: its identifier stays its own."""
        names = [f"{self._correction_id}/{each}" for each in positions.tolist()]
        at = replacements.schema.get_field_index("identifier")
        field = replacements.schema.field(at)
        return replacements.set_column(at, field, pa.array(names, pa.string()))


def _each_once(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return all positions, ascending.

    Raises:
        InvalidRequestError: there is none, or one is there twice.
    """
    if not parts:
        raise _nothing("changes")
    positions = np.sort(np.concatenate(parts))
    twice = positions[1:][positions[1:] == positions[:-1]]
    if len(twice):
        raise InvalidRequestError(
            f"The event at position {twice[0]} is changed twice; each is cancelled or"
            " replaced once",
            code="event_changed_twice",
            param="changes",
        )
    return positions


def _nothing(path: str) -> InvalidRequestError:
    return InvalidRequestError(
        "Nothing is to be corrected: no event that counts is meant, or each is already"
        " as it is to be",
        code="nothing_to_correct",
        param=path,
    )


def _refused(refused: Rejection) -> InvalidRequestError:
    path = f"changes[{refused.row}]"
    return refused_replacement(refused, f"row {refused.row}", path)
