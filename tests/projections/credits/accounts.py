"""Accounts: grants and applications folded fact by fact, in dictionaries, to compare."""

from collections import Counter

from msgspec.structs import replace

from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.union import Fact
from projections.kernels.credits.grants import (
    Application,
    Grant,
    applied,
    changes,
    drawn,
    granted,
)


class CreditAccounts:
    """All grants and applications, folded fact by fact.

    Attributes:
        applications: by position. An invoice is settled anew once its last application
            was reinstated.
    """

    def __init__(self) -> None:
        self.applications: dict[int, Application] = {}
        self._settled: dict[str, int] = {}
        self._grants: dict[int, Grant] = {}
        self._positions: dict[str, int] = {}
        # Kept apart: very many invoices may draw from one frozen grant.
        self._applied: Counter[int] = Counter()
        self._reinstated_late: Counter[int] = Counter()

    @property
    def grants(self) -> dict[int, Grant]:
        """The grants, by the position of their creation."""
        return {
            at: replace(
                grant,
                applied=self._applied[at],
                reinstated_late=self._reinstated_late[at],
            )
            for at, grant in self._grants.items()
        }

    def take_in(self, fact: Fact, position: int, recorded_at: int) -> None:
        """Fold the next fact; facts about anything but credits change nothing."""
        match fact:
            case CreditsApplied():
                application = applied(fact, position, recorded_at)
                self.applications[position] = application
                self._settled[fact.invoice] = position
                for draw in application.draws:
                    self._applied[draw.grant_position] += draw.amount
            case CreditsReinstated():
                settled = self._settled[fact.invoice]
                application = replace(
                    self.applications[settled],
                    reinstated_at=recorded_at,
                    reinstated_position=position,
                )
                self.applications[settled] = application
                amounts = drawn(application.draws)
                self._applied.subtract(amounts)
                for at, amount in amounts.items():
                    if self._grants[at].is_over(recorded_at, position):
                        self._reinstated_late[at] += amount
            case CreditGrantCreated():
                self._grants[position] = granted(fact, position, recorded_at)
                self._positions[fact.grant_id] = position
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                changed = changes(fact, position, recorded_at)
                at = self._positions[fact.grant_id]
                self._grants[at] = replace(self._grants[at], **changed)
            case _:
                pass
