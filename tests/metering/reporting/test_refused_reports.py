"""What cannot be asked for is one clear error each."""

from typing import Any

import pytest

import metering
from tests.metering.usual_credits import DAY
from tests.metering.usual_usage import NOW

EVENTS = "metering.events.1"
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("metering.nothing.1", {}, "report_type", "metering.usage_by_customer.1"),
    (EVENTS, {"columns": ["price"]}, "parameters[columns]", "of position, recorded_at"),
    (EVENTS, {"columns": ["value"] * 2}, "parameters[columns]", "twice"),
    (EVENTS, {"columns": []}, "parameters[columns]", "1"),
    (EVENTS, {"timezone": "Mars/Base"}, "parameters[timezone]", "Europe/Berlin"),
    (EVENTS, {"format": "xml"}, "parameters[format]", "csv"),
    (EVENTS, {"payout": "po_1"}, "parameters[payout]", "unknown"),
    (
        EVENTS,
        {"interval_end": NOW + DAY},
        "parameters[interval_end]",
        "data_available_end 2026-03-01T12:00:00.000Z",
    ),
    (
        EVENTS,
        {"interval_start": -1},
        "parameters[interval_start]",
        "data_available_start 1970-01-01T00:00:00.000Z",
    ),
    (
        "metering.rejected_events.1",
        {"interval_start": NOW - 31 * DAY},
        "parameters[interval_start]",
        "data_available_start 2026-01-30T12:00:00.000Z",
    ),
    (
        EVENTS,
        {"interval_start": NOW - DAY, "interval_end": NOW - DAY},
        "parameters[interval_end]",
        "2026-02-28T12:00:00.000Z is not after interval_start 2026-02-28T12:00:00.000Z",
    ),
    (EVENTS, {"interval_start": "soon"}, "parameters[interval_start]", "ISO 8601"),
]


@pytest.mark.parametrize(("report_type", "parameters", "param", "told"), REFUSED)
def test_what_cannot_be_reported_is_refused(
    report_type: Any, parameters: Any, param: str, told: str
) -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        with pytest.raises(metering.InvalidRequestError) as refused:
            store.reports.create(report_type=report_type, parameters=parameters)

        assert refused.value.param == param
        assert told in refused.value.message
        assert store.reports.list() == []
