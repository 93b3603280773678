"""Own a history of everything that reports are of, and how reports are read."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import metering
from metering.stream.error_reports import RefusedEvent
from tests.metering.usual_credits import DAY, apply, grant, line, money
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter

TYPES = (
    "metering.usage_by_customer.1",
    "metering.usage_by_day.1",
    "metering.events.1",
    "metering.rejected_events.1",
    "metering.credits_activity.1",
    "metering.statements.1",
)


def usage(store: metering.Metering, first: int, count: int) -> None:
    """Record events of three customers and two meters, over some days."""
    for number in range(first, first + count):
        create_event(
            store,
            ("tokens", "calls")[number % 2],
            {"stripe_customer_id": f"cus_{number % 3}", "value": f"{number}.25"},
            identifier=f"event-{number}",
            timestamp=NOW - timedelta(hours=7 * number + 1),
        )


def live(clock: metering.FixedClock, store: metering.Metering) -> None:
    """Live through events, credits, statements and refusals."""
    tokens = create_meter(store)
    create_meter(store, "calls", "max")
    usage(store, 0, 20)
    cancel_event(store, "event-4")
    price = create_price(store, tiers=TIERS, recurring=metered(tokens.id))
    stated: Any = {"prices": [price.id], "start_time": NOW - DAY, "end_time": NOW}
    grant(store, 1_000)
    grant(store, 500, customer="cus_2", expires_at=NOW + DAY)
    store.credit_grants.void(grant(store, 70).id)
    store.credit_pools.create(id="team", cap=money(50))
    store.credit_pools.add_member("team", customer="cus_1")
    grant(store, 90, customer=None, pool="team")
    apply(store, "in_1", line(600))
    store.credits.reinstate(invoice="in_1")
    apply(store, "in_2", line(300), line(820, id="il_2"))
    store.statements.finalize(id="st_1", customer="cus_0", **stated)
    store.statements.void("st_1")
    store.statements.finalize(id="st_2", customer="cus_2", **stated)
    refused = RefusedEvent(
        event_name="tokens",
        code="no_meter",
        message="Why",
        identifier="event",
        request=None,
    )
    store.internals.add_refused([refused, refused])
    clock.advance(2 * DAY)
    # What time alone brought about is recorded here.
    store.deliver()


def go_on(store: metering.Metering) -> None:
    """Record what a report that was asked for before knows nothing of."""
    usage(store, 20, 5)
    cancel_event(store, "event-9", "calls")
    store.seal()
    apply(store, "in_3", line(5), customer="cus_1")
    store.credits.reinstate(invoice="in_2")
    grant(store, 7, customer="cus_9")
    store.statements.void("st_2")


def ask(
    store: metering.Metering, report_type: Any, **parameters: Any
) -> metering.ReportRun:
    given: Any = parameters or None
    return store.reports.create(report_type=report_type, parameters=given)


def content(store: metering.Metering, run: metering.ReportRun) -> bytes:
    return b"".join(store.reports.open(run.id))


def made(store: metering.Metering, report_type: str, **parameters: Any) -> bytes:
    run = ask(store, report_type, **parameters)
    store.reports.make()
    return content(store, run)


def rows(
    store: metering.Metering, report_type: str, **parameters: Any
) -> list[Mapping[str, str]]:
    written = made(store, report_type, **parameters).decode()
    return list(csv.DictReader(io.StringIO(written)))
