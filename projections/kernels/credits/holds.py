"""Holds: what they keep of grants, and when they let go of it.

Whether a hold is open or has expired is not stored: it follows from the hold and an
instant. What it keeps of its grants changes where it is made, settled and ended.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.facts.credits.grants import Draw
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldSettled,
    HeldPart,
    HeldUsage,
)
from projections.kernels.credits.grants import Grant


class HoldStatus(enum.Enum):
    """What became of a hold."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Hold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A hold as it is at some position of the log.

    Attributes:
        position: of the fact that created it.
        amount: asked for.
        is_partial: whether less might be held.
        expires_at: exclusive.
        parts: what it took of each grant, in the order of drawing.
        drawn: what settlements took of it, from its first part on.
        overdrawn: what they drew of free credits beyond it.
        uncovered: what they asked for, and no credits covered.
        settlement_count: how many there were.
        ended: what ended it, where a fact did.
        ended_at: when.
        ended_position: at which position.
        usage: that came to the amount, where it was given.
    """

    position: int
    hold_id: str
    customer: str
    amount: int
    currency: str
    price: str | None
    is_partial: bool
    expires_at: int
    metadata: dict[str, str]
    parts: tuple[HeldPart, ...]
    created: int
    drawn: int = 0
    overdrawn: int = 0
    uncovered: int = 0
    settlement_count: int = 0
    ended: HoldStatus | None = None
    ended_at: int | None = None
    ended_position: int | None = None
    usage: HeldUsage | None = None

    @property
    def taken(self) -> int:
        """What it took of all grants."""
        return sum(part.amount for part in self.parts)

    @property
    def end(self) -> tuple[int, int]:
        """When and at which position it ends, 0 where time ends it."""
        if self.ended_at is None:
            return self.expires_at, 0
        return self.ended_at, self.ended_position or 0

    def status(self, instant: int) -> HoldStatus:
        """Return what has become of it by an instant."""
        if self.ended is not None and self.ended_at is not None:
            if instant >= self.ended_at:
                return self.ended
        elif instant >= self.expires_at:
            return HoldStatus.EXPIRED
        return HoldStatus.OPEN

    def left(self) -> tuple[HeldPart, ...]:
        """Return what settlements left of its parts: the last ones."""
        return after_drawing(self.parts, self.drawn)[1]


class Settlement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one settlement drew of a hold.

    Attributes:
        position: of its fact.
        hold_position: of the hold.
        settlement_id: empty where it has none.
        amount: that it asked for.
        is_final: whether it ended the hold.
        drawn, overdrawn, uncovered: as of a hold.
        quantity: of usage that came to the amount, where it was given.
    """

    position: int
    hold_position: int
    settlement_id: str
    amount: int
    is_final: bool
    drawn: int
    overdrawn: int
    uncovered: int
    recorded_at: int
    quantity: Decimal | None = None


class HeldMove(NamedTuple):
    """Where a hold took something of a grant, or let go of it (negative).

    Attributes:
        instant, position: where; the position is 0 where time did it.
        is_return: whether it went back to the grant: it was not drawn.
    """

    instant: int
    position: int
    grant_position: int
    amount: int
    hold: Hold
    is_return: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """When it happened and at which position."""
        return self.instant, self.position


def held(fact: CreditHoldCreated, position: int, recorded_at: int) -> Hold:
    """Return the hold that a fact created."""
    return Hold(
        position=position,
        hold_id=fact.hold_id,
        customer=fact.customer,
        amount=fact.amount,
        currency=fact.currency,
        price=fact.price,
        is_partial=fact.partial,
        expires_at=fact.expires_at,
        metadata=fact.metadata,
        parts=fact.parts,
        created=recorded_at,
        usage=fact.usage,
    )


def settled(fact: CreditHoldSettled, position: int, recorded_at: int) -> Settlement:
    """Return the settlement that a fact recorded."""
    drawn = sum(part.amount for part in fact.drawn)
    made = fact.application
    asked = sum(line.amount for line in made.lines)
    overdrawn = sum(draw.amount for draw in made.draws) - drawn
    return Settlement(
        position=position,
        hold_position=fact.hold_position,
        settlement_id=fact.settlement,
        amount=asked,
        is_final=fact.final,
        drawn=drawn,
        overdrawn=overdrawn,
        uncovered=asked - drawn - overdrawn,
        recorded_at=recorded_at,
        quantity=fact.quantity,
    )


