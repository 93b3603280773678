"""Credit grants and their applications: what the facts about credits add up to.

Whether a grant is pending, usable, used up, expired or voided is not stored: it follows
from the grant and an instant. Instants are microseconds since 1970 UTC, amounts are
minor units.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import asdict

from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    Draw,
    GrantCategory,
    GrantFact,
    GrantOrigin,
    InvoiceLine,
)
from projections.kernels.credits.pools import PoolShare


class Grant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A credit grant as it is at some position of the log.

    Attributes:
        position: of the fact that created it; draws name the grant by it.
        prices: the prices it may be used for; None is every metered price.
        expires_at: exclusive; None is never.
        created: when it counts as granted: where it has an origin, when it fell due.
        origin: the period of the schedule that it is of; None where it is of none.
        expired_position: of the fact that made it expire; None where time does.
        applied: what invoices hold of it, without reinstated credits.
        reinstated_late: what came back to it after its end, and expired again.
        held: what holds keep of it that no fact ended. Those that time has ended count,
            unless it was read as of an instant.
        outliving: what of it, still held at its end, does not expire with it.
        pool: id of the pool that it belongs to, whose members share it; None where it
            is a customer's. The customer of a pool's grant is empty.
        share: what the member that it was read for may take of its pool; None where it
            was read for none.
    """

    position: int
    grant_id: str
    customer: str
    amount: int
    currency: str
    prices: tuple[str, ...] | None
    category: GrantCategory
    name: str | None
    priority: int
    effective_at: int
    expires_at: int | None
    metadata: dict[str, str]
    created: int
    updated: int
    origin: GrantOrigin | None = None
    expired_position: int | None = None
    voided_at: int | None = None
    voided_position: int | None = None
    applied: int = 0
    reinstated_late: int = 0
    held: int = 0
    outliving: int = 0
    pool: str | None = None
    share: PoolShare | None = None

    @property
    def remaining(self) -> int:
        """What invoices left of it, usable or not."""
        return self.amount - self.applied

    @property
    def free(self) -> int:
        """What neither invoices nor holds have of it, usable or not."""
        return self.remaining - self.held

    @property
    def left_at_its_end(self) -> int:
        """What expired of it at its end; only what was held then is drawn after that."""
        return self.remaining - self.reinstated_late - self.outliving

    @property
    def owners(self) -> tuple[str, ...]:
        """Its customer; nobody where it is a pool's."""
        return () if self.pool else (self.customer,)

    @property
    def end(self) -> tuple[int, int] | None:
        """When and at which position it ends, 0 where time ends it; None is never."""
        end, position = self.expires_at, self.expired_position
        if self.voided_at is not None:
            end, position = self.voided_at, self.voided_position
        return None if end is None else (end, position or 0)

    @property
    def beginning(self) -> tuple[int, int]:
        """When and at which position it was granted, 0 where time granted it."""
        return self.created, self.position if self.origin is None else 0

    def is_over(self, instant: int, position: int) -> bool:
        """Whether it had ended before what was recorded at a position."""
        return self.end is not None and self.end < (instant, position)

    def is_pending(self, instant: int) -> bool:
        """Whether it is not effective yet."""
        return instant < self.effective_at

    def is_expired(self, instant: int) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and instant >= self.expires_at

    def is_voided(self, instant: int) -> bool:
        """Whether it was voided by then."""
        return self.voided_at is not None and instant >= self.voided_at


class Application(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Credits applied to an invoice; `position` is that of the fact that applied them."""

    position: int
    invoice: str
    customer: str
    currency: str
    period_end: int
    recorded_at: int
    lines: tuple[InvoiceLine, ...]
    draws: tuple[Draw, ...]
    reinstated_at: int | None = None
    reinstated_position: int | None = None


def granted(fact: CreditGrantCreated, position: int, recorded_at: int) -> Grant:
    """Return the grant that a fact created."""
    at = recorded_at if fact.origin is None else fact.effective_at
    return Grant(**asdict(fact), position=position, created=at, updated=at)


def changes(fact: GrantFact, position: int, recorded_at: int) -> dict[str, Any]:
    """Return the attributes of its grant that a fact changes, with their new values."""
    updated = {"updated": recorded_at}
    match fact:
        case CreditGrantUpdated():
            return updated | {"expires_at": fact.expires_at, "metadata": fact.metadata}
        case CreditGrantExpired():
            return updated | {"expires_at": recorded_at, "expired_position": position}
        case CreditGrantVoided():
            return updated | {"voided_at": recorded_at, "voided_position": position}


def applied(fact: CreditsApplied, position: int, recorded_at: int) -> Application:
    """Return the application that a fact recorded."""
    return Application(**asdict(fact), position=position, recorded_at=recorded_at)


def drawn(draws: Iterable[Draw]) -> dict[int, int]:
    """Return what draws took of each grant, by its position."""
    sums: dict[int, int] = {}
    for draw in draws:
        at = draw.grant_position
        sums[at] = sums.get(at, 0) + draw.amount
    return sums
