"""Spend crossings: where what pending usage costs reaches the amounts of alerts.

As for usage, a view gives usage before the first pending event, and the events after it
are taken in the order of positions, so triggers do not depend on how the log was cut.
Most groups stay below an amount even by all that is added to them, which is rated for all
of them at once. Only the others are followed event by event.

Where the events of a meter replace each other, those of each customer are replayed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np
from msgspec.structs import asdict

from ledger.facts.alerts import (
    LimitShare,
    Recurrence,
    Spend,
    SpendLimitWarned,
    SubscribedPeriods,
    UsageAlertTriggered,
)
from projections.alerts.groups import (
    GroupKey,
    KnownUsage,
    group_rows,
    groups_of_named,
    known_at,
    usage_before,
)
from projections.alerts.pending import Pending
from projections.alerts.queries import Fired
from projections.alerts.questions import UsageQuestion, customers_of
from projections.alerts.rows import PendingRows
from projections.alerts.spend_steps import (
    SpendMeter,
    SpendSteps,
    SummedUsage,
    replayed_steps,
    windows_of,
)
from projections.kernels.alerts.book import SpendWatch
from projections.kernels.alerts.spend import (
    amounts_of,
    ceiling_of,
    spend_of,
    tariffs_of,
)
from projections.kernels.alerts.thresholds import tally_of
from projections.kernels.meters import MeterDefinition
from projections.kernels.rating.rate_card import Tariff
from projections.kernels.usage.decimals import limbs_of_numbers, numbers_of_limbs
from projections.usage.summaries import Summaries

_PricedUsage = tuple[Spend, Recurrence, str | None, SubscribedPeriods | None]
"""The prices, and which usage counts."""


class SpendCrossings:
    """Finds what triggers. For one thread at a time.

    Args:
        summaries: reads usage that hourly totals do not hold.
    """

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries
        self._known: dict[tuple[_PricedUsage, str], KnownUsage] = {}

    def find(
        self,
        pending: Pending,
        rows_of: Mapping[str, PendingRows],
        watches: Sequence[SpendWatch],
        meters: Mapping[str, MeterDefinition],
        fired: Collection[Fired],
    ) -> Iterator[tuple[int, UsageAlertTriggered]]:
        """Yield what triggers in pending usage: a period, and the fact to record.

        Args:
            pending: usage to be evaluated.
            rows_of: its rows by event name.
            watches: at least the alerts with periods that an event lies in.
            meters: by id.
            fired: what triggered in these periods before.
        """
        asked: dict[_PricedUsage, list[SpendWatch]] = defaultdict(list)
        for watch in watches:
            alert = watch.alert
            key = alert.spend, alert.recurrence, alert.timezone, alert.subscribed
            asked[key].append(watch)
        known, self._known = self._known, {}
        for question, those in asked.items():
            customers = customers_of(those)
            found = _meters(question, pending, rows_of, meters, customers)
            if found is None:
                # The alerts were created after the pending usage.
                continue
            inquiry = _SpendInquiry(question, those, found, fired, self._summaries)
            if not all(each.question.is_additive for each in found):
                yield from inquiry.in_events()
                continue
            usage = [
                known_at(each.view.position, customers, known.get((question, name)))
                for each in found
                for name in [each.question.meter.event_name]
            ]
            yield from inquiry.in_totals(usage)
            for each, kept in zip(found, usage, strict=True):
                kept.position = pending.position
                self._known[question, each.question.meter.event_name] = kept


def _meters(
    asked: _PricedUsage,
    pending: Pending,
    rows_of: Mapping[str, PendingRows],
    meters: Mapping[str, MeterDefinition],
    customers: frozenset[str] | None,
) -> list[SpendMeter] | None:
    """Return the meters of a question; None if usage of one is not held yet."""
    spend, recurrence, timezone, subscribed = asked
    found = []
    for meter in (meters[each] for each in spend.meter_ids):
        view, rows = pending.before.get(meter.event_name), rows_of.get(meter.event_name)
        if view is None:
            return None
        if rows is not None and customers is not None:
            rows = rows.of_customers(customers)
        question = UsageQuestion(
            meter=meter,
            recurrence=recurrence,
            timezone=timezone,
            subscribed=subscribed,
        )
        found.append(
            SpendMeter(
                question=question,
                view=view,
                rows=rows if rows is not None and rows.pieces else None,
            )
        )
    return found


class _SpendInquiry:
    """One question, and the alerts that ask it."""

    def __init__(
        self,
        asked: _PricedUsage,
        watches: Sequence[SpendWatch],
        meters: Sequence[SpendMeter],
        fired: Collection[Fired],
        summaries: Summaries,
    ) -> None:
        spend, *_ = asked
        number = {each: at for at, each in enumerate(spend.meter_ids)}
        self._tariffs = [
            (tariff, number[price.meter_id])
            for tariff, price in zip(tariffs_of(spend), spend.prices, strict=True)
        ]
        self._watches = watches
        self._customers = {watch.alert.customer for watch in watches}
        self._meters = meters
        self._fired = fired
        self._done: set[Fired] = set()
        self._summaries = summaries

    def in_events(self) -> Iterator[tuple[int, UsageAlertTriggered]]:
        """Yield what triggers where events replace each other."""
        if self._have_rows():
            windows = windows_of(self._meters)
            steps = replayed_steps(self._meters, windows, self._summaries)
            groups_of = groups_of_named(steps.keys, self._customers)
            yield from self._triggers(steps, groups_of)

    def in_totals(
        self, known: Sequence[KnownUsage]
    ) -> Iterator[tuple[int, UsageAlertTriggered]]:
        """Yield what triggers where every event adds up; bring `known` up to date."""
        if not self._have_rows():
            return
        windows = windows_of(self._meters)
        groups = [
            None if each.rows is None else group_rows(each.question, each.rows)
            for each in self._meters
        ]
        keys = list(
            dict.fromkeys(
                key for each in groups if each is not None for key in each.keys
            )
        )
        before, reach = [], []
        for meter, of_meter, kept in zip(self._meters, groups, known, strict=True):
            usage = usage_before(
                meter.question, keys, windows, kept.usage, meter.view, self._summaries
            )
            kept.put(keys, usage)
            before.append(limbs_of_numbers(usage))
            most = dict(zip(keys, usage, strict=True))
            if of_meter is not None:
                at_first = limbs_of_numbers([most[key] for key in of_meter.keys])
                tally = tally_of(of_meter.steps(), at_first)
                kept.put(of_meter.keys, numbers_of_limbs(tally.after))
                most |= zip(of_meter.keys, numbers_of_limbs(tally.reach), strict=True)
            reach.append(limbs_of_numbers([most[key] for key in keys]))
        # How many alerts have yet to trigger for each group.
        groups_of = groups_of_named(keys, self._customers)
        waiting = self._may_reach(keys, reach, groups_of)
        usage_so_far = SummedUsage(keys, groups, before)
        for portion in usage_so_far.portions():
            if not waiting.any():
                return
            steps = usage_so_far.steps(portion, waiting > 0)
            if steps is not None:
                yield from self._triggers(steps, groups_of, waiting)

    def _have_rows(self) -> bool:
        return any(each.rows is not None for each in self._meters)

    def _may_reach(
        self,
        keys: Sequence[GroupKey],
        reach: Sequence[np.ndarray],
        groups_of: Mapping[str, list[int]],
    ) -> np.ndarray:
        """Return (int64) how many amounts each group may reach that it has not reached.

        Args:
            keys: of the groups.
            reach: of each meter, limbs by keys: usage that they never exceed.
            groups_of: the groups of customers whom alerts name.
        """
        most = self._spend(reach, [ceiling_of(tariff) for tariff, _ in self._tariffs])
        waiting = np.zeros(len(keys), np.int64)
        for watch in self._watches:
            customer, gte = watch.alert.customer, watch.alert.gte
            within = (
                np.flatnonzero(most >= gte).tolist()
                if customer is None
                else [group for group in groups_of[customer] if most[group] >= gte]
            )
            for group in within:
                waiting[group] += self._is_open(watch, keys[group])
        return waiting

    def _triggers(
        self,
        steps: SpendSteps,
        groups_of: Mapping[str, list[int]],
        waiting: np.ndarray | None = None,
    ) -> Iterator[tuple[int, UsageAlertTriggered]]:
        """Yield what triggers at steps, and count down how many alerts wait for it."""
        spend = self._spend(steps.usage, [tariff for tariff, _ in self._tariffs])
        found = list(self._reached(steps, spend, groups_of))
        if waiting is not None:
            np.subtract.at(waiting, steps.group[[row for _, row in found]], 1)
        positions = steps.position[[row for _, row in found]]
        timestamps: dict[int, int] = {}
        for each in self._meters:
            if each.rows is not None:
                timestamps |= each.rows.timestamps_at(positions)
        for watch, row in found:
            customer, start = steps.keys[steps.group[row]]
            position = int(steps.position[row])
            fact = UsageAlertTriggered(
                alert_id=watch.alert.alert_id,
                customer=customer,
                value=Decimal(int(spend[row])),
                event_position=position,
                timestamp=timestamps[position],
                window_start=start,
            )
            yield watch.after, _warning_of(watch.alert.of_limit, fact)

    def _reached(
        self,
        steps: SpendSteps,
        spend: np.ndarray,
        groups_of: Mapping[str, list[int]],
    ) -> Iterator[tuple[SpendWatch, int]]:
        """Yield the first step of each group at which an alert triggers."""
        every = np.arange(len(steps.group))
        for watch in self._watches:
            customer = watch.alert.customer
            rows = every if customer is None else steps.rows_of(groups_of[customer])
            has_reached = steps.is_event[rows] & (spend[rows] >= watch.alert.gte)
            has_reached &= steps.position[rows] > watch.after
            if watch.before is not None:
                has_reached &= steps.position[rows] < watch.before
            rows = rows[has_reached]
            groups, firsts = np.unique(steps.group[rows], return_index=True)
            for group, row in zip(groups.tolist(), rows[firsts].tolist(), strict=True):
                key = steps.keys[group]
                if self._is_open(watch, key):
                    self._done.add((watch.after, *key))
                    yield watch, row

    def _spend(
        self, usage: Sequence[np.ndarray], tariffs: Sequence[Tariff]
    ) -> np.ndarray:
        """Return what usage of the meters costs by tariffs of the prices (int64)."""
        return spend_of(
            [
                amounts_of(
                    tariff,
                    usage[meter],
                    is_counted=self._meters[meter].question.is_counted,
                )
                for tariff, (_, meter) in zip(tariffs, self._tariffs, strict=True)
            ]
        )

    def _is_open(self, watch: SpendWatch, key: GroupKey) -> bool:
        """Whether an alert watches a customer's window, and has not triggered for it."""
        _, start = key
        subscribed = watch.alert.subscribed
        if subscribed is not None and start is not None and start < subscribed.since:
            # What is before the subscription is in no billing period.
            return False
        period = (watch.after, *key)
        return period not in self._fired and period not in self._done


def _warning_of(
    share: LimitShare | None, fact: UsageAlertTriggered
) -> UsageAlertTriggered:
    """Return the trigger of an alert as a warning, where it is one of a spend limit."""
    if share is None:
        return fact
    return SpendLimitWarned(
        **asdict(fact), limit_id=share.limit_id, percentage=share.percentage
    )
