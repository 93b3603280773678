"""Drift: by how much a statement would differ today, and the entries that did it.

A statement counted everything up to its position. What came after it is in the log: late
events, and cancellations of events that had counted. An event that came after it and was
cancelled since did nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa

from ledger.facts.prices import AggregateUsage
from ledger.facts.statements import BilledLine, StatementContent
from ledger.usage.columns import TIMESTAMP, rows_table
from ledger.usage.quantities import QUANTITY, shortest
from metering.bodies import ResourceObject
from metering.statements.lines import billed_lines, counted_units
from metering.statements.plans import PlannedLine
from metering.statements.resources import Statement
from metering.store.engine import Engine
from metering.usage.listing import EventQuery, RecordedEvent, recorded_events
from metering.usage_records.counting import item_records
from projections.kernels.meters import MeterDefinition
from projections.kernels.prices import PriceDefinition
from projections.kernels.statements import counted_span
from projections.kernels.usage.series import Series
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.usage.view import UsageView
from projections.windows import LENGTHS, ceil_to, floor_to, recorded_span

CAUSES = pa.schema(
    [
        pa.field("line", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        pa.field("event_position", pa.int64(), nullable=False),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("value", QUANTITY),
    ]
)


class LineDrift(ResourceObject, frozen=True, kw_only=True):
    """By how much a line would differ today.

    Attributes:
        line: its id.
        quantity: as it was stated.
        quantity_now: as it would be stated today.
        amount: as it was stated, in minor units.
        amount_now: as it would be stated today.
    """

    line: str
    price: str
    meter: str | None
    quantity: Decimal
    quantity_now: Decimal
    amount: int
    amount_now: int

    @property
    def quantity_change(self) -> Decimal:
        """By how much the quantity grew; negative where it fell."""
        return shortest(self.quantity_now - self.quantity)

    @property
    def amount_change(self) -> int:
        """By how much the amount grew; negative where it fell."""
        return self.amount_now - self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDrift:
    """What a statement would be today.

    Attributes:
        statement: as it was made.
        position: everything up to it counts today.
        lines: those of the statement, in its order.
        causes: a row for each entry that came after the statement and concerns a line,
            in the order of the lines and then of the log: ``line``; ``kind``, event or
            cancellation or restoration; ``position`` and ``recorded_at`` of the entry; and
            ``event_position``, ``identifier``, ``timestamp`` and ``value`` of the event.
    """

    statement: Statement
    position: int
    lines: tuple[LineDrift, ...]
    causes: pa.Table

    @property
    def amount_change(self) -> int:
        """By how much the subtotal grew; negative where it fell."""
        return sum(line.amount_change for line in self.lines)


class _Cause(NamedTuple):
    """An entry that came after a statement; the columns of `CAUSES`."""

    line: str
    kind: str
    position: int
    recorded_at: int
    event_position: int
    identifier: str
    timestamp: int
    value: Decimal | None


def drift_of(
    engine: Engine, content: StatementContent, statement: Statement
) -> StatementDrift:
    """Compare a statement with what is known today."""
    definitions = engine.definitions(engine.log.catch_up())
    view = engine.usage.view()
    planned = _planned(engine, content)
    units = counted_units(
        engine, definitions, content.customer, planned, content.at, view
    )
    today = billed_lines(planned, units)
    later = _LaterEntries(engine, definitions, view, content)
    causes = [
        cause
        for line, each in zip(content.lines, planned, strict=True)
        if each.quantity is None
        for cause in later.causes(line, each)
    ]
    return StatementDrift(
        statement=statement,
        position=view.position,
        lines=tuple(
            LineDrift(
                line=line.id,
                price=line.price_id,
                meter=line.meter_id,
                quantity=line.quantity,
                quantity_now=now.quantity,
                amount=line.amount,
                amount_now=now.amount,
            )
            for line, now in zip(content.lines, today, strict=True)
        ),
        causes=rows_table(causes, CAUSES),
    )


def _planned(engine: Engine, content: StatementContent) -> list[PlannedLine]:
    ids = {line.price_id for line in content.lines}
    with engine.log.read() as connection:
        prices = PriceQueries(connection).prices_named(ids)
    return [
        PlannedLine(
            price=prices[line.price_id],
            currency=content.currency,
            item_id=line.item_id,
            quantity=_quantity_said(line, prices[line.price_id]),
            start=line.period_start,
            end=line.period_end,
            is_trial=line.is_trial,
            param=line.id,
        )
        for line in content.lines
    ]


def _quantity_said(line: BilledLine, price: PriceDefinition) -> Decimal | None:
    is_measured = line.meter_id is not None or price.aggregate_usage is not None
    return None if is_measured else line.quantity


class _LaterEntries:
    """What came after a statement, up to a view of usage."""

    def __init__(
        self,
        engine: Engine,
        definitions: Definitions,
        view: UsageView,
        content: StatementContent,
    ) -> None:
        self._engine = engine
        self._definitions = definitions
        self._view = view
        self._content = content
        self._adjusted = engine.usage.adjusted_since(content.position, view.position)

    def causes(self, line: BilledLine, planned: PlannedLine) -> Iterator[_Cause]:
        """Yield the entries that concern a line, in the order of the log."""
        meters = self._definitions.by_id
        period = line.period_start, line.period_end
        start, end = recorded_span(*counted_span(*period, self._content.at))
        if start >= end:
            return
        if line.meter_id is None:
            events = self._changed_records(planned, start, end)
        elif (meter := meters[line.meter_id]).event_time_window is None:
            series = Series(meter=meter, customer=self._content.customer)
            events = self._changed(series, start, end)
        else:
            length = LENGTHS[meter.event_time_window]
            events = self._changed_windows(meter, start, end, length)
        found = [self._cause(line, event) for event in events]
        yield from sorted(found, key=lambda each: each.position)

    def _changed_records(
        self, planned: PlannedLine, start: int, end: int
    ) -> list[RecordedEvent]:
        """Return the same of the usage records of an item."""
        assert planned.item_id is not None, "they are an item's"
        is_ever = planned.price.aggregate_usage is AggregateUsage.LAST_EVER
        return [
            event
            for series in item_records(self._definitions, planned.item_id)
            for event in self._changed(series, 0 if is_ever else start, end)
        ]

    def _changed(self, series: Series, start: int, end: int) -> list[RecordedEvent]:
        """Return the events that count today and did not, or the other way round."""
        # Without cancellations, nothing before the statement can have changed.
        after = 0 if self._adjusted else self._content.position
        wanted = EventQuery(
            event_name=series.meter.event_name,
            customer=series.customer,
            start=start,
            end=end,
            after=after,
        )
        events = recorded_events(self._engine.log, self._view, wanted)
        return [event for event in events if self._counted(event) == event.is_cancelled]

    def _changed_windows(
        self, meter: MeterDefinition, start: int, end: int, length: int
    ) -> list[RecordedEvent]:
        """Return the events of `_changed` of a pre-aggregated meter.

        The last event of a window counts, where its own timestamp lies. So one beside
        the period can take the place of one in it, in a window that the bound cuts.
        """
        wanted = EventQuery(
            event_name=meter.event_name,
            customer=self._content.customer,
            start=floor_to(start, length),
            end=ceil_to(end, length),
            after=0,
        )
        events = [*recorded_events(self._engine.log, self._view, wanted)]
        lasts: dict[int, list[RecordedEvent | None]] = {}
        for event in events:  # In the order of the log.
            both = lasts.setdefault(event.row.timestamp // length, [None, None])
            if self._counted(event):
                both[0] = event
            if not event.is_cancelled:
                both[1] = event

        def is_inside(event: RecordedEvent | None) -> bool:
            return event is not None and start <= event.row.timestamp < end

        def concerns(event: RecordedEvent) -> bool:
            then, now = lasts[event.row.timestamp // length]
            return is_inside(event) or (
                then is not now and (is_inside(then) or is_inside(now))
            )

        return [
            event
            for event in events
            if self._counted(event) == event.is_cancelled and concerns(event)
        ]

    def _counted(self, event: RecordedEvent) -> bool:
        """Whether an event counted when the statement was made."""
        if event.position > self._content.position:
            return False
        adjusted = self._adjusted.get(event.position)
        return not (event.is_cancelled if adjusted is None else adjusted.was_cancelled)

    def _cause(self, line: BilledLine, event: RecordedEvent) -> _Cause:
        position, recorded_at = event.position, event.recorded_at
        kind, adjusted = "event", self._adjusted.get(event.position)
        if adjusted is not None and position <= self._content.position:
            kind = "cancellation" if event.is_cancelled else "restoration"
            position = abs(adjusted.adjustment)
            commit = self._engine.log.history.commit_holding(position)
            recorded_at = self._engine.log.time.of(position, commit.recorded_at)
        row = event.row
        return _Cause(
            line=line.id,
            kind=kind,
            position=position,
            recorded_at=recorded_at,
            event_position=event.position,
            identifier=row.identifier,
            timestamp=row.timestamp,
            value=row.value,
        )
