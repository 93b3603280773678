"""Credit grants and what was applied of them: what the facts about credits add up to.

No state of a grant is kept: whether it is pending, usable, used up, expired or voided
follows from it and an instant. Instants are microseconds since 1970 UTC, amounts minor
units.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
    GrantCategory,
    InvoiceLine,
)
from ledger.facts.union import Fact

GrantFact = CreditGrantUpdated | CreditGrantExpired | CreditGrantVoided


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A credit grant as it is at some position of the log.

    Attributes:
        position: that of the fact that created it; draws name it by this.
        prices: the prices it may be used for, None for every metered price.
        expires_at: exclusive, None for never.
        expired_position: that of the fact that made it expire, None where time does.
        applied: what invoices hold of it, reinstated credits not counted.
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
    expired_position: int | None = None
    voided_at: int | None = None
    voided_position: int | None = None
    applied: int = 0

    @property
    def remaining(self) -> int:
        """What invoices left of it, whether or not it can be used."""
        return self.amount - self.applied

    def is_pending(self, instant: int) -> bool:
        """Tell whether it will be usable, but is not yet."""
        return instant < self.effective_at

    def is_expired(self, instant: int) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and instant >= self.expires_at

    def is_voided(self, instant: int) -> bool:
        """Tell whether it was taken back."""
        return self.voided_at is not None and instant >= self.voided_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An invoice that was settled, at the position of the fact that says so."""

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
    """Make the grant that a fact created."""
    return Grant(
        position=position,
        grant_id=fact.grant_id,
        customer=fact.customer,
        amount=fact.amount,
        currency=fact.currency,
        prices=fact.prices,
        category=fact.category,
        name=fact.name,
        priority=fact.priority,
        effective_at=fact.effective_at,
        expires_at=fact.expires_at,
        metadata=fact.metadata,
        created=recorded_at,
        updated=recorded_at,
    )


def changes(fact: GrantFact, position: int, recorded_at: int) -> dict[str, Any]:
    """Find which attributes of its grant a fact changes, and to what."""
    updated = {"updated": recorded_at}
    match fact:
        case CreditGrantUpdated():
            changed = {"expires_at": fact.expires_at, "metadata": fact.metadata}
            return updated | changed
        case CreditGrantExpired():
            return updated | {"expires_at": recorded_at, "expired_position": position}
        case CreditGrantVoided():
            return updated | {"voided_at": recorded_at, "voided_position": position}


def applied(fact: CreditsApplied, position: int, recorded_at: int) -> Application:
    """Make the application that a fact recorded."""
    return Application(
        position=position,
        invoice=fact.invoice,
        customer=fact.customer,
        currency=fact.currency,
        period_end=fact.period_end,
        recorded_at=recorded_at,
        lines=fact.lines,
        draws=fact.draws,
    )


def drawn(draws: Iterable[Draw]) -> dict[int, int]:
    """Add up draws, by the position of the grant."""
    sums: dict[int, int] = {}
    for draw in draws:
        at = draw.grant_position
        sums[at] = sums.get(at, 0) + draw.amount
    return sums


class CreditAccounts:
    """All grants and applications, folded fact by fact.

    Attributes:
        applications: by invoice.
    """

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {}
        self._grants: dict[int, Grant] = {}
        self._positions: dict[str, int] = {}
        # Apart from the grants, of which very many invoices may draw.
        self._applied: Counter[int] = Counter()

    @property
    def grants(self) -> dict[int, Grant]:
        """The grants, by the position of their creation."""
        return {
            at: replace(grant, applied=self._applied[at])
            for at, grant in self._grants.items()
        }

    def take_in(self, fact: Fact, position: int, recorded_at: int) -> None:
        """Fold the next fact; one about anything else changes nothing."""
        match fact:
            case CreditsApplied():
                application = applied(fact, position, recorded_at)
                self.applications[fact.invoice] = application
                for draw in application.draws:
                    self._applied[draw.grant_position] += draw.amount
            case CreditsReinstated():
                application = replace(
                    self.applications[fact.invoice],
                    reinstated_at=recorded_at,
                    reinstated_position=position,
                )
                self.applications[fact.invoice] = application
                self._applied.subtract(drawn(application.draws))
            case CreditGrantCreated():
                self._grants[position] = granted(fact, position, recorded_at)
                self._positions[fact.grant_id] = position
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                changed = changes(fact, position, recorded_at)
                at = self._positions[fact.grant_id]
                self._grants[at] = replace(self._grants[at], **changed)
            case _:
                pass
