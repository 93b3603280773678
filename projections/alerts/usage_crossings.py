"""Usage crossings: where pending usage reaches the thresholds of alerts.

A view of hourly usage gives usage before the first pending event; the events after it
are taken in the order of positions. So triggers do not depend on how the log was cut.
The usage of each group is kept for the next evaluation, if that begins where this ended.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from ledger.facts.alerts import UsageAlertTriggered
from projections.alerts.groups import (
    Groups,
    KnownUsage,
    group_rows,
    groups_of_named,
    known_at,
    usage_before,
)
from projections.alerts.pending import Pending
from projections.alerts.queries import Fired
from projections.alerts.questions import (
    QuestionKey,
    UsageQuestion,
    customers_of,
    questions_of,
)
from projections.alerts.replays import replayed
from projections.alerts.rows import PendingRows, rows_by_meter
from projections.alerts.spend_crossings import SpendCrossings
from projections.kernels.alerts.book import SpendWatch, UsageAlert, Watch
from projections.kernels.alerts.thresholds import (
    Sought,
    first_crossings,
    tally_of,
)
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.decimals import (
    are_at_least,
    limbs_of_numbers,
    number_of_limbs,
    numbers_of_limbs,
)
from projections.usage.summaries import Summaries
from projections.usage.view import UsageView

FoundTriggers = list[tuple[int, UsageAlertTriggered]]
"""Periods and the facts to record, in the order of the events."""

Triggers = Iterator[tuple[int, UsageAlertTriggered]]
"""A period, and the fact to record."""


def fired_by(found: tuple[int, UsageAlertTriggered]) -> Fired:
    """Return what triggers but once in a period, given the period and a trigger."""
    period, fact = found
    return period, fact.customer, fact.window_start


class Crossings:
    """Finds what triggers. For one thread at a time.

    Args:
        summaries: reads usage that hourly totals do not hold.
    """

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries
        self._known: dict[QuestionKey, KnownUsage] = {}
        self._spend = SpendCrossings(summaries)

    def find(
        self,
        pending: Pending,
        watches: Sequence[Watch | SpendWatch],
        meters: Mapping[str, MeterDefinition],
        fired: Collection[Fired],
    ) -> FoundTriggers:
        """Return what triggers in pending usage.

        Args:
            pending: usage to be evaluated.
            watches: at least the alerts with periods that an event lies in.
            meters: by id.
            fired: what triggered in these periods before.

        Returns:
            Periods and the facts to record, in the order of the events.
        """
        by_meter: dict[str, list[Watch]] = defaultdict(list)
        on_spend: list[SpendWatch] = []
        for watch in watches:
            if isinstance(watch, SpendWatch):
                on_spend.append(watch)
            else:
                by_meter[watch.alert.meter_id].append(watch)
        rows_of = rows_by_meter(pending)
        known, self._known = self._known, {}
        found = list(self._spend.find(pending, rows_of, on_spend, meters, fired))
        for meter_id, of_meter in by_meter.items():
            meter = meters[meter_id]
            view = pending.before.get(meter.event_name)
            if view is None:
                # The alert was created after the pending usage.
                continue
            for question, asked in questions_of(meter, of_meter).items():
                inquiry = _Inquiry(question, asked, view, fired, self._summaries)
                if question.is_additive:
                    usage = known_at(
                        view.position, customers_of(asked), known.get(question.key)
                    )
                    self._known[question.key] = usage
                    found += inquiry.in_totals(rows_of.get(meter.event_name), usage)
                    usage.position = pending.position
                else:
                    found += inquiry.in_events(rows_of.get(meter.event_name))
        return sorted(found, key=lambda each: (each[1].event_position, each[0]))


class _Inquiry:
    """One question, and the alerts that ask it."""

    def __init__(
        self,
        question: UsageQuestion,
        watches: Sequence[Watch],
        view: UsageView,
        fired: Collection[Fired],
        summaries: Summaries,
    ) -> None:
        self._question = question
        self._watches = watches
        self._view = view
        self._fired = fired
        self._summaries = summaries
        self._customers = customers_of(watches)

    def in_events(self, rows: PendingRows | None) -> Triggers:
        """Yield what triggers where events replace each other."""
        asked = self._asked(rows)
        if asked is not None:
            yield from replayed(
                self._question,
                self._watches,
                asked,
                self._view,
                self._fired,
                self._summaries,
            )

    def in_totals(self, rows: PendingRows | None, known: KnownUsage) -> Triggers:
        """Yield what triggers where every event adds up; bring `known` up to date."""
        asked = self._asked(rows)
        if asked is None:
            return
        groups = group_rows(self._question, asked)
        before = limbs_of_numbers(
            usage_before(
                self._question,
                groups.keys,
                groups.windows,
                known.usage,
                self._view,
                self._summaries,
            )
        )
        parts = groups.steps()
        tally = tally_of(parts, before)
        found = list(first_crossings(parts, tally, self._sought(groups, tally.reach)))
        positions = [crossing.position for _, crossing in found]
        timestamps = groups.rows.timestamps_at(np.array(positions, np.int64))
        for sought, crossing in found:
            watch = self._watches[sought.watch]
            customer, start = groups.keys[sought.group]
            yield (
                watch.after,
                UsageAlertTriggered(
                    alert_id=watch.alert.alert_id,
                    customer=customer,
                    value=self._question.value(crossing.usage),
                    event_position=crossing.position,
                    timestamp=timestamps[crossing.position],
                    window_start=start,
                ),
            )
        known.put(groups.keys, numbers_of_limbs(tally.after))

    def _asked(self, rows: PendingRows | None) -> PendingRows | None:
        """Return the rows of the customers whose usage counts; None without any."""
        if rows is None:
            return None
        if self._customers is not None:
            rows = rows.of_customers(self._customers)
        return rows if rows.pieces else None

    def _sought(self, groups: Groups, reach: np.ndarray) -> list[Sought]:
        """Return the thresholds that groups may reach and have not reached before."""
        customers = {watch.alert.customer for watch in self._watches}
        groups_of = groups_of_named(groups.keys, customers)
        return [
            Sought(
                group=group,
                watch=at,
                threshold=threshold,
                after=watch.after,
                before=watch.before,
            )
            for at, watch in enumerate(self._watches)
            for group, threshold in self._within_reach(
                watch.alert, groups, reach, groups_of
            )
            if (watch.after, *groups.keys[group]) not in self._fired
        ]

    def _within_reach(
        self,
        alert: UsageAlert,
        groups: Groups,
        reach: np.ndarray,
        groups_of: Mapping[str, list[int]],
    ) -> Iterator[tuple[int, int]]:
        """Yield the groups that may reach an alert's threshold, each with it."""
        if alert.customer is None:
            least = self._question.least_threshold(alert)
            within = np.flatnonzero(are_at_least(reach, least)).tolist()
            if alert.percent_of is None:
                yield from ((group, least) for group in within)
                return
        else:
            within = groups_of[alert.customer]
        for group in within:
            threshold = self._question.threshold(alert, groups.keys[group][0])
            if threshold is not None and number_of_limbs(reach[:, group]) >= threshold:
                yield group, threshold
