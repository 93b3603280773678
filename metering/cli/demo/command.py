"""``metering demo``: a day and a half of a language-model API, metered before your eyes.

The demo can be run again, also after an interruption or on another day, and comes to the
same totals: its traffic is made from a seed and ends where its first meter was created,
which the store remembers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Annotated, Literal

import typer

import metering
from metering.cli.demo.alerts import watch, watched
from metering.cli.demo.credits import pay_with_credits
from metering.cli.demo.screens import show_next_commands, show_stage, show_title
from metering.cli.demo.stages import (
    AllMeters,
    Corrected,
    CustomerMeter,
    CustomerUsage,
    DemoDocument,
    Dispute,
    Prepaid,
    Sent,
    Stage,
    TopCustomers,
    Verified,
)
from metering.cli.demo.traffic import SentEvent, Traffic, floor_hour
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.errors import ForeignStoreError
from metering.cli.options import JsonOption
from metering.cli.screens.documents import print_document
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.text import number
from metering.cli.stores import create_store, shown_name

METERS = {
    "requests": ("count", "API requests"),
    "input_tokens": ("sum", "Input tokens"),
    "output_tokens": ("sum", "Output tokens"),
    "gpu_seconds": ("sum", "GPU seconds"),
    "storage_gb": ("last", "Vector storage, GB"),
}
_FIRST_METER = "requests"
_ROWS_AT_A_TIME = 500_000
_FAILED_EVENTS = 24
_CUSTOMERS_SHOWN = 8


def demo(
    *,
    store: Annotated[
        str,
        typer.Option(
            metavar="PATH|URL",
            help="A store of its own, never that of METERING_STORE.",
        ),
    ] = "demo",
    events: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many rows to send.")
    ] = 1_000_000,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**31, metavar="N", help="Another makes other events."),
    ] = 1,
    json: JsonOption = False,
) -> None:
    """Meter a day and a half of a language-model API, and show it.

    The store stays.
    Running it again sends the same events: all of them are duplicates. So an
    interrupted demo can be finished, with the same totals.
    """
    progress = _Progress(total=events)
    stages: list[Stage] = []
    with saying_what_is_safe(progress.sentence), create_store(store) as m:
        traffic = Traffic(rows=events, end=_end_of_traffic(m, store), seed=seed)
        if not json:
            show_title(store)
        for stage in _stages(m, traffic, progress):
            stages.append(stage)
            if not json:
                show_stage(stage)
    if json:
        print_document(DemoDocument(store=shown_name(store), stages=stages))
    else:
        show_next_commands(store, stages)
    if any(isinstance(stage, Verified) and not stage.ok for stage in stages):
        raise typer.Exit(FAILED)


@dataclass(slots=True, kw_only=True)
class _Progress:
    """How many rows of the traffic are recorded so far."""

    total: int
    rows: int = 0

    def sentence(self) -> str:
        """Say what an interruption leaves."""
        return (
            f"Interrupted; {number(self.rows)} of {number(self.total)} rows are recorded"
            " and safe, run the command again for the rest: nothing counts twice"
        )


def _end_of_traffic(m: metering.Metering, store: str) -> datetime:
    """Make sure of the meters, and tell when the first of them was created, roughly.

    Raises:
        ForeignStoreError: the store holds what the demo did not make.
    """
    found = {meter.event_name: meter for meter in m.meters.list()}
    if found and _FIRST_METER not in found:
        raise ForeignStoreError(shown_name(store), next(iter(found)))
    for event_name, (formula, display_name) in METERS.items():
        meter = found.get(event_name)
        if meter is None:
            found[event_name] = m.meters.create(
                display_name=display_name,
                event_name=event_name,
                default_aggregation={"formula": formula},
            )
        elif meter.default_aggregation.formula != formula:
            raise ForeignStoreError(shown_name(store), event_name)
    return floor_hour(found[_FIRST_METER].created)


def _stages(
    m: metering.Metering, traffic: Traffic, progress: _Progress
) -> Iterator[Stage]:
    alert = watch(m, _FIRST_METER, traffic.rows)
    yield _send(m, traffic, progress)
    yield watched(m, alert)
    yield _correct(m, traffic.failed_events(_FAILED_EVENTS))
    usage = _Usage(m, traffic)
    top_customers = usage.top_customers()
    yield top_customers
    event = traffic.disputed_event()
    if event is not None:
        yield usage.all_meters(event.customer)
        yield _settle(m, usage, event)
        yield _pay(m, traffic, usage, event.customer)
    yield _verify(m)


def _send(m: metering.Metering, traffic: Traffic, progress: _Progress) -> Sent:
    counts: Counter[str] = Counter()
    first_rejection: str | None = None
    seconds = 0.0
    with progress_bar("Ingesting") as advance:
        for batch in traffic.batches(_ROWS_AT_A_TIME):
            before = progress.rows

            def tell(reached: metering.IngestProgress, before: int = before) -> None:
                progress.rows = before + reached.rows
                advance(progress.rows, progress.total)

            start = perf_counter()
            receipt = m.meter_events.ingest(batch, backfill=True, progress=tell)
            seconds += perf_counter() - start
            counts["accepted"] += receipt.accepted
            counts["duplicates"] += receipt.duplicates
            counts["rejected"] += receipt.rejected
            if receipt.rejected and first_rejection is None:
                first_rejection = receipt.rejections.column("message")[0].as_py()
    return Sent(
        rows=traffic.rows,
        accepted=counts["accepted"],
        duplicates=counts["duplicates"],
        rejected=counts["rejected"],
        first_rejection=first_rejection,
        seconds=round(seconds, 3),
    )


def _correct(m: metering.Metering, events: Sequence[SentEvent]) -> Corrected:
    for event in events:
        _cancel(m, event)
    return Corrected(cancelled=len(events))


def _cancel(m: metering.Metering, event: SentEvent) -> None:
    m.meter_event_adjustments.create(
        event_name=event.event_name,
        type="cancel",
        cancel={"identifier": event.identifier},
    )


class _Usage:
    """What customers used over the time of the traffic."""

    def __init__(self, m: metering.Metering, traffic: Traffic) -> None:
        self._m = m
        self._traffic = traffic
        self._meters = {meter.event_name: meter for meter in m.meters.list()}

    def total(self, event_name: str, customer: str) -> Decimal:
        """Sum up the whole time."""
        return self._summaries(event_name, customer, None)[0].aggregated_value

    def by_hour(self, event_name: str, customer: str) -> list[Decimal]:
        """Sum up every hour, from old to new."""
        summaries = self._summaries(event_name, customer, "hour")
        return [summary.aggregated_value for summary in reversed(summaries)]

    def top_customers(self) -> TopCustomers:
        """Find who sent most input tokens, among those who can be."""
        usages = [
            CustomerUsage(
                customer=customer,
                requests=self.total("requests", customer),
                input_tokens=self.total("input_tokens", customer),
                input_tokens_by_hour=self.by_hour("input_tokens", customer),
            )
            for customer in self._traffic.heaviest_customers
        ]
        usages.sort(key=lambda usage: usage.input_tokens, reverse=True)
        return TopCustomers(
            start_time=self._traffic.start,
            end_time=self._traffic.end,
            customers=usages[:_CUSTOMERS_SHOWN],
        )

    def all_meters(self, customer: str) -> AllMeters:
        """Sum up the usage of a customer on every meter."""
        return AllMeters(
            customer=customer,
            meters=[
                CustomerMeter(
                    event_name=event_name,
                    display_name=display_name,
                    formula=formula,
                    value=self.total(event_name, customer),
                )
                for event_name, (formula, display_name) in METERS.items()
            ],
        )

    def _summaries(
        self, event_name: str, customer: str, window: Literal["hour"] | None
    ) -> Sequence[metering.MeterEventSummary]:
        return self._m.meters.event_summaries(
            self._meters[event_name].id,
            customer=customer,
            start_time=self._traffic.start,
            end_time=self._traffic.end,
            value_grouping_window=window,
            fill=window is not None,
        )


def _settle(m: metering.Metering, usage: _Usage, event: SentEvent) -> Dispute:
    recorded = next(
        each
        for each in m.meter_events.list(
            event_name=event.event_name,
            customer=event.customer,
            start_time=event.timestamp,
            end_time=event.timestamp + timedelta(microseconds=1),
        )
        if each.identifier == event.identifier
    )
    before = usage.total(event.event_name, event.customer)
    _cancel(m, event)
    return Dispute(
        event_name=event.event_name,
        identifier=event.identifier,
        customer=event.customer,
        timestamp=event.timestamp,
        value=Decimal(recorded.payload["value"]),
        before=before,
        after=usage.total(event.event_name, event.customer),
        was_cancelled=recorded.cancelled,
    )


def _pay(
    m: metering.Metering, traffic: Traffic, usage: _Usage, customer: str
) -> Prepaid:
    def used(event_name: str) -> Decimal:
        return usage.total(event_name, customer)

    return pay_with_credits(m, traffic, customer, used)


def _verify(m: metering.Metering) -> Verified:
    with progress_bar("Verifying") as advance:
        report = m.verify(advance)
    return Verified(
        ok=report.ok,
        position=report.position,
        commits=report.commits,
        entries=report.entries,
        digest=report.digest,
        problems=report.problems,
    )