def parts_of(draws: Iterable[Draw]) -> tuple[HeldPart, ...]:
    """Return what draws took of each grant, in the order of the draws."""
    sums: dict[int, int] = {}
    for draw in draws:
        at = draw.grant_position
        sums[at] = sums.get(at, 0) + draw.amount
    return tuple(HeldPart(at, amount) for at, amount in sums.items())


def after_drawing(
    parts: Sequence[HeldPart], amount: int
) -> tuple[tuple[HeldPart, ...], tuple[HeldPart, ...]]:
    """Return what drawing an amount takes of parts, from the first on, and what it leaves."""
    taken, left = list[HeldPart](), list[HeldPart]()
    for part in parts:
        now = min(amount, part.amount)
        amount -= now
        if now:
            taken.append(HeldPart(part.grant_position, now))
        if part.amount > now:
            left.append(HeldPart(part.grant_position, part.amount - now))
    assert not amount, "no more is drawn than is there"
    return tuple(taken), tuple(left)


def held_by_grant(holds: Iterable[Hold], instant: int) -> Counter[int]:
    """Return what holds keep of each grant at an instant that is not past."""
    sums: Counter[int] = Counter()
    for hold in holds:
        if hold.status(instant) is HoldStatus.OPEN:
            for part in hold.left():
                sums[part.grant_position] += part.amount
    return sums


def outliving(grant: Grant, holds: Iterable[Hold]) -> int:
    """Return what of a grant, held when it ended, no fact has drawn or returned since.

    Args:
        grant: at the head of the log.
        holds: of its customer, that no fact has ended.
    """
    end = grant.end
    if end is None:
        return 0
    return sum(
        part.amount
        for hold in holds
        if (hold.created, hold.position) < end < hold.end
        for part in hold.left()
        if part.grant_position == grant.position
    )


def held_moves(hold: Hold, settlements: Iterable[Settlement]) -> Iterator[HeldMove]:
    """Yield where a hold took something and let go of it, in order.

    Args:
        hold: at the head of the log.
        settlements: of it, in order.
    """
    for part in hold.parts:
        yield HeldMove(hold.created, hold.position, *_of(part), hold)
    left: tuple[HeldPart, ...] = hold.parts
    for each in settlements:
        taken, left = after_drawing(left, each.drawn)
        for part in taken:
            at, amount = _of(part)
            yield HeldMove(each.recorded_at, each.position, at, -amount, hold)
    yield from returns(hold)


def returns(hold: Hold) -> Iterator[HeldMove]:
    """Yield what a hold gives back at its end, of what settlements left of it."""
    for part in hold.left():
        at, amount = _of(part)
        yield HeldMove(*hold.end, at, -amount, hold, is_return=True)


def held_at(moves: Iterable[HeldMove], instant: int) -> Counter[int]:
    """Return what was held of each grant at an instant, inclusive."""
    sums: Counter[int] = Counter()
    for move in moves:
        if move.instant <= instant:
            sums[move.grant_position] += move.amount
    return sums


def after(hold: Hold, settlement: Settlement) -> Hold:
    """Return a hold after its next settlement."""
    return replace(
        hold,
        drawn=hold.drawn + settlement.drawn,
        overdrawn=hold.overdrawn + settlement.overdrawn,
        uncovered=hold.uncovered + settlement.uncovered,
        settlement_count=hold.settlement_count + 1,
        ended=HoldStatus.SETTLED if settlement.is_final else None,
        ended_at=settlement.recorded_at if settlement.is_final else None,
        ended_position=settlement.position if settlement.is_final else None,
    )


def as_of(hold: Hold, settlements: Iterable[Settlement], position: int) -> Hold:
    """Return a hold as it was at a position, given all its settlements."""
    drawn = overdrawn = uncovered = count = 0
    for each in settlements:
        if each.position <= position:
            drawn += each.drawn
            overdrawn += each.overdrawn
            uncovered += each.uncovered
            count += 1
    had_ended = hold.ended_position is not None and hold.ended_position <= position
    return replace(
        hold,
        drawn=drawn,
        overdrawn=overdrawn,
        uncovered=uncovered,
        settlement_count=count,
        ended=hold.ended if had_ended else None,
        ended_at=hold.ended_at if had_ended else None,
        ended_position=hold.ended_position if had_ended else None,
    )


def _of(part: HeldPart) -> tuple[int, int]:
    return part.grant_position, part.amount
