"""Holds of many callers in one commit: each is decided after those before it.

Callers who hold or settle at the same time share a database transaction, as those do who
record events. Each is answered, or refused, as it would be alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ledger.appending.group_commit import GroupCommit
from ledger.appending.writing import Writing
from ledger.errors import LedgerError, MeteringError
from ledger.facts.credits.holds import CreditHoldCreated, CreditHoldSettled
from metering.arguments.ids import found_by_id
from metering.arguments.strings import is_storable
from metering.errors import (
    InvalidRequestError,
    ResourceMissingError,
    TestClockAdvancingError,
)
from metering.holds.deciding import (
    check_open,
    check_same,
    check_settled_so,
    created,
    settled,
)
from metering.holds.known import KeptCredits, KnownCredits
from metering.holds.rating import HoldRating
from metering.holds.requests import CreditHoldCreate, CreditHoldSettle
from metering.limits.obeying import check_limits
from metering.spending.sharing import drawing_together
from metering.store.engine import REQUEST, Engine
from projections.credits.queries import CreditQueries
from projections.credits.together import CreditsTogether
from projections.kernels.credits.holds import Hold, after, as_of, held
from projections.kernels.credits.holds import settled as settlement_of

_GRANT_IDS_KEPT = 10_000


class DecidedHold(NamedTuple):
    """A hold as it is answered.

    Attributes:
        instant: at which it was so.
        fact: that is to be recorded; None where nothing new was decided.
    """

    hold: Hold
    instant: int
    fact: CreditHoldCreated | CreditHoldSettled | None


class HoldOutcome(NamedTuple):
    """A hold as it is answered, and the ids of its grants by position."""

    decided: DecidedHold
    grant_ids: Mapping[int, str]


class Deciding(NamedTuple):
    """Where and when something is decided.

    Attributes:
        position: of the fact that it would record.
        now: the instant of the commit.
    """

    engine: Engine
    rating: HoldRating
    writing: Writing
    known: KnownCredits
    position: int
    now: int

    @property
    def seen(self) -> CreditsTogether:
        """The credits."""
        return self.known.seen


class HoldDraft(Protocol):
    """Something to be decided about a hold."""

    @property
    def hold_id(self) -> str:
        """The id of the hold."""

    @property
    def is_of_usage(self) -> bool:
        """Whether it is given in usage, which is weighed against what is recorded."""

    def invoices(self) -> Sequence[str]:
        """Return the invoices as which it must not be known."""

    def customer(self, seen: CreditQueries) -> str | None:
        """Return whose hold it is; None where there is none."""

    def decided(self, at: Deciding) -> DecidedHold:
        """Decide it.

        Raises:
            InvalidRequestError: it is refused.
        """

    def __len__(self) -> int:
        """Return how many facts it may record."""


@dataclass(frozen=True, slots=True)
class HoldToCreate:
    """A hold that is to be made, as it was asked for, and its expiry as it was given."""

    asked: CreditHoldCreate
    wanted: CreditHoldCreated
    expires_at: int | None

    def __len__(self) -> int:
        """Return 1."""
        return 1

    @property
    def hold_id(self) -> str:
        """The id of the hold."""
        return self.wanted.hold_id

    @property
    def is_of_usage(self) -> bool:
        """Whether it is given in usage."""
        return self.asked.quantity is not None

    def invoices(self) -> Sequence[str]:
        """Return the invoices as which it must not be known."""
        return [self.wanted.hold_id]

    def customer(self, seen: CreditQueries) -> str | None:
        """Return whose hold it is."""
        del seen
        return self.wanted.customer

    def decided(self, at: Deciding) -> DecidedHold:
        """Make the hold, unless it is there."""
        known, now = at.seen.holds.hold(self.hold_id), at.now
        wanted = at.rating.with_usage(at.writing, self.asked, self.wanted)
        if known is not None:
            check_same(known, wanted, self.expires_at)
            made = as_of(known, (), known.position)
            return DecidedHold(made, made.created, None)
        wanted, usage = at.rating.rated(at.writing, at.seen, wanted)
        fact = created(wanted, self.expires_at, at.seen, now, usage)
        taken = sum(part.amount for part in fact.parts)
        _check_limits(at, fact, taken, now)
        hold = held(fact, at.position, now)
        at.seen.created(fact, hold)
        return DecidedHold(hold, now, fact)


@dataclass(frozen=True, slots=True)
class HoldToSettle:
    """A hold that is to be settled, and how."""

    named: object
    asked: CreditHoldSettle

    def __len__(self) -> int:
        """Return 1."""
        return 1

    @property
    def hold_id(self) -> str:
        """The id of the hold, empty where none can have it."""
        is_one = isinstance(self.named, str) and is_storable(self.named)
        return str(self.named) if is_one else ""

    @property
    def is_of_usage(self) -> bool:
        """Whether it is given in usage."""
        return self.asked.quantity is not None

    def invoices(self) -> Sequence[str]:
        """Return the invoices as which it must not be known."""
        settlement = self.asked.settlement
        return [] if settlement is None else [f"{self.hold_id}/{settlement}"]

    def customer(self, seen: CreditQueries) -> str | None:
        """Return whose hold it is; None where there is none."""
        hold = seen.holds.hold(self.hold_id)
        return None if hold is None else hold.customer

    def decided(self, at: Deciding) -> DecidedHold:
        """Settle the hold, unless it is settled so."""
        holds, now = at.seen.holds, at.now
        hold = found_by_id(holds.hold, self.named, "credit hold", "id")
        its = holds.settlement(hold, self.asked.settlement or "")
        if its is not None:
            check_settled_so(hold, its, self.asked)
            made = holds.settlements_of([hold])[hold.position]
            return DecidedHold(as_of(hold, made, its.position), its.recorded_at, None)
        # Before it is rated: nothing may bill any more what has ended.
        check_open(hold, now)
        asked = at.rating.settlement(at.writing, at.seen, hold, self.asked)
        fact = settled(hold, asked, at.seen, now)
        its = settlement_of(fact, at.position, now)
        if its.overdrawn:
            _check_limits(at, hold, its.overdrawn, hold.created)
        hold = after(hold, its)
        at.seen.settled(fact, hold, its)
        return DecidedHold(hold, now, fact)


class HoldsGroup:
    """Lets threads that hold and settle share commits. Thread-safe."""

    def __init__(self, engine: Engine, rating: HoldRating) -> None:
        self._engine = engine
        self._rating = rating
        self._grant_ids: dict[int, str] = {}
        self._kept = KeptCredits()
        self._group: GroupCommit[HoldDraft, HoldOutcome | MeteringError] = GroupCommit(
            self._commit
        )

    def submit(self, draft: HoldDraft) -> HoldOutcome:
        """Decide and record a draft, alone or with others.

        Raises:
            InvalidRequestError: it is refused.
            StoreError: nothing was recorded.
        """
        # What is recorded on behalf of a request is claimed with it, one a commit.
        is_alone = REQUEST.get() is not None
        [outcome] = self._commit([draft]) if is_alone else [self._group.submit(draft)]
        if isinstance(outcome, MeteringError):
            raise outcome
        return outcome

    def _commit(self, drafts: Sequence[HoldDraft]) -> list[HoldOutcome | MeteringError]:
        found: dict[int, HoldOutcome | MeteringError] = {}
        while len(found) < len(drafts):
            left = {at: each for at, each in enumerate(drafts) if at not in found}
            try:
                found |= self._commit_some(left)
            except LedgerError as error:
                if not found:
                    raise
                # What an earlier commit recorded stays, and is answered.
                found |= dict.fromkeys(left, error)
        return [found[at] for at in range(len(drafts))]

    def _commit_some(
        self, drafts: dict[int, HoldDraft]
    ) -> dict[int, HoldOutcome | InvalidRequestError]:
        """Decide drafts in one commit, but for those that need what it records."""

        def whose(seen: CreditQueries) -> Collection[str]:
            nonlocal drafts
            drafts = _of_one_time(seen, drafts)
            return _whose(seen, [*drafts.values()])

        lowers = all(isinstance(each, HoldToCreate) for each in drafts.values())
        try:
            with self._engine.writing_credits(whose, only_lowers=lowers) as (
                writing,
                _,
            ):
                known = self._kept.taken(writing)
                decided, refused = self._decide(writing, known, drafts)
                ids = self._ids_of(known.seen, [each.hold for each in decided.values()])
                facts = [each.fact for each in decided.values()]
                writing.record([fact for fact in facts if fact is not None])
            self._kept.keep(known, writing)
        except (TestClockAdvancingError, ResourceMissingError) as error:
            # Their clock is being moved on, or is gone; others go on.
            return dict.fromkeys(drafts, error)
        return refused | {at: HoldOutcome(each, ids) for at, each in decided.items()}

    def _decide(
        self, writing: Writing, known: KnownCredits, drafts: Mapping[int, HoldDraft]
    ) -> tuple[dict[int, DecidedHold], dict[int, InvalidRequestError]]:
        """Decide drafts in their order; return what was decided, and what refused."""
        decided: dict[int, DecidedHold] = {}
        refused: dict[int, InvalidRequestError] = {}
        position = writing.next_position
        _read_ahead(known.seen, [*drafts.values()])
        before = _DecidedBefore(known, [*drafts.values()])
        for at, draft in drafts.items():
            if not before.may_follow(draft):
                continue
            here = Deciding(
                engine=self._engine,
                rating=self._rating,
                writing=writing,
                known=known,
                position=position,
                now=writing.now,
            )
            try:
                decided[at] = draft.decided(here)
            except InvalidRequestError as error:
                refused[at] = error
                continue
            if decided[at].fact is not None:
                position += 1
                before.took(draft)
        return decided, refused

    def _ids_of(
        self, seen: CreditsTogether, holds: Sequence[Hold]
    ) -> Mapping[int, str]:
        """Return the ids of the grants of holds, by position: none ever changes."""
        known = self._grant_ids
        wanted = {part.grant_position for hold in holds for part in hold.parts}
        if missing := sorted(wanted - known.keys()):
            if len(known) > _GRANT_IDS_KEPT:
                known, missing = {}, sorted(wanted)
            # Others may read it at this moment, so it is not changed.
            known = self._grant_ids = {**known, **seen.grant_ids(missing)}
        return known


def _of_one_time(
    seen: CreditQueries, drafts: dict[int, HoldDraft]
) -> dict[int, HoldDraft]:
    """Return those drafts whose customers live by the time of the first one's."""
    if not seen.clocked or len(drafts) == 1:
        return drafts
    clocks = {
        at: seen.clocked.clock_of(each.customer(seen) or "")
        for at, each in drafts.items()
    }
    first = next(iter(clocks.values()))
    return {at: each for at, each in drafts.items() if clocks[at] == first}


