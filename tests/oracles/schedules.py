"""Own what schedules grant a customer, by calendar dates and by living through time.

Instants are hours since a start. Each period is counted anew from the anchor, one day of
the calendar after the other, and what is left is what a pot has when it is over.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.oracles.holds import HoldsOracle, Pot

HOUR = timedelta(hours=1)


@dataclass
class Plan:
    """A schedule: what it says of the next period, and of the one that was granted."""

    name: str
    interval: str
    count: int
    anchor: int
    amount: int
    rollover: tuple[str, int] | None
    lasts: int | None
    paused: bool = False
    canceled: bool = False
    number: int = 0
    granted: Pot | None = None
    granted_by: tuple[tuple[str, int] | None, int | None] = (None, None)


class SchedulesOracle(HoldsOracle):
    """One customer's credits, of which some recur."""

    def __init__(self, start: datetime) -> None:
        super().__init__(0)
        self.start = start
        self.plans: dict[str, Plan] = {}

    def schedule(self, plan: Plan) -> None:
        self.plans[plan.name] = plan
        self._grant_due(plan)

    def live_until(self, instant: int) -> None:
        """Live through each hour: an end, then what recurs at it."""
        while self.now < instant:
            hour = self.now + 1
            left = {
                plan.name: plan.granted.free
                for plan in self.plans.values()
                if plan.granted is not None and not plan.granted.is_over
            }
            super().live_until(hour)
            for plan in self.plans.values():
                self._grant_due(plan, left.get(plan.name, 0))

    def _grant_due(self, plan: Plan, left: int = 0) -> None:
        """Grant what is due at this hour; `left` is what there was just before."""
        while self._begins(plan, plan.number) < self.now:
            plan.number += 1
        number = plan.number
        if self._begins(plan, number) > self.now or plan.paused or plan.canceled:
            return
        before, (rule, lasts) = plan.granted, plan.granted_by
        is_next = (
            before is not None and before.name == f"credgr_{plan.name}_{number - 1}"
        )
        if before is not None and is_next and before.ends == self.now and rule:
            kind, value = rule
            rolled = {"none": 0, "max_amount": min(left, value)}.get(
                kind, left * value // 100
            )
            if rolled and not before.voided:
                name = f"credgr_{plan.name}_{number}_rollover"
                self._recur(plan, name, rolled, number, lasts)
        plan.granted_by = plan.rollover, plan.lasts
        name = f"credgr_{plan.name}_{number}"
        pot = self._recur(plan, name, plan.amount, number, plan.lasts)
        if plan.rollover is not None:
            end = self._begins(plan, number + 1)
            pot.ends = end if pot.ends is None else min(end, pot.ends)
        plan.granted = pot

    def _recur(
        self, plan: Plan, name: str, amount: int, number: int, lasts: int | None
    ) -> Pot:
        ends = None if lasts is None else self._after(plan, number * plan.count + lasts)
        pot = Pot(name, amount, 50, self.now, ends, price=None)
        self.grant(pot)
        return pot

    def _begins(self, plan: Plan, number: int) -> int:
        return self._after(plan, number * plan.count)

    def _after(self, plan: Plan, intervals: int) -> int:
        """The hour that is so many days, weeks or months after the anchor."""
        anchor = self.start + plan.anchor * HOUR
        if plan.interval != "month":
            days = intervals * {"day": 1, "week": 7}[plan.interval]
            return plan.anchor + 24 * days
        year, month = anchor.year, anchor.month
        for _ in range(intervals):
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        day = min(anchor.day, monthrange(year, month)[1])
        return (anchor.replace(year=year, month=month, day=day) - self.start) // HOUR
