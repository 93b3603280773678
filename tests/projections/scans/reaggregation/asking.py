"""Questions to the product: by example, and those that are asked of the oracle."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ledger.facts.meters import EventTimeWindow, Formula
from projections.calendar import WindowUnit, windows_between
from projections.scans.reaggregation.question import Measure, Question
from tests.projections.scans.reaggregation.naive import Asked, Event
from tests.projections.scans.reaggregation.segments import instant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NONE = np.zeros(0, np.int64)


def event(position: int, value: object = 1, **keywords: Any) -> Event:
    known: dict[str, Any] = {
        "event_name": "tokens",
        "customer": "cus_1",
        "timestamp": NOON,
        **keywords,
    }
    return Event(position=position, value=Decimal(str(value)), **known)


def measure(formula: str = "sum", **keywords: Any) -> Measure:
    known = {"meter_id": "mtr_1", "event_name": "tokens", **keywords}
    return Measure(formula=Formula(formula), **known)


def question(*measures: Measure, **keywords: Any) -> Question:
    start, end = NOON - 12 * HOUR, NOON + 12 * HOUR
    known: dict[str, Any] = {"start": instant(start), "end": instant(end), **keywords}
    windows = windows_between(WindowUnit.DAY, UTC, known["start"], known["end"])
    return Question(
        measures=measures or (measure(),), windows=windows, up_to=1000, **known
    )


def question_of(asked: Asked) -> Question:
    zone = UTC if asked.zone == "UTC" else ZoneInfo(asked.zone)
    start, end = instant(asked.start), instant(asked.end)
    return Question(
        measures=tuple(
            Measure(
                meter_id=meter.id,
                event_name=meter.event_name,
                formula=Formula(meter.formula),
                event_time_window=None
                if meter.event_time_window is None
                else EventTimeWindow(meter.event_time_window),
                payload_key=meter.key,
            )
            for meter in asked.meters
        ),
        start=start,
        end=end,
        windows=windows_between(WindowUnit(asked.unit), zone, start, end),
        customers=asked.customers,
        dimensions=tuple(asked.dimensions),
        filters=asked.filters,
        up_to=asked.up_to,
    )