class _DecidedBefore:
    """Who must wait for the next commit.

    What spend limits count is read of recorded holds, and so is what other members have
    of a pool, and what usage is weighed against.
    """

    def __init__(self, known: KnownCredits, drafts: Sequence[HoldDraft]) -> None:
        self._known, self._seen = known, known.seen
        self._members: set[str] = set()
        if len(drafts) > 1:
            customers = {each.customer(self._seen) for each in drafts}
            self._members = known.members_among({each for each in customers if each})
        self._took: set[str] = set()

    def may_follow(self, draft: HoldDraft) -> bool:
        """Whether a draft can be decided behind those that are decided."""
        customer = draft.customer(self._seen)
        if customer in self._members and self._took:
            return False
        if customer is None or customer not in self._took:
            return True
        return not draft.is_of_usage and not self._known.is_limited(customer)

    def took(self, draft: HoldDraft) -> None:
        """Note whose credits a draft takes or gives back."""
        customer = draft.customer(self._seen)
        assert customer is not None, "something was decided about a hold"
        self._took.add(customer)


def _whose(seen: CreditQueries, drafts: Sequence[HoldDraft]) -> list[str]:
    """Return whose credits drafts are about."""
    alone, weighed = set[str](), set[str]()
    for each in drafts:
        if (customer := each.customer(seen)) is not None:
            (weighed if each.is_of_usage else alone).add(customer)
    return [*alone, *drawing_together(seen, weighed)]


def _read_ahead(seen: CreditsTogether, drafts: Sequence[HoldDraft]) -> None:
    """Read what all drafts ask for, in few statements."""
    hold_ids = [each.hold_id for each in drafts if is_storable(each.hold_id)]
    invoices = {each for draft in drafts for each in draft.invoices()}
    seen.holds.read_ahead(hold_ids, [*filter(is_storable, invoices)])


def _check_limits(
    at: Deciding, hold: CreditHoldCreated | Hold, amount: int, instant: int
) -> None:
    """Check that the spend limits of a hold's customer allow an amount more."""
    if not at.known.is_limited(hold.customer):
        return
    check_limits(
        at.engine,
        at.writing,
        customer=hold.customer,
        price=hold.price,
        currency=hold.currency,
        amount=amount,
        instant=instant,
    )
