"""Error reports: what was refused on the stream, by meter and window, on each backend."""

from datetime import timedelta

import pytest

import metering
from metering.stream.error_reports import RefusedEvent
from tests.conftest import Connect
from tests.metering.usual_usage import NOW, create_meter

REPORT = "v1.billing.meter.error_report_triggered"
NO_METER = "v1.billing.meter.no_meter_found"
WINDOW = timedelta(seconds=10)


def refused(
    code: str = "meter_event_invalid_value",
    event_name: str = "tokens",
    identifier: str = "request_1",
) -> RefusedEvent:
    return RefusedEvent(
        event_name=event_name,
        code=code,
        message=f"What {code} says",
        identifier=identifier,
        request=None,
    )


@pytest.fixture
def opened(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


@pytest.fixture
def meter(opened: metering.Metering) -> metering.Meter:
    return create_meter(opened)


def test_a_report_is_there_when_its_window_has_ended(
    opened: metering.Metering, meter: metering.Meter, clock: metering.FixedClock
) -> None:
    clock.advance(timedelta(seconds=3))
    opened.internals.add_refused(
        [refused("archived_meter"), refused(), refused(identifier="request_2")]
    )
    clock.advance(timedelta(seconds=7) - timedelta(microseconds=1))
    assert opened.error_reports.list() == []

    clock.advance(timedelta(microseconds=1))
    [report] = opened.error_reports.list()

    assert report == metering.ErrorReport(
        id=report.id,
        type=REPORT,
        created=NOW + WINDOW,
        livemode=False,
        meter=meter.id,
        validation_start=NOW,
        validation_end=NOW + WINDOW,
        error_types=(
            metering.ErrorType(
                code="archived_meter",
                error_count=1,
                samples=(("What archived_meter says", "request_1"),),
            ),
            metering.ErrorType(
                code="meter_event_invalid_value",
                error_count=2,
                samples=(
                    ("What meter_event_invalid_value says", "request_1"),
                    ("What meter_event_invalid_value says", "request_2"),
                ),
            ),
        ),
    )
    assert opened.error_reports.retrieve(report.id) == report


@pytest.mark.dialect
def test_processes_of_one_store_share_a_report(
    connect: Connect,
    opened: metering.Metering,
    meter: metering.Meter,
    clock: metering.FixedClock,
) -> None:
    other = connect(clock=clock)
    other.meters.list()
    for store in (opened, other, opened):
        store.internals.add_refused([refused(), refused()])
    # Whoever wrote them down may be gone.
    opened.close()
    clock.advance(WINDOW)

    [report] = other.error_reports.list()
    [again] = connect(clock=clock).error_reports.list()

    assert report.meter == meter.id
    assert [each.error_count for each in report.error_types] == [6]
    assert len(report.error_types[0].samples) == 5
    assert again == report


def test_each_meter_and_each_window_has_a_report(
    opened: metering.Metering, meter: metering.Meter, clock: metering.FixedClock
) -> None:
    other = create_meter(opened, "calls")
    for _ in range(2):
        opened.internals.add_refused([refused(), refused(event_name="calls")])
        opened.internals.add_refused([refused("no_meter", "nothing")])
        clock.advance(WINDOW)

    reports = opened.error_reports.list()

    ends = [report.validation_end for report in reports]
    assert ends == [NOW + 2 * WINDOW] * 3 + [NOW + WINDOW] * 3
    for of_window in (reports[:3], reports[3:]):
        assert {(each.type, each.meter) for each in of_window} == {
            (REPORT, meter.id),
            (REPORT, other.id),
            (NO_METER, None),
        }


def test_reports_are_found_by_type_meter_and_time(
    opened: metering.Metering, meter: metering.Meter, clock: metering.FixedClock
) -> None:
    for _ in range(3):
        opened.internals.add_refused([refused(), refused("no_meter", "nothing")])
        clock.advance(WINDOW)
    reports = opened.error_reports

    assert {each.meter for each in reports.list(types=[NO_METER])} == {None}
    assert len(reports.list(types=[NO_METER, REPORT, "v1.other"])) == 6
    assert reports.list(types=["v1.other"]) == []
    assert {each.type for each in reports.list(meter=meter.id)} == {REPORT}
    assert reports.list(meter="mtr_none") == []
    at = NOW + 2 * WINDOW
    for name, count in (("gt", 2), ("gte", 4), ("lt", 2), ("lte", 4)):
        assert len(reports.list(created={name: at})) == count, name  # type: ignore[arg-type]  # one of them
    assert len(reports.list(created={"gte": at, "lt": at + WINDOW})) == 2


@pytest.mark.dialect
def test_reports_come_page_by_page(
    opened: metering.Metering, meter: metering.Meter, clock: metering.FixedClock
) -> None:
    for _ in range(3):
        opened.internals.add_refused([refused(), refused("no_meter", "nothing")])
        clock.advance(WINDOW)
    everything = opened.error_reports.list()
    assert meter.id in {each.meter for each in everything}

    paged = opened.error_reports.list(limit=4)
    paged += opened.error_reports.list(limit=4, starting_after=paged[-1].id)

    assert paged == everything


@pytest.mark.parametrize("is_followed", [False, True])
def test_a_report_is_forgotten_after_thirty_days(
    opened: metering.Metering,
    meter: metering.Meter,
    clock: metering.FixedClock,
    *,
    is_followed: bool,
) -> None:
    opened.internals.add_refused([refused()])
    clock.advance(WINDOW)
    [first] = opened.error_reports.list()
    assert first.meter == meter.id
    clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert opened.error_reports.retrieve(first.id) == first
    assert opened.error_reports.list() == [first]
    if is_followed:
        opened.internals.add_refused([refused()])

    clock.advance(WINDOW)

    others = opened.error_reports.list()
    assert len(others) == int(is_followed)
    assert first not in others
    with pytest.raises(metering.ResourceMissingError):
        opened.error_reports.retrieve(first.id)
    with pytest.raises(metering.ResourceMissingError):
        opened.error_reports.list(starting_after=first.id)


def test_reports_of_the_other_mode_are_none(
    connect: Connect,
    opened: metering.Metering,
    meter: metering.Meter,
    clock: metering.FixedClock,
) -> None:
    live = connect(clock=clock, livemode=True)
    live.meters.list()
    live.internals.add_refused([refused(), refused()])
    opened.internals.add_refused([refused()])
    clock.advance(WINDOW)

    [of_test], [of_live] = opened.error_reports.list(), live.error_reports.list()

    assert of_test.meter == of_live.meter == meter.id
    assert (of_test.livemode, of_live.livemode) == (False, True)
    assert of_live.error_types[0].error_count == 2
    with pytest.raises(metering.ResourceMissingError):
        opened.error_reports.retrieve(of_live.id)
