"""Crossings of series whose events replace each other, found event by event."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from ledger.facts.alerts import Recurrence, UsageAlertTriggered
from projections.alerts.queries import Fired
from projections.alerts.questions import UsageQuestion, window_finder
from projections.alerts.rows import OrderedRows, PendingRows
from projections.kernels.alerts.book import Watch
from projections.kernels.alerts.replay import UsageReplay
from projections.kernels.usage.decimals import numbers_of_words
from projections.kernels.usage.series import Series
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView
from projections.windows import LENGTHS


def replayed(
    question: UsageQuestion,
    watches: Sequence[Watch],
    rows: PendingRows,
    view: UsageView,
    fired: Collection[Fired],
    summaries: Summaries,
) -> Iterator[tuple[int, UsageAlertTriggered]]:
    """Yield what triggers among at least one row.

    Args:
        question: on the meter of the rows.
        watches: the alerts that ask it.
        rows: recorded after the view.
        view: of usage.
        fired: what triggered before.
        summaries: reads the events before.

    Yields:
        A period, and the fact to record.
    """
    by_customer: dict[str | None, list[Watch]] = defaultdict(list)
    for watch in watches:
        by_customer[watch.alert.customer].append(watch)
    window_of = window_finder(question.windows(rows.time_span()))
    ordered = rows.in_order()
    order = np.argsort(ordered.customer, kind="stable")
    codes = ordered.customer[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        customer = rows.customers[codes[start]]
        asked = by_customer[None] + by_customer.get(customer, [])
        if question.recurrence is Recurrence.ONE_TIME:
            asked = [w for w in asked if (w.after, customer, None) not in fired]
        if asked:
            of_customer = ordered.pick(order[start:end])
            replay = replay_of(question, window_of)
            begin_replay(
                replay,
                Series(meter=question.meter, customer=customer),
                view,
                summaries,
                are_events=bool(of_customer.is_event.all()),
            )
            replaying = _Replaying(question, customer, asked, replay)
            yield from replaying.triggers(of_customer, fired)


def replay_of(
    question: UsageQuestion, window_of: Callable[[int], int | None]
) -> UsageReplay:
    """Return a replay of usage that begins with none."""
    window = question.meter.event_time_window
    return UsageReplay(
        formula=question.meter.formula,
        cell_length=None if window is None else LENGTHS[window],
        window_of=window_of,
    )


def begin_replay(
    replay: UsageReplay,
    series: Series,
    view: UsageView,
    summaries: Summaries,
    *,
    are_events: bool,
) -> None:
    """Add the events before that may count, or count again after a cancellation.

    Args:
        replay: of the series.
        series: of usage.
        view: of usage.
        summaries: reads the events.
        are_events: whether no cancellation follows. One may bring back an event that
            cells do not know.
    """
    read = summaries.standing if are_events else summaries.every_event
    events = read(view, series)
    for position, timestamp, units in zip(
        events.position.tolist(),
        events.timestamp.tolist(),
        numbers_of_words(events.words),
        strict=True,
    ):
        replay.add(position, timestamp, units)


class _Replaying:
    def __init__(
        self,
        question: UsageQuestion,
        customer: str,
        watches: Sequence[Watch],
        replay: UsageReplay,
    ) -> None:
        self._question = question
        self._customer = customer
        self._watches = watches
        self._replay = replay

    def triggers(
        self, rows: OrderedRows, fired: Collection[Fired]
    ) -> Iterator[tuple[int, UsageAlertTriggered]]:
        done: set[Fired] = set()
        thresholds = [
            (watch, threshold)
            for watch in self._watches
            if (threshold := self._question.threshold(watch.alert, self._customer))
            is not None
        ]
        for position, event, timestamp, units, is_event, is_taken in zip(
            rows.position.tolist(),
            rows.event_position.tolist(),
            rows.timestamp.tolist(),
            numbers_of_words(rows.words),
            rows.is_event.tolist(),
            rows.is_taken.tolist(),
            strict=True,
        ):
            if is_taken:
                self._replay.cancel(event, timestamp, units)
                continue
            self._replay.add(event, timestamp, units)
            if not is_event:
                continue
            window = self._replay.window_of(timestamp)
            usage = self._replay.usage(window)
            for watch, threshold in thresholds:
                key = watch.after, self._customer, window
                if (
                    usage >= threshold
                    and watch.covers(position)
                    and key not in done
                    and key not in fired
                ):
                    done.add(key)
                    yield (
                        watch.after,
                        UsageAlertTriggered(
                            alert_id=watch.alert.alert_id,
                            customer=self._customer,
                            value=self._question.value(usage),
                            event_position=position,
                            timestamp=timestamp,
                            window_start=window,
                        ),
                    )
