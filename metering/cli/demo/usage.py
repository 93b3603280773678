"""Usage in the demo: ingested, watched, corrected, summed up and disputed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from time import perf_counter
from typing import Literal

import pyarrow as pa

import metering
from ledger.usage.arrow import compute as pc
from metering.arguments.pages import LIMIT_MAX
from metering.arguments.words import FormulaName
from metering.cli.commands.alerts import triggered_columns
from metering.cli.demo.stages import DemoStage, Progress
from metering.cli.demo.traffic import Traffic
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import Column, levels, show, show_pairs, show_table
from metering.cli.screens.text import (
    counted,
    moment,
    number,
    quantities,
    rate,
    second,
    sparkline,
)
from metering.cli.targets import find_meter

METERS: Mapping[str, tuple[FormulaName, str]] = {
    "input_tokens": ("sum", "Input tokens"),
    "output_tokens": ("sum", "Output tokens"),
    "compute_seconds": ("sum", "Compute seconds"),
    "storage_gb": ("last", "Vector storage, GB"),
}
FIRST_METER = "input_tokens"
_FAILED_EVENTS = 24
_THRESHOLD_PER_ROW = 10
_TRIGGERS_SHOWN = 5
_CUSTOMERS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CustomerUsage:
    """The input tokens of a customer, in all and by hour from old to new."""

    customer: str
    input_tokens: Decimal
    input_tokens_by_hour: list[Decimal]


def watch(m: metering.Metering, rows: int) -> metering.Alert:
    """Find or create an alert on customers that send ten tokens for each row."""
    meter, gte = find_meter(m, FIRST_METER).id, rows * _THRESHOLD_PER_ROW
    for alert in m.alerts.list(meter=meter, limit=LIMIT_MAX).auto_paging_iter():
        threshold = alert.usage_threshold
        if threshold is not None and threshold.gte == gte:
            return alert
    return m.alerts.create(
        title="Heavy use",
        usage_threshold={"gte": gte, "meter": meter, "recurrence": "one_time"},
    )


def sent(m: metering.Metering, traffic: Traffic, progress: Progress) -> DemoStage:
    """Ingest all rows; the time to make them up does not count."""
    receipts: list[metering.IngestReceipt] = []
    seconds = 0.0
    with progress_bar("Ingesting") as advance:
        for batch in _batches(traffic, progress.total - traffic.events):
            before = progress.rows

            def tell(reached: metering.IngestProgress, before: int = before) -> None:
                progress.rows = before + reached.rows
                advance(progress.rows, progress.total)

            start = perf_counter()
            receipts.append(m.meter_events.ingest(batch, backfill=True, progress=tell))
            seconds += perf_counter() - start
    m.meter_events.ingest(_storage(traffic), backfill=True)
    counts = {
        name: sum(getattr(receipt, name) for receipt in receipts)
        for name in ("accepted", "duplicates", "rejected")
    }
    rejections = pa.concat_tables(receipt.rejections for receipt in receipts)
    messages = rejections.column("message").to_pylist()

    def show_it() -> None:
        took = f"{seconds:.2f} s, {rate(progress.total, seconds)} rows/s, durably"
        show(f"Ingested {number(progress.total)} rows in {took}", style="bold green")
        meanings = (
            "new events",
            "sent again, counted once"
            if counts["accepted"]
            else "all were here from an earlier run, nothing counts twice",
            "the identifier of an event of other usage",
        )
        width = len(number(max(counts.values())))
        show_pairs(
            (name, f"{number(count):>{width}}  {meaning}")
            for (name, count), meaning in zip(counts.items(), meanings, strict=True)
        )
        for message in messages[:1]:
            show(f"Such as: {message}", style="dim")

    document = {
        "rows": progress.total,
        **counts,
        "first_rejection": messages[0] if messages else None,
        "seconds": round(seconds, 3),
    }
    return DemoStage("sent", document, show_it)


def watched(m: metering.Metering, alert: metering.Alert) -> DemoStage:
    """Evaluate the alert, and show for which customers it has triggered."""
    m.catch_up()
    triggered = m.alerts.triggered(alert.id)
    assert alert.usage_threshold is not None, "it watches usage"
    threshold = number(alert.usage_threshold.gte)

    def show_it() -> None:
        who = counted(len(triggered), "customer")
        show(f"The alert at {threshold} input tokens has triggered once for {who}")
        if triggered:
            show_table(triggered_columns(), triggered[:_TRIGGERS_SHOWN])

    return DemoStage("watched", {"alert": alert, "triggered": triggered}, show_it)


def cancelled(m: metering.Metering, traffic: Traffic) -> DemoStage:
    """Cancel the output tokens of requests that failed."""
    batch = next(traffic.batches())
    is_output = pc.equal(batch.column("event_name"), "output_tokens")
    identifiers = batch.filter(is_output).column("identifier").to_pylist()
    failed = list(dict.fromkeys(identifiers))[:_FAILED_EVENTS]
    for identifier in failed:
        _cancel(m, "output_tokens", identifier)
    sentence = f"Cancelled {counted(len(failed), 'event')} of requests that failed."
    return DemoStage("corrected", {"cancelled": len(failed)}, lambda: show(sentence))


def most_active(m: metering.Metering, traffic: Traffic) -> list[CustomerUsage]:
    """Find the customers with most input tokens, the heaviest first."""
    heaviest = m.sql(
        f"SELECT customer, sum(value) AS used FROM events"  # noqa: S608  # our own words
        f" WHERE event_name = '{FIRST_METER}' AND NOT cancelled"
        f" AND timestamp >= '{traffic.start}' AND timestamp < '{traffic.end}'"
        f" GROUP BY customer ORDER BY used DESC, customer LIMIT {_CUSTOMERS_SHOWN}"
    )
    found = []
    for customer in heaviest.column("customer").to_pylist():
        whole = total(m, traffic, FIRST_METER, customer)
        hours = _summaries(m, traffic, FIRST_METER, customer, window="hour")
        by_hour = [each.aggregated_value for each in reversed(hours)]
        found.append(CustomerUsage(customer, whole, by_hour))
    return found


def shown_usage(
    m: metering.Metering, traffic: Traffic, customers: Sequence[CustomerUsage]
) -> DemoStage:
    """Show the most active customers, and the heaviest of them on every meter."""
    meters = {
        event_name: total(m, traffic, event_name, each.customer)
        for each in customers[:1]
        for event_name in METERS
    }

    by_customer: list[Column[CustomerUsage]] = [
        Column("customer", lambda each: each.customer),
        Column("input tokens", lambda each: each.input_tokens),
        Column("by hour", _hours_of, style="cyan"),
    ]
    by_meter: list[Column[str]] = [
        Column("meter", lambda event_name: METERS[event_name][1]),
        Column("event name", str),
        Column("formula", lambda event_name: METERS[event_name][0]),
        Column("usage", lambda event_name: meters[event_name]),
    ]

    def show_it() -> None:
        show("Top customers", style="bold")
        show(f"{moment(traffic.start)} to {moment(traffic.end)} UTC", style="dim")
        show_table(by_customer, customers)
        for each in customers[:1]:
            show()
            show(f"All meters of {each.customer}", style="bold")
            show_table(by_meter, list(meters))

    return DemoStage("usage", {"top_customers": customers, "meters": meters}, show_it)


def _hours_of(usage: CustomerUsage) -> str:
    return sparkline(usage.input_tokens_by_hour, levels())


def disputed(m: metering.Metering, traffic: Traffic, customer: str) -> DemoStage:
    """Cancel the largest input of a customer, and show what that changes."""
    [event] = m.sql(
        f"SELECT identifier, timestamp, value, cancelled FROM events"  # noqa: S608  # our own words
        f" WHERE event_name = '{FIRST_METER}' AND customer = '{customer}'"
        f" ORDER BY value DESC, position LIMIT 1"
    ).to_pylist()
    before = total(m, traffic, FIRST_METER, customer)
    _cancel(m, FIRST_METER, event["identifier"])
    after = total(m, traffic, FIRST_METER, customer)

    def show_it() -> None:
        show(f"One of them cancelled: {customer} disputes a request", style="bold")
        value = event["value"].normalize()
        values = quantities([value, before, after])
        width = max(map(len, values))
        show_pairs(
            [
                ("event", f"{FIRST_METER} {event['identifier']}"),
                ("time", f"{second(event['timestamp'])} UTC"),
                ("value", values[0].rjust(width)),
                ("before", values[1].rjust(width)),
                ("after", values[2].rjust(width)),
            ]
        )
        if event["cancelled"]:
            earlier = "It was cancelled by an earlier run; again changes nothing."
            show(earlier, style="dim")

    document = {
        "event_name": FIRST_METER,
        "identifier": event["identifier"],
        "customer": customer,
        "timestamp": event["timestamp"],
        "value": event["value"].normalize(),
        "before": before,
        "after": after,
        "was_cancelled": event["cancelled"],
    }
    return DemoStage("dispute", document, show_it)


def total(
    m: metering.Metering, traffic: Traffic, event_name: str, customer: str
) -> Decimal:
    """Sum up what a customer used over the time of the traffic."""
    return _summaries(m, traffic, event_name, customer)[0].aggregated_value


def _summaries(
    m: metering.Metering,
    traffic: Traffic,
    event_name: str,
    customer: str,
    window: Literal["hour"] | None = None,
) -> Sequence[metering.MeterEventSummary]:
    return m.meters.event_summaries(
        find_meter(m, event_name).id,
        customer=customer,
        start_time=traffic.start,
        end_time=traffic.end,
        value_grouping_window=window,
        fill=window is not None,
    )


def _cancel(m: metering.Metering, event_name: str, identifier: str) -> None:
    m.meter_event_adjustments.create(
        event_name=event_name, type="cancel", cancel={"identifier": identifier}
    )


def _batches(traffic: Traffic, conflicts: int) -> Iterator[pa.RecordBatch]:
    """Make all rows; the last ones claim other usage for identifiers that are known."""
    yield from traffic.batches()
    if conflicts:
        known = next(traffic.batches()).slice(0, conflicts)
        at = known.schema.get_field_index("value")
        yield known.set_column(at, "value", pc.add(known.column("value"), 1))


def _storage(traffic: Traffic) -> list[dict[str, object]]:
    """Make readings of stored vectors: one an hour of the heaviest customers."""
    hours = (traffic.end - traffic.start) // timedelta(hours=1)
    return [
        {
            "event_name": "storage_gb",
            "identifier": f"storage-{rank}-{hour}",
            "timestamp": traffic.start + timedelta(hours=hour),
            "stripe_customer_id": traffic.customer_of(rank),
            "value": Decimal(1_200 - 90 * rank + hour * 3).scaleb(-1),
        }
        for hour in range(hours)
        for rank in range(_CUSTOMERS_SHOWN)
    ]
