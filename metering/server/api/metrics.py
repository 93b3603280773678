"""Metrics: what the server was asked and how it answered, counted for Prometheus.

Each application has a registry of its own. Labels are routes, methods, statuses and
reasons, of which there are few; none names a client or a customer. The counters of a
route are looked up once, since a look-up by labels takes as long as counting.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from metering.audits.resources import AuditPass
from metering.server.api.error_responses import REFUSALS
from metering.server.api.requests import HttpResponse
from metering.upkeep.status import LoopStatus, StoreStatus

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Metrics:
    """The metrics of one application. For its event loop; read by any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.running = 0
        running = Gauge(
            "metering_http_requests_running",
            "Requests that are being answered.",
            registry=self._registry,
        )
        running.set_function(lambda: self.running)
        self.requests = Counter(
            "metering_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "metering_http_request_duration_seconds",
            "From the head of a request to the end of its response.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        refused = Counter(
            "metering_http_requests_refused",
            "Requests that were refused before they reached the store, by reason.",
            ("reason",),
            registry=self._registry,
        )
        self.refused = {reason: refused.labels(reason) for reason in REFUSALS}

    def watch(
        self, *, body_bytes: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        """Report how much the requests in hand hold."""
        for name, says, value in (
            (
                "metering_http_body_bytes",
                "Bytes of bodies that are read or answered, as they were sent.",
                body_bytes,
            ),
            (
                "metering_http_requests_waiting_for_position",
                "Requests that wait for the log to reach a position.",
                waiting,
            ),
        ):
            Gauge(name, says, registry=self._registry).set_function(value)

    def watch_connections(self, *, are_open: Callable[[], int]) -> "ConnectionCounters":
        """Report open connections, and return what counts the others."""
        Gauge(
            "metering_http_connections_open",
            "Connections of clients.",
            registry=self._registry,
        ).set_function(are_open)
        refused, closed, wasted = (
            Counter(f"metering_http_connections_{name}", says, registry=self._registry)
            for name, says in (
                (
                    "refused",
                    "Connections that were refused, as there were as many as may be.",
                ),
                (
                    "closed_idle",
                    "Idle connections that were closed to make room for others.",
                ),
                ("wasted", "Connections that ended before their first request."),
            )
        )
        return ConnectionCounters(refused=refused, closed_idle=closed, wasted=wasted)

    def of(self, method: str, route: str) -> "RouteMetrics":
        """Return the metrics of a route."""
        return RouteMetrics(self, method, route)

    def text(self, status: StoreStatus, audited: AuditPass | None) -> bytes:
        """Write all that was counted, how far the store is, and what an audit found.

        Args:
            status: of the store.
            audited: the last pass that has ended; None where none has.
        """
        of_store = CollectorRegistry()
        of_store.register(_OfStore(status, audited))
        return generate_latest(self._registry) + generate_latest(of_store)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCounters:
    """What counts connections that were not served, or no longer."""

    refused: Counter
    closed_idle: Counter
    wasted: Counter


class RouteMetrics:
    """The metrics of one route."""

    def __init__(self, metrics: Metrics, method: str, route: str) -> None:
        self._metrics = metrics
        self._labels = (method, route)
        self._seconds = metrics.seconds.labels(method, route)
        self._by_status: dict[int, Counter] = {}

    def began(self) -> float:
        """Count a request that is being answered, and return when it began."""
        self._metrics.running += 1
        return perf_counter()

    def ended(self, began: float, reply: HttpResponse | None) -> None:
        """Count a request that was answered; None is one whose client had gone."""
        self._metrics.running -= 1
        if reply is None:
            return
        self._seconds.observe(perf_counter() - began)
        status = reply.status
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._metrics.requests.labels(*self._labels, str(status))
            self._by_status[status] = counter
        counter.inc()
        if reply.refusal is not None:
            self._metrics.refused[reply.refusal].inc()


class _OfStore(Collector):
    """The metrics of a store, the same at every server of it."""

    def __init__(self, status: StoreStatus, audited: AuditPass | None) -> None:
        self._status = status
        self._audited = audited

    def collect(self) -> Iterator[Metric]:
        """Return them."""
        status = self._status
        yield GaugeMetricFamily(
            "metering_log_position",
            "Position of the last entry of the log.",
            status.position,
        )
        yield CounterMetricFamily(
            "metering_events_recorded",
            "Meter events in the log.",
            status.event_count,
        )
        yield GaugeMetricFamily(
            "metering_deliveries_pending",
            "Events still to be delivered to webhook endpoints.",
            status.pending_deliveries,
        )
        yield GaugeMetricFamily(
            "metering_log_sealed_position",
            "Position of the log up to which usage lies in segments.",
            status.sealed_position,
        )
        yield GaugeMetricFamily(
            "metering_log_ahead_seconds",
            "How far the log's time is ahead of the real time.",
            status.ahead_seconds,
        )
        yield from _of_loops(status.loops)
        if status.evaluated_position is not None:
            yield GaugeMetricFamily(
                "metering_alerts_evaluated_position",
                "Position of the log up to which alerts on usage were evaluated.",
                status.evaluated_position,
            )
        if self._audited is not None:
            yield from _of_audit(self._audited)


def _of_audit(last: AuditPass) -> Iterator[Metric]:
    """Return the metrics of the last pass of the audit that has ended."""
    assert last.ended is not None, "it has ended"
    yield GaugeMetricFamily(
        "metering_audit_differences",
        "What the last pass of the audit found that differs from the log.",
        last.difference_count,
    )
    yield GaugeMetricFamily(
        "metering_audit_position",
        "Position of the log up to which the last pass of the audit compared.",
        last.position,
    )
    yield GaugeMetricFamily(
        "metering_audit_last_done_timestamp_seconds",
        "When the last pass of the audit ended.",
        last.ended.timestamp(),
    )
    yield GaugeMetricFamily(
        "metering_audit_entries_missing",
        "Entries that were acknowledged and that the last pass did not find.",
        last.entries - last.entries_present,
    )
    yield GaugeMetricFamily(
        "metering_audit_hourly_totals_differing",
        "Hourly totals that are not what their events add up to.",
        last.hourly_totals - last.hourly_totals_explained,
    )


def _of_loops(loops: Sequence[LoopStatus]) -> Iterator[Metric]:
    """Return the metrics of the background loops of this process, by what they do."""
    failing = GaugeMetricFamily(
        "metering_background_failing",
        "Background loops that fail, and are tried again.",
        labels=("loop",),
    )
    failures = CounterMetricFamily(
        "metering_background_failures",
        "Failures of background loops.",
        labels=("loop",),
    )
    done = GaugeMetricFamily(
        "metering_background_last_done_timestamp_seconds",
        "When a background loop last did what it is for.",
        labels=("loop",),
    )
    for name in dict.fromkeys(each.name for each in loops):
        named = [each for each in loops if each.name == name]
        is_failing = [each.failing_since is not None for each in named]
        failing.add_metric((name,), sum(is_failing))
        failures.add_metric((name,), sum(each.failures_total for each in named))
        last = [each.last_done.timestamp() for each in named if each.last_done]
        if last:
            done.add_metric((name,), max(last))
    yield from (failing, failures, done)
