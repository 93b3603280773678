"""What is known of credits from one decision about holds to the next.

As long as nobody else records a fact, what was read, with what was decided since, is what
a database transaction would read again. So a caller who holds and settles over and over
reads little more than where the log ends. Under the write lock the head says whether it is
still so, whichever process recorded last.
"""

from collections.abc import Collection
from typing import NamedTuple

from ledger.appending.writing import Writing
from projections.credits.together import CreditsTogether
from projections.limits.queries import LimitQueries
from projections.pools.queries import PoolQueries

_KEPT_AT_MOST = 50_000


class KnownCredits:
    """Credits in one database transaction, and the limits and pools of customers.

    Attributes:
        seen: the credits.
    """

    def __init__(self, writing: Writing) -> None:
        self.seen = CreditsTogether(writing.connection)
        self._is_limited: dict[str, bool] = {}
        self._is_member: dict[str, bool] = {}

    def __len__(self) -> int:
        """Return how much is kept, about."""
        return len(self.seen) + len(self._is_limited) + len(self._is_member)

    def is_limited(self, customer: str) -> bool:
        """Whether a customer has a spend limit."""
        if customer not in self._is_limited:
            limits = LimitQueries(self.seen.connection).of_customer(customer)
            self._is_limited[customer] = bool(limits)
        return self._is_limited[customer]

    def members_among(self, customers: Collection[str]) -> set[str]:
        """Return which customers are members of a pool."""
        if unknown := {each for each in customers if each not in self._is_member}:
            found = PoolQueries(self.seen.connection).members_among(unknown)
            self._is_member |= {each: each in found for each in unknown}
        return {each for each in customers if self._is_member[each]}


class _KeptKnowledge(NamedTuple):
    """What was known after a commit.

    Attributes:
        epoch: of the log.
        facts_position: of its last fact.
        instant: of the last decision; none is made at an earlier one.
    """

    known: KnownCredits
    epoch: str
    facts_position: int
    instant: int


class KeptCredits:
    """Hands on what is known to the next who decides. Thread-safe."""

    def __init__(self) -> None:
        self._kept: _KeptKnowledge | None = None

    def taken(self, writing: Writing) -> KnownCredits:
        """Return what is known, as far as it is still so. Nobody else has it meanwhile.

        Args:
            writing: in which it is decided; it holds the write lock.
        """
        kept, self._kept = self._kept, None
        head = writing.head
        if (
            kept is None
            # It goes by another time than what is kept.
            or writing.is_clocked
            or (kept.epoch, kept.facts_position) != (head.epoch, head.facts_position)
            or not kept.instant <= writing.now < kept.known.seen.goes_on_until()
        ):
            return KnownCredits(writing)
        kept.known.seen.go_on(writing.connection)
        return kept.known

    def keep(self, known: KnownCredits, writing: Writing) -> None:
        """Keep what is known once it is committed.

        Args:
            known: with all that was decided, which is recorded.
            writing: in which it was.
        """
        if writing.is_clocked or len(known) > _KEPT_AT_MOST:
            return
        known.seen.recorded()
        head = writing.head
        self._kept = _KeptKnowledge(known, head.epoch, head.facts_position, writing.now)
