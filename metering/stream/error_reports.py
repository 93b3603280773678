"""Error reports: what a stream refused, whose senders do not wait for an answer.

Every refusal is written down, durably, before its request is acknowledged. A report
counts those on one meter in a window of ten seconds. The next process to look after the
window has ended makes it, in one database transaction with its deliveries to the
endpoints that name its type: no report is without its deliveries, and none has them
twice, whenever a process dies.
Source: https://docs.stripe.com/api/v2/core/events/event-types
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ledger.appending.writing import Writing
from ledger.records.idempotency import Request
from ledger.records.outbox import Outbox, OutgoingEvent
from ledger.records.refusals import (
    REPORTS_KEPT,
    SAMPLES_MAX,
    Bounds,
    ErrorsOfCode,
    Refusals,
    StoredReport,
)
from ledger.records.requests import Requests
from metering.arguments.ids import found_by_id, identifier_of
from metering.arguments.pages import ListObject, check_cursors, listed
from metering.arguments.schema import checked
from metering.arguments.strings import check_word
from metering.arguments.times import CreatedBounds, bounds_of
from metering.bodies import encoded
from metering.store.engine import Engine
from metering.stream.requests import LIMIT, ErrorReportList
from metering.stream.resources import (
    REPORT_TRIGGERED,
    REPORT_TYPES,
    ErrorReport,
    report_resource,
)
from metering.stream.thin_events import notification_body
from projections.kernels.endpoints import Endpoint
from projections.webhooks.past import Past
from projections.webhooks.queries import EndpointQueries

_NO_METER = "no_meter"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEvent:
    """An event of the stream that was refused.

    Attributes:
        identifier: of the request that it came with.
        request: that request, where it has an idempotency key.
    """

    event_name: str
    code: str
    message: str
    identifier: str
    request: Request | None


class ErrorReports:
    """The error reports of a store, for 30 days."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def retrieve(self, report_id: str) -> ErrorReport:
        """Return a report by its id.

        Raises:
            ResourceMissingError: there is no such report.
        """
        make_reports(self._engine)
        return report_resource(found_by_id(self._find, report_id, "event"))

    def list(
        self,
        *,
        types: Sequence[str] | None = None,
        meter: str | None = None,
        created: CreatedBounds | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[ErrorReport]:
        """Return reports, newest first.

        Args:
            types: the types to list; None is every type.
            meter: id of the meter; None is any, or none.
            created: bounds, of gt, gte, lt and lte.
            limit: 1 to 100.
            starting_after: id of the report before the first one to list.
            ending_before: id of the report behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no report.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        make_reports(self._engine)
        return self._page(
            checked(
                ErrorReportList,
                types=types,
                meter=meter,
                created=created,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: ErrorReportList) -> ListObject[ErrorReport]:
        check_cursors(asked)
        if asked.meter is not None:
            check_word(asked.meter, "meter")
        assert asked.limit is not None, "reports are read by pages"
        wanted = set(REPORT_TYPES).intersection(asked.types or REPORT_TYPES)
        if not wanted:
            return ListObject()
        start, end = bounds_of(asked.created)
        older_than = self._cursor(asked.starting_after, "starting_after")
        newer_than = self._cursor(asked.ending_before, "ending_before")
        log = self._engine.log
        with log.read() as connection:
            now = log.judge.real_time(connection, self._engine.now())
            bounds = Bounds(
                livemode=self._engine.settings.livemode,
                # Those that are older are there until the next report is made.
                start=max(start, now - REPORTS_KEPT + 1),
                end=end,
                meter_id=asked.meter,
                has_meter=None if len(wanted) == 2 else REPORT_TRIGGERED in wanted,
            )
            found = Refusals(connection).reports(
                bounds, asked.limit + 1, older_than=older_than, newer_than=newer_than
            )
        return listed(asked, [report_resource(each) for each in found], self._page)

    def _cursor(self, report_id: str | None, param: str) -> StoredReport | None:
        if report_id is None:
            return None
        return found_by_id(self._find, report_id, "event", param)

    def _find(self, report_id: str) -> StoredReport | None:
        livemode = self._engine.settings.livemode
        log = self._engine.log
        with log.read() as connection:
            now = log.judge.real_time(connection, self._engine.now())
            return Refusals(connection).find_report(report_id, now, livemode=livemode)


def add_refused(engine: Engine, refused: Sequence[RefusedEvent]) -> None:
    """Record refused events, durably, to be reported.

    Those of a request that is sent again under its idempotency key count once.
    """
    livemode = engine.settings.livemode
    with engine.writing() as writing:
        _report_windows(engine, writing)
        requests, now = Requests(writing.connection), writing.real_now
        fresh = _counted(engine, _first_sent(refused, requests, now))
        Refusals(writing.connection).add_errors(fresh, now, livemode=livemode)


def make_reports(engine: Engine) -> int:
    """Make the reports of windows that have ended; return how many deliveries."""
    with engine.log.read() as connection:
        now = engine.log.judge.real_time(connection, engine.now())
        is_due = Refusals(connection).has_ended_window(now)
    if not is_due:
        return 0
    with engine.writing() as writing:
        return _report_windows(engine, writing)


def _counted(
    engine: Engine, refused: Iterable[RefusedEvent]
) -> Mapping[str, Sequence[ErrorsOfCode]]:
    """Count events by the meter, empty where there is none, and the code."""
    meters = engine.known_definitions().by_event_name
    grouped: dict[tuple[str, str], list[RefusedEvent]] = defaultdict(list)
    for each in refused:
        meter = None if each.code == _NO_METER else meters.get(each.event_name)
        grouped["" if meter is None else meter.meter_id, each.code].append(each)
    counted: dict[str, list[ErrorsOfCode]] = defaultdict(list)
    for (meter_id, code), group in grouped.items():
        samples = group[:SAMPLES_MAX]
        counted[meter_id].append(
            ErrorsOfCode(
                code=code,
                error_count=len(group),
                samples=tuple((each.message, each.identifier) for each in samples),
            )
        )
    return counted


def _report_windows(engine: Engine, writing: Writing) -> int:
    """Make the reports of windows that have ended; return how many deliveries."""
    refusals, now = Refusals(writing.connection), writing.real_now
    made = refusals.report(lambda: engine.ids.resource("evt"), now)
    ends = {each.window_end for each in made}
    # It goes to those that wanted it when its window ended, whenever it is made.
    then = {at: _endpoints_at(writing, at) for at in ends}
    outgoing = [_outgoing(each, then[each.window_end]) for each in made]
    return Outbox(writing.connection).enqueue_apart(outgoing, now) if made else 0


def _endpoints_at(writing: Writing, instant: int) -> list[Endpoint]:
    past = Past(writing.connection)
    known = EndpointQueries(writing.connection).all_endpoints()
    then = (past.endpoint_at(each, instant) for each in known)
    return [each for each in then if each is not None and each.is_enabled]


def _outgoing(stored: StoredReport, endpoints: Sequence[Endpoint]) -> OutgoingEvent:
    report = report_resource(stored)
    return OutgoingEvent(
        event_id=report.id,
        event_type=report.type,
        body=encoded(notification_body(report)),
        endpoint_ids=tuple(
            each.endpoint_id for each in endpoints if each.names(report.type)
        ),
    )


def _first_sent(
    refused: Sequence[RefusedEvent], requests: Requests, now: int
) -> list[RefusedEvent]:
    """Leave out the events of requests that were written down before; write the others."""
    is_new = {
        request: request is None or requests.claim([_named(request)], now) == 1
        for request in dict.fromkeys(each.request for each in refused)
    }
    return [each for each in refused if is_new[each.request]]


def _named(request: Request) -> Request:
    """Name a request by what it asked, too: another one under its key is other usage."""
    name = identifier_of(request, request.fingerprint)
    return msgspec.structs.replace(request, idempotency_key=name)
