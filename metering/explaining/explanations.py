"""Explanations of usage: a figure, the events that it is made of, and all the others.

An explanation only reads. What it says stays the same whatever is recorded later.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from ledger.usage.quantities import quantity_from_units
from metering.arguments.clock import MICROSECOND, at_microseconds, microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.schema import checked
from metering.arguments.strings import check_path
from metering.arguments.times import Time, TimeUnit, duration
from metering.bodies import ResourceObject
from metering.explaining.comparing import Comparison
from metering.explaining.proof.checkpoints import Checkpoint
from metering.explaining.proof.exporting import ExportedExplanation, Exporting
from metering.explaining.requests import BESIDE_SECONDS_MAX
from metering.explaining.usage import (
    EVENTS,
    LATE,
    NOT_COUNTED,
    ExplainedUsage,
    reader_of,
)
from metering.statements.resources import Statement
from metering.store.engine import Engine
from metering.store.positions import position_asked_for
from metering.usage.ingest.layout import Columns
from metering.usage.ingest.options import IngestOptions
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.series import Series
from projections.usage.summaries import SummaryPart
from projections.windows import recorded_span

BESIDE = timedelta(hours=1)
"""How far beyond the bounds events are looked for that do not count."""

_BESIDE_AT_MOST = timedelta(seconds=BESIDE_SECONDS_MAX)

SourceName = Literal["hours", "windows", "events"]
"""What the usage of a part is read from."""


class ExplanationPart(ResourceObject, frozen=True, kw_only=True):
    """A part of a figure of usage, in ``[start_time, end_time)``.

    Attributes:
        source: hours, whose totals or last events are kept; windows of a meter that is
            pre-aggregated, whose last events are kept; or the events themselves.
        value: the meter's formula over the events that count; of an average, their sum.
        event_count: how many events count.
    """

    source: SourceName
    start_time: datetime
    end_time: datetime
    value: Decimal
    event_count: int


class Explanation:
    """Why a customer's usage on a meter is what it is. Thread-safe.

    It reads from the store whenever it is asked, which must be open, and says the same
    each time.

    Attributes:
        meter: id of the meter.
        formula: of the meter.
        customer: whose usage.
        start_time: inclusive.
        end_time: exclusive.
        value: the figure, exact; what `Meters.event_summaries` says at the position.
        event_count: how many events it is made of.
        parts: what it is made of, oldest first; the events of all parts are its events.
        position: every entry up to it counts, and none after.
    """

    def __init__(self, usage: ExplainedUsage, bounds: tuple[int, int]) -> None:
        self._usage = usage
        meter = usage.series.meter
        self.meter = meter.meter_id
        self.formula = meter.formula.value
        self.customer = usage.series.customer
        self.start_time, self.end_time = map(at_microseconds, bounds)
        self.position = usage.position
        parts = usage.parts()
        self._units, self.event_count = usage.total(parts)
        self.value = quantity_from_units(self._units)
        self.parts = tuple(map(_part, parts))

    def __repr__(self) -> str:
        """Return the figure and what it is of."""
        return (
            f"Explanation(value={self.value!r}, event_count={self.event_count},"
            f" meter={self.meter!r}, customer={self.customer!r},"
            f" start_time={self.start_time!r}, end_time={self.end_time!r},"
            f" position={self.position})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what it says but for the events, as any JSON library can write it.

        Times are strings of RFC 3339 in UTC, decimals strings with all their digits.
        """
        return {**self._said(), "digest": self.digest}

    def _said(self) -> dict[str, Any]:
        """Return what `to_dict` does without the digest, which may take long to find."""
        return {
            "object": "metering.explanation",
            "meter": self.meter,
            "formula": self.formula,
            "customer": self.customer,
            "start_time": msgspec.to_builtins(self.start_time),
            "end_time": msgspec.to_builtins(self.end_time),
            "value": f"{self.value:f}",
            "event_count": self.event_count,
            "parts": [part.to_dict() for part in self.parts],
            "position": self.position,
        }

    @property
    def digest(self) -> str:
        """The log's hash chain at the position, in hexadecimal.

        It covers the whole commit that holds the position. Of a sealed commit it is
        computed from its segment, which takes as long as reading all of that.

        Raises:
            StoreError: it cannot be read.
        """
        log = self._usage.engine.log
        known = log.known_head
        if known.position == self.position:
            return known.digest.hex()
        return log.history.digest_at(self.position).hex()

    def events(self) -> pa.RecordBatchReader:
        """Read the events that count, in the order of the log.

        Of a meter whose formula is last it is one event. A stream: what is held is part
        of a segment.

        Returns:
            The columns `position`, `recorded_at`, `identifier`, `timestamp`, `value`
            (decimal128(38, 12), null where the meter needs none) and `string` (that of
            the value's payload key, where a meter counts distinct ones; else null).
        """
        return reader_of(EVENTS, self._usage.events)

    def not_counted(self, *, beside: timedelta = BESIDE) -> pa.RecordBatchReader:
        """Read the events that do not count, in the order of the log.

        The reason of each is the first of these that holds:

        - ``outside``: its timestamp lies before the start, or at the end or later;
        - ``later``: it was recorded after the position;
        - ``cancelled``, by the adjustment at the position `by`;
        - ``replaced``, by the event at the position `by`: of a pre-aggregated meter the
          last recorded of its hour or day, and where the formula is last, the latest.

        What was never recorded is not there: a repetition of an event, which the log
        holds once, and an event that was refused.

        Args:
            beside: how far beyond the bounds events are looked for, up to 366 days; at
                least as far as the hour or day goes that a bound of a pre-aggregated
                meter cuts.

        Returns:
            The columns of `events`, `reason`, `by` (null where no entry is it), and where
            a correction cancelled the event its id as `correction`, and the position of
            what replaces it as `successor`.

        Raises:
            InvalidRequestError: `beside` is no such time.
        """
        length = duration(beside, "beside", _BESIDE_AT_MOST) // MICROSECOND
        usage = self._usage
        return reader_of(NOT_COUNTED, lambda: usage.not_counted(length))

    def late(self, since: Time | Statement) -> pa.RecordBatchReader:
        """Read what was recorded since, and before the position.

        That is each event whose timestamp lies in the bounds, whether it counts or not,
        and each cancellation of such an event, behind it.

        Args:
            since: a position or a time, of which what was recorded later came late; or
                a statement, which counts up to a position.

        Returns:
            The columns `kind` (event or cancellation), `position` and `recorded_at` of
            the entry, and `event_position`, `identifier`, `timestamp` and `value` of the
            event, in the order of the events.

        Raises:
            InvalidRequestError: it is none of them.
        """
        usage = self._usage
        if isinstance(since, Statement):
            since = min(since.position, usage.view.position)
        after = position_asked_for(usage.engine, since, usage.view.position, "since")
        return reader_of(LATE, lambda: usage.late(after))

    def refused(self) -> pa.Table:
        """Read how many events on the meter a stream refused in the bounds.

        The store keeps no event that it refused, and not whose it was: only how many
        came in ten seconds, of all customers, for 30 days. Those that `create` or `ingest`
        refused are told to their callers, and nowhere kept.

        Returns:
            The columns `window_start` and `window_end`, of when they came, `code`,
            `error_count`, and `message`, that of the first.
        """
        return self._usage.refused()

    def compare(
        self,
        source: object,
        *,
        columns: Columns | None = None,
        timestamp_unit: TimeUnit = "s",
        timezone: str | None = None,
        beside: timedelta = BESIDE,
    ) -> pa.Table:
        """Compare a list of events with the figure, row by row, such as a customer's own.

        What was refused, or sent again, is not in the log, so each row is judged as
        `MeterEvents.ingest` with ``backfill=True`` would judge it; nothing is recorded.
        The reason of a row is ``counted``; one of those of `not_counted`; or

        - ``sent_again``: it repeats the row whose event is at the position `by`;
        - ``refused``: it breaks the rule that `code` and `message` say, or its identifier
          is that of another event, which is at `by`;
        - ``unrecorded``: it obeys the rules, and the log has no event under its
          identifier: it was never sent, or was refused when it came, as for its age;
        - ``unnamed``: it has no identifier to be found by;
        - ``other``: it is of another customer or meter.

        Args:
            source: as of `ingest`.
            columns: which columns of the source mean what, where they have other names.
            timestamp_unit: what timestamps that are numbers count, since 1970 UTC.
            timezone: where timestamps without a zone are local.
            beside: how far beyond the bounds events are told to be replaced or cancelled.

        Returns:
            The columns `row` (from 0), `identifier`, `reason`, `position` of the event
            (null where it has none of its own), `by`, `code` and `message`. Last come the
            events that count and are in no row, as ``unlisted``, where `row` is null.

        Raises:
            InvalidRequestError: an argument is malformed.
            SourceError: the source cannot be read.
        """
        length = duration(beside, "beside", _BESIDE_AT_MOST) // MICROSECOND
        options = checked(
            IngestOptions,
            backfill=True,
            timestamp_unit=timestamp_unit,
            timezone=timezone,
        )
        return Comparison(self._usage, length).with_source(source, columns, options)

    def export(
        self, directory: str | PathLike[str], *, checkpoint: Checkpoint | None = None
    ) -> ExportedExplanation:
        """Write the events and the figure, with what checks them, for the customer.

        The directory has the events as Parquet and CSV, the figure and its parts, the
        log's chain of digests from the first of these events to a checkpoint, and a
        program that needs Python alone: ``python check.py``. It finds any edit of any
        file. README.txt there says what is shown by the chain, and what is not.

        Nothing of other customers is written, but for digests of what they recorded, and
        when. All commits from the first of the events on are read, whosoever they are.

        Args:
            directory: a new one; it is there with all its files, or not at all.
            checkpoint: one that `Metering.verify` returned, at the position of the
                explanation or later; None is that of this position.

        Raises:
            InvalidRequestError: the directory is there already or cannot be written, or
                the log does not lead to the checkpoint.
            StoreError: the log cannot be read.
        """
        return Exporting(
            usage=self._usage,
            figures=self._figures(),
            counted=self.events,
            not_counted=self.not_counted,
            checkpoint=checkpoint,
        ).into(Path(check_path(directory, "directory")))

    def _figures(self) -> dict[str, Any]:
        """Return what is exported: what it says, and what a checker has to know."""
        usage, meter = self._usage, self._usage.series.meter
        return {
            **self._said(),
            "event_name": meter.event_name,
            "value_key": meter.value_payload_key if meter.needs_string else None,
            "as_of": self.position,
            "start": usage.start,
            "end": usage.end,
            "parts": [
                {
                    **part.to_dict(),
                    "formula": "sum" if self.formula == "avg" else self.formula,
                    "start": microseconds(part.start_time),
                    "end": microseconds(part.end_time),
                }
                for part in self.parts
            ],
        }

    def adds_up(self) -> bool:
        """Whether the events, read one by one, make the figure, to the last digit."""
        return self._usage.aggregated() == (self._units, self.event_count)


def explained_between(
    engine: Engine,
    *,
    meter: str,
    customer: str,
    start: int,
    end: int,
    as_of: Time | None,
) -> Explanation:
    """Explain usage in ``[start, end)``, microseconds since 1970 UTC."""
    engine.log.catch_up()
    view = engine.usage.view()
    meters = engine.definitions()

    def find(name: str) -> MeterDefinition | None:
        return meters.by_id.get(name) or meters.by_event_name.get(name)

    found = found_by_id(find, meter, "billing meter", "meter")
    position = view.position
    if as_of is not None:
        position = position_asked_for(engine, as_of, position, "as_of")
    low, high = recorded_span(start, end)
    usage = ExplainedUsage(
        engine=engine,
        view=view,
        series=Series(meter=found, customer=customer),
        start=low,
        end=high,
        position=position,
    )
    return Explanation(usage, (start, end))


def _part(part: SummaryPart) -> ExplanationPart:
    return ExplanationPart(
        source=part.source.value,
        start_time=at_microseconds(part.start),
        end_time=at_microseconds(part.end),
        value=quantity_from_units(part.units),
        event_count=part.count,
    )
