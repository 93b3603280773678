"""Own the naive oracle of alerts on credits: where credits must have fallen.

It must not know the product. It is told what took which position of the log and when,
and makes every balance anew from all that had happened, at each place where one could
have changed.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

Moment = tuple[int, int]
"""An instant, and the position of what happened then, 0 where time did it."""


class Fall(NamedTuple):
    """Something that must have triggered, in the order of the log."""

    moment: Moment
    alert: int
    customer: str
    value: int


@dataclass(kw_only=True)
class SeenGrant:
    """A grant, with all that was ever done to it.

    Attributes:
        expiries: from which moment on it was to expire at which instant.
        draws: what was taken, or given back (negative), and when.
    """

    customer: str
    currency: str
    amount: int
    effective_at: int
    created: Moment
    expiries: list[tuple[Moment, int]]
    draws: list[tuple[Moment, int]] = field(default_factory=list)
    ended: Moment | None = None

    def available(self, moment: Moment) -> int:
        if moment < self.created or moment[0] < self.effective_at:
            return 0
        if self.ended is not None and moment >= self.ended:
            return 0
        known = [expiry for since, expiry in self.expiries if since <= moment]
        if known and moment >= (known[-1], 0):
            return 0
        return self.amount - sum(taken for at, taken in self.draws if at <= moment)

    def moments(self) -> set[Moment]:
        found = {self.created, (self.effective_at, 0)}
        found |= {(expiry, 0) for _, expiry in self.expiries}
        found |= {at for at, _ in self.draws}
        return found if self.ended is None else found | {self.ended}


@dataclass(kw_only=True)
class SeenCreditAlert:
    """An alert, and from which moment to which it is active."""

    lte: int
    currency: str
    customer: str | None
    periods: list[list[Moment]]


@dataclass(kw_only=True)
class CreditAlertOracle:
    grants: list[SeenGrant] = field(default_factory=list)
    alerts: list[SeenCreditAlert] = field(default_factory=list)

    def due(self, now: int) -> list[Fall]:
        found = []
        for number, alert in enumerate(self.alerts):
            for customer in sorted({grant.customer for grant in self.grants}):
                if alert.customer in {None, customer}:
                    found += [
                        Fall(moment, number, customer, value)
                        for moment, value in self.falls(alert, customer)
                        if moment[0] <= now
                        and any(start < moment < end for start, end in alert.periods)
                    ]
        return sorted(found)

    def falls(self, alert: SeenCreditAlert, customer: str) -> list[tuple[Moment, int]]:
        grants = [
            grant
            for grant in self.grants
            if (grant.customer, grant.currency) == (customer, alert.currency)
        ]
        moments = sorted(moment for grant in grants for moment in grant.moments())
        found, before = [], 0
        for moment in moments:
            after = sum(grant.available(moment) for grant in grants)
            if before > alert.lte >= after:
                found.append((moment, after))
            before = after
        return found
