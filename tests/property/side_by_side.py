"""Own the comparison: one history played by a real store and by the oracle at once.

Two connections to the same store are open throughout; each step names the one that
acts, so that what one writes the other must read. Every answer of an operation is
compared at once, every summary and event whenever asked.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import singledispatchmethod
from typing import Literal

import pyarrow as pa
import pytest

import metering
from tests.oracles.log_time import OracleTime
from tests.oracles.usage import (
    Oracle,
    OracleEvent,
    OracleMeter,
    Outcome,
    Row,
    Span,
    broken_text_rules,
)
from tests.property import operations as does
from tests.property.answers import QUESTIONS, cancel, create, create_meter
from tests.property.sources import as_source
from tests.property.two_connections import TwoConnections
from tests.strategies import MICROSECOND, MIDNIGHT, START

LIFETIME: Span = (
    START - timedelta(days=550),
    START + timedelta(days=200),
)


ODD: Span = (
    MIDNIGHT - timedelta(hours=90) + MICROSECOND,
    MIDNIGHT + timedelta(hours=1) - MICROSECOND,
)
REAGGREGATED: tuple[tuple[Span, Literal["day", "hour"]], ...] = (
    (LIFETIME, "day"),
    (ODD, "hour"),
)
# A result has the digits of an event's value.
Window = tuple[Span, Decimal]
"""Its bounds, and the usage in it."""


class SideBySide(TwoConnections):
    """A store and an oracle that have lived through the same steps."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START, seal_events=None)
        self.oracle = Oracle()
        self.meters: dict[str, metering.Meter] = {}
        self.sent: list[Row] = []
        self.past: list[tuple[int, Span, Literal["day", "hour"], pa.Table]] = []
        self.time = OracleTime()

    def play(self, history: does.History) -> None:
        for meter in history.meters:
            self.act(0, does.Define(meter=meter))
            self.compare_position()
        for number, operation in history.steps:
            self.do(number, operation)
            self.compare_position()

    def act(self, number: int, deed: does.Operation) -> None:
        self.operate(deed, number)

    def compare_position(self) -> None:
        new = self.oracle.position - len(self.time.instants)
        self.time.instants += [max(self.now, self.time.latest)] * new
        for connection in self.connections:
            assert connection.catch_up() == self.oracle.position
            assert connection.position == self.oracle.position

    def compare_everything(self, connection: int) -> None:
        for meter in self.oracle.meters:
            for customer in self.customers():
                for span, grouping, fill in self.questions(meter, customer):
                    asked = does.Read(
                        event_name=meter,
                        customer=customer,
                        span=span,
                        grouping=grouping,
                        fill=fill,
                    )
                    self.compare_summaries(asked, connection)
        self.compare_events(connection, "", "", None)
        self.compare_reaggregations(connection)
        self.compare_times(connection)

    def compare_times(self, connection: int) -> None:
        """What was known at a time is what was known at the last position by then."""
        m = self.connections[connection]
        known = sorted(set(self.time.instants))
        for instant in {*known[:1], *known[-2:], *known[len(known) // 2 :][:1]}:
            for at in (instant - MICROSECOND, instant):
                position = self.time.position_at(at)
                by_time = m.reaggregate(as_of=at, window="month")
                assert by_time == m.reaggregate(as_of=position, window="month")

    def compare_reaggregations(self, connection: int) -> None:
        """Recomputed from the events, every customer has what was asked one by one."""
        m = self.connections[connection]
        for span, window in REAGGREGATED:
            expected = {
                (self.meters[name].id, customer): summaries[::-1]
                for name in self.oracle.meters
                for customer in self.customers()
                if (
                    summaries := self.oracle.summaries(
                        name, customer, span, window, fill=False
                    )
                )
            }
            table = m.reaggregate(None, *span, window)
            found: dict[tuple[str, str], list[Window]] = {}
            for row in table.to_pylist():
                windows = found.setdefault((row["meter"], row["customer"]), [])
                windows.append(((row["window_start"], row["window_end"]), row["value"]))
            assert found == expected
            assert m.usage(None, *span, window).equals(table, check_metadata=True)
            self.past.append((self.oracle.position, span, window, table))

    def compare_past(self, connection: int) -> None:
        """What was known at a position can be asked for ever, and is the same."""
        for position, span, window, known in self.past:
            m = self.connections[connection]
            table = m.reaggregate(None, *span, window, as_of=position)

            assert table.equals(known)

    def verify(self, connection: int) -> None:
        report = self.connections[connection].verify()

        assert report.problems == ()
        assert report.ok
        assert report.position == self.oracle.position

    def customers(self) -> list[str]:
        seen = {event.customer for event in self.oracle.accepted}
        return [*sorted(seen), "nobody"]

    def questions(
        self, event_name: str, customer: str
    ) -> Iterator[tuple[Span, does.Grouping, bool]]:
        """Windows that end at odd microseconds, at hours and days, and at events."""
        hour = timedelta(hours=1)
        yield (LIFETIME, "", False)
        yield (LIFETIME, "day", False)
        for number, (span, grouping) in enumerate(QUESTIONS):
            # Filled: whole days by day, and odd bounds by hour.
            yield (span, grouping, number in {2, 4})
        for event in self.oracle.events(event_name, customer)[-2:]:
            moment = event.timestamp
            yield (moment, moment + MICROSECOND), "", False
            yield (moment - 2 * hour, moment), "hour", False
            yield (moment, moment + 25 * hour), "", False

    def compare_summaries(self, asked: does.Read, connection: int) -> None:
        meter = self.meters[asked.event_name]
        answer = self.connections[connection].meters.event_summaries(
            meter.id,
            customer=asked.customer,
            start_time=asked.span[0],
            end_time=asked.span[1],
            value_grouping_window=asked.grouping or None,
            fill=asked.fill,
        )
        expected = self.oracle.summaries(
            asked.event_name,
            asked.customer,
            asked.span,
            asked.grouping,
            fill=asked.fill,
        )

        found = [((s.start_time, s.end_time), s.aggregated_value) for s in answer]
        assert found == expected, asked
        for summary in answer:
            assert isinstance(summary.aggregated_value, Decimal)
            assert summary.aggregated_value or not summary.aggregated_value.is_signed()
            assert summary.meter == meter.id
            assert summary.position == self.oracle.position

    def compare_events(
        self, connection: int, event_name: str, customer: str, span: Span | None
    ) -> None:
        start, end = span or (None, None)
        answer = self.connections[connection].meter_events.list(
            event_name=event_name or None,
            customer=customer or None,
            start_time=start,
            end_time=end,
        )
        expected = self.oracle.events(event_name, customer, *([span] if span else []))

        events = list(answer)
        assert [event.position for event in events] == [e.position for e in expected]
        for event, known in zip(events, expected, strict=True):
            self.compare_event(event, known)
        names = {(event.event_name, event.identifier) for event in events}
        assert len(names) == len(events)

    def compare_event(self, event: metering.MeterEvent, known: OracleEvent) -> None:
        meter = self.oracle.meters[known.event_name]
        payload = dict(event.payload)

        assert event.position == known.position
        assert event.event_name == known.event_name
        assert event.identifier == (known.identifier or event.identifier)
        assert event.timestamp == known.timestamp
        recorded = self.time.instants[known.position - 1 : known.position]
        assert event.created in (recorded or [max(self.now, self.time.latest)])
        assert event.cancelled == known.cancelled
        assert payload.pop(meter.customer_key) == known.customer
        if meter.formula != "count":
            value = Decimal(payload.pop(meter.value_key))
            assert value == known.value
            assert value or not value.is_signed()
        assert payload == known.payload

    @singledispatchmethod
    def operate(self, operation: does.Operation, connection: int) -> None:
        raise NotImplementedError(operation)

    @operate.register
    def _(self, operation: does.Define, connection: int) -> None:
        meter = operation.meter
        store = self.connections[connection]
        with self._unless_refused(is_possible=self.oracle.create_meter(meter)):
            self.meters[meter.event_name] = create_meter(store, meter)

    @operate.register
    def _(self, operation: does.SetActive, connection: int) -> None:
        meters = self.connections[connection].meters
        is_possible = self.oracle.set_active(
            operation.event_name, active=operation.active
        )
        change = meters.reactivate if operation.active else meters.deactivate
        with self._unless_refused(is_possible=is_possible):
            changed = change(self.meters[operation.event_name].id)

            assert changed.status == ("active" if operation.active else "inactive")

    @operate.register
    def _(self, operation: does.Rename, connection: int) -> None:
        meters = self.connections[connection].meters
        name = f"Renamed at {self.oracle.position}"
        self.oracle.position += 1

        renamed = meters.update(self.meters[operation.event_name].id, display_name=name)

        assert renamed.display_name == name

    @operate.register
    def _(self, operation: does.LetAClockBeWrong, connection: int) -> None:
        del connection
        self.let_the_clock_be_wrong(operation.by)

    @operate.register
    def _(self, operation: does.CorrectTime, connection: int) -> None:
        to = self.correct_time(connection, self.time, operation.share)
        if to is not None:
            self.time.correct(to, self.now)
            self.oracle.position += 1

    @operate.register
    def _(self, operation: does.Create, connection: int) -> None:
        row = self._resolve(operation.item)
        answer = self._create(row, connection)
        if isinstance(answer, metering.MeterEvent):
            row = self.sent[-1] = replace(row, identifier=answer.identifier)
        outcome = self._expect(row)

        if isinstance(answer, metering.MeterEvent):
            assert outcome.kind == ("duplicate" if answer.duplicate else "accepted")
            known = [e for e in self.oracle.accepted if e.position == outcome.position]
            self.compare_event(answer, known[0])
        elif isinstance(answer, metering.IdentifierConflictError):
            assert outcome.kind == "conflict"
            assert set(answer.fields) == outcome.names
            assert answer.position == outcome.position
        else:
            assert outcome.kind == "rejected"
            assert answer.code in outcome.names

    @operate.register
    def _(self, operation: does.Ingest, connection: int) -> None:
        rows = [self._resolve(item) for item in operation.items]
        receipt = self.connections[connection].meter_events.ingest(
            as_source(rows, operation.form, operation.cuts),
            backfill=operation.backfill,
            now=True,
            timezone="UTC",
        )
        outcomes = [
            self._expect(self.oracle.among_many(row), backfill=operation.backfill)
            for row in rows
        ]

        kinds = Counter(outcome.kind for outcome in outcomes)
        assert receipt.accepted == kinds["accepted"]
        assert receipt.duplicates == kinds["duplicate"]
        assert receipt.rejected == kinds["rejected"] + kinds["conflict"]
        positions = [each.position for each in outcomes if each.kind == "accepted"]
        assert receipt.first_position == min(positions, default=None)
        assert receipt.last_position == max(positions, default=None)
        self._compare_rejections(receipt, rows, outcomes)

    @operate.register
    def _(self, operation: does.Cancel, connection: int) -> None:
        self._cancel(operation.event_name, operation.identifier, connection)

    @operate.register
    def _(self, operation: does.CancelSent, connection: int) -> None:
        row = self.sent[-1 - operation.back % len(self.sent)] if self.sent else None
        if row is not None and row.identifier is not None:
            self._cancel(row.event_name, row.identifier, connection)

    @operate.register
    def _(self, operation: does.Read, connection: int) -> None:
        self.compare_summaries(operation, connection)
        self.compare_events(
            connection, operation.event_name, operation.customer, operation.span
        )

    @operate.register
    def _(self, operation: does.Advance, connection: int) -> None:
        self.clock.advance(operation.by)

    @operate.register
    def _(self, operation: does.CompareEverything, connection: int) -> None:
        self.compare_everything(connection)

    def _create(
        self, row: Row, connection: int
    ) -> metering.MeterEvent | metering.MeteringError:
        try:
            return create(self.connections[connection], row)
        except metering.MeteringError as error:
            return error

    def _expect(self, row: Row, *, backfill: bool = False) -> Outcome:
        outcome = self.oracle.create_event(row, self.now, backfill=backfill)
        self.reached[outcome.kind] += 1
        self.reached.update(outcome.names)
        return outcome

    def _resolve(self, item: does.Fresh | does.Again) -> Row:
        if isinstance(item, does.Fresh):
            row = item.at(self.now)
        elif self.sent:
            row = self.sent[-1 - item.back % len(self.sent)]
            unknown = OracleMeter(event_name=row.event_name, formula="sum")
            meter = self.oracle.meters.get(row.event_name, unknown)
            row = does.changed(row, item.change, meter)
        else:
            row = Row(event_name="nothing was sent yet", payload={})
        self.sent.append(row)
        return row

    def _compare_rejections(
        self, receipt: metering.IngestReceipt, rows: list[Row], outcomes: list[Outcome]
    ) -> None:
        reported = receipt.rejections.to_pylist()
        refused = [
            number
            for number, outcome in enumerate(outcomes)
            if outcome.kind in {"rejected", "conflict"}
        ]

        assert [rejection["row"] for rejection in reported] == refused
        for rejection in reported:
            row, outcome = rows[rejection["row"]], outcomes[rejection["row"]]
            is_conflict = outcome.kind == "conflict"
            codes = {"identifier_conflict"} if is_conflict else outcome.names
            assert rejection["code"] in codes
            assert rejection["message"]
            if "invalid_characters" not in codes:
                assert rejection["identifier"] == row.identifier

    def _cancel(self, event_name: str, identifier: str, connection: int) -> None:
        store = self.connections[connection]
        row = Row(event_name=event_name, payload={}, identifier=identifier)
        before = self.oracle.position
        known = self.oracle.cancel(event_name, identifier)
        if known is None:
            self.reached["cancelled nothing"] += 1
            with pytest.raises(metering.MeteringError) as caught:
                cancel(store, row)
            assert caught.value.code == "resource_missing" or broken_text_rules(row)
            return
        is_first = self.oracle.position > before
        self.reached["cancelled" if is_first else "cancelled again"] += 1

        assert cancel(store, row).status == "complete"

    @contextmanager
    def _unless_refused(self, *, is_possible: bool) -> Iterator[None]:
        if is_possible:
            yield
            return
        self.reached["refused"] += 1
        with pytest.raises(metering.MeteringError):
            yield
