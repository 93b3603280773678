"""Reporting: windows of the stream that ended become reports, and these deliveries.

Both in one database transaction: no report is made of which an endpoint that wants it is
not told, nor one told of twice, whoever makes it and whenever a process dies.
"""

from collections.abc import Sequence

from ledger.appending.writing import Writing
from ledger.records.outbox import Outbox, UnrecordedEvent
from ledger.records.refusals import Refusals, StoredReport
from metering.bodies import encoded
from metering.store.engine import Engine
from metering.stream.resources import report_resource
from metering.stream.thin_events import notification_body
from projections.kernels.endpoints import Endpoint
from projections.webhooks.queries import EndpointQueries, Past


def make_reports(engine: Engine) -> int:
    """Make the reports of windows that have ended, and count the deliveries of them."""
    with engine.log.read() as connection:
        is_due = Refusals(connection).has_ended_window(engine.now())
    if not is_due:
        return 0
    with engine.writing() as writing:
        return report_windows(engine, writing)


def report_windows(engine: Engine, writing: Writing) -> int:
    """Make the reports in a write transaction that is open."""
    refusals, now = Refusals(writing.connection), writing.now
    made = refusals.report(lambda: engine.ids.resource("evt"), now)
    ends = {each.window_end for each in made}
    # Who wanted a report when its window ended is told of it, whenever it is made.
    then = {at: _endpoints_at(writing, at) for at in ends}
    told = [_told(each, then[each.window_end]) for each in made]
    return Outbox(writing.connection).enqueue_apart(told, now) if told else 0


def _endpoints_at(writing: Writing, instant: int) -> list[Endpoint]:
    past = Past(writing.connection)
    known = EndpointQueries(writing.connection).all_endpoints()
    then = (past.endpoint_at(each, instant) for each in known)
    return [each for each in then if each is not None and each.is_enabled]


def _told(stored: StoredReport, endpoints: Sequence[Endpoint]) -> UnrecordedEvent:
    report = report_resource(stored)
    return UnrecordedEvent(
        event_id=report.id,
        event_type=report.type,
        body=encoded(notification_body(report)),
        endpoint_ids=tuple(
            each.endpoint_id for each in endpoints if each.names(report.type)
        ),
    )
