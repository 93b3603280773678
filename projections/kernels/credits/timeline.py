"""The transactions of credits: what happened to grants, in order.

They follow from grants and applications. Expiry by time is recorded nowhere: it happens
at its instant, whether or not anything ran then, and before anything recorded at that
instant. Credits reinstated to a grant that is over expire at once, and so do those that a
hold returns to it.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.facts.credits.grants import InvoiceLine
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.holds import HeldMove, Hold

TransactionOrder = tuple[int, int, int, bool, int]
"""The key of a transaction in the order in which transactions happened."""


class TransactionKind(enum.Enum):
    """What happened to credits; the value is part of ids."""

    GRANTED = "g"
    APPLIED = "s"
    REINSTATED = "r"
    EXPIRED = "t"
    EXPIRED_AGAIN = "x"
    VOIDED = "v"
    RETURNED_LATE = "h"

    @property
    def is_credit(self) -> bool:
        """Whether it adds to the balance."""
        return self in {TransactionKind.GRANTED, TransactionKind.REINSTATED}

    @property
    def is_of_invoice(self) -> bool:
        """Whether an invoice caused it."""
        return self in {
            TransactionKind.APPLIED,
            TransactionKind.REINSTATED,
            TransactionKind.EXPIRED_AGAIN,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTransaction:
    """A change of a grant's balance.

    Attributes:
        kind: what happened.
        instant: when.
        position: of the fact that caused it; 0 where time did.
        index: of the draw in its application, or of the part in its hold; else 0.
        grant: at the head of the log.
        amount: more than 0.
        application: of the invoice that caused it; None where none did.
        hold: that caused it; None where none did.
    """

    kind: TransactionKind
    instant: int
    position: int
    index: int
    grant: Grant
    amount: int
    application: Application | None
    hold: Hold | None = None

    @property
    def signed_amount(self) -> int:
        """What it adds to the balance, negative where it takes off."""
        return self.amount if self.kind.is_credit else -self.amount

    @property
    def customer(self) -> str:
        """Whose invoice or hold caused it, or whose grant it is; empty of a pool's."""
        return (self.application or self.hold or self.grant).customer

    @property
    def anchor(self) -> int:
        """Position of the application, the hold or the grant's creation, for its id."""
        return (self.application or self.hold or self.grant).position

    @property
    def line(self) -> InvoiceLine | None:
        """The invoice's line; None where no invoice caused it."""
        application = self.application
        if application is None:
            return None
        return application.lines[application.draws[self.index].line]

    @property
    def order(self) -> TransactionOrder:
        """Its key in the order in which transactions happened."""
        if self.hold is not None:
            # Several holds may end at one instant, behind the grants that end there.
            number = self.hold.position
            return self.instant, self.position, number, True, self.grant.position
        is_last = self.kind is TransactionKind.EXPIRED_AGAIN
        return self.instant, self.position, self.index, is_last, self.grant.position


def applied_transactions(
    application: Application, grants: Mapping[int, Grant]
) -> Iterator[CreditTransaction]:
    """Yield the transactions of an application, in the order of its draws."""
    for index in range(len(application.draws)):
        place = application.recorded_at, application.position, index
        yield _of_draw(TransactionKind.APPLIED, place, application, grants)


def reinstated_transactions(
    application: Application, grants: Mapping[int, Grant]
) -> Iterator[CreditTransaction]:
    """Yield the transactions of a reinstatement, in the order of the draws."""
    at, position = application.reinstated_at, application.reinstated_position
    if at is None or position is None:
        return
    for index, draw in enumerate(application.draws):
        place = at, position, index
        yield _of_draw(TransactionKind.REINSTATED, place, application, grants)
        if grants[draw.grant_position].is_over(at, position):
            yield _of_draw(TransactionKind.EXPIRED_AGAIN, place, application, grants)


def application_transactions(
    application: Application, grants: Mapping[int, Grant]
) -> list[CreditTransaction]:
    """Return all transactions that an invoice caused, in order."""
    return [
        *applied_transactions(application, grants),
        *reinstated_transactions(application, grants),
    ]


def late_transactions(
    moves: Iterable[HeldMove], grants: Mapping[int, Grant]
) -> Iterator[CreditTransaction]:
    """Yield the transactions of what holds returned to grants that were over."""
    for move in moves:
        grant, hold = grants[move.grant_position], move.hold
        if move.is_return and grant.is_over(*move.place):
            positions = [part.grant_position for part in hold.parts]
            yield CreditTransaction(
                kind=TransactionKind.RETURNED_LATE,
                instant=move.instant,
                position=move.position,
                index=positions.index(grant.position),
                grant=grant,
                amount=-move.amount,
                application=None,
                hold=hold,
            )


def grant_transactions(grant: Grant, left: int) -> Iterator[CreditTransaction]:
    """Yield the transactions of a grant that no invoice caused, future ones too.

    Args:
        grant: at the head of the log.
        left: what was left of it at its end.
    """
    yield granted_transaction(grant)
    ended = ended_transaction(grant, left)
    if ended is not None:
        yield ended


def granted_transaction(grant: Grant) -> CreditTransaction:
    """Return the transaction that made a grant."""
    place = grant.created, grant.position
    return _of_grant(TransactionKind.GRANTED, grant, place, grant.amount)


def ended_transaction(grant: Grant, left: int) -> CreditTransaction | None:
    """Return the transaction that ends a grant; None where none does.

    Args:
        grant: at the head of the log.
        left: what was left of it at its end.
    """
    place = grant.end
    if place is None:
        return None
    if grant.voided_at is not None:
        # A grant is voided only while no invoice holds any of it.
        return _of_grant(TransactionKind.VOIDED, grant, place, grant.amount)
    return _of_grant(TransactionKind.EXPIRED, grant, place, left) if left else None


def end_order(grant: Grant) -> TransactionOrder:
    """Return where the transaction that ends a grant is, or would be, in order."""
    end = grant.end
    assert end is not None, "the grant ends"
    return *end, 0, False, grant.position


def transactions(
    grants: Mapping[int, Grant],
    applications: Iterable[Application],
    moves: Sequence[HeldMove],
    up_to: int,
) -> list[CreditTransaction]:
    """Return all transactions of a customer up to an instant, in order.

    Args:
        grants: of the customer, at the head of the log, by position. Those of pools
            that it drew from are among them, and have no transactions here.
        applications: of the customer.
        moves: of the customer's holds.
        up_to: inclusive; up to a future instant, only time is assumed to go on.
    """
    drawn: dict[int, list[CreditTransaction]] = {at: [] for at in grants}
    for application in applications:
        for each in application_transactions(application, grants):
            drawn[each.grant.position].append(each)
    held: Counter[int] = Counter()
    for move in moves:
        end = grants[move.grant_position].end
        if end is not None and move.place <= end:
            held[move.grant_position] += move.amount
    made = [
        each
        for at, grant in grants.items()
        if grant.pool is None
        for each in (
            *drawn[at],
            *grant_transactions(grant, _left(grant, drawn[at]) - held[at]),
        )
        if each.instant <= up_to
    ]
    late = late_transactions(moves, grants)
    made += [each for each in late if each.instant <= up_to and each.grant.pool is None]
    made.sort(key=lambda each: each.order)
    return made


def _left(grant: Grant, drawn: Iterable[CreditTransaction]) -> int:
    """Return what was left of a grant at its end, given all that invoices caused."""
    end = grant.expires_at, grant.expired_position or 0
    return grant.amount + sum(
        each.signed_amount
        for each in drawn
        if end[0] is not None and (each.instant, each.position) < (end[0], end[1])
    )


def _of_draw(
    kind: TransactionKind,
    place: tuple[int, int, int],
    application: Application,
    grants: Mapping[int, Grant],
) -> CreditTransaction:
    instant, position, index = place
    draw = application.draws[index]
    return CreditTransaction(
        kind=kind,
        instant=instant,
        position=position,
        index=index,
        grant=grants[draw.grant_position],
        amount=draw.amount,
        application=application,
    )


def _of_grant(
    kind: TransactionKind, grant: Grant, place: tuple[int, int], amount: int
) -> CreditTransaction:
    return CreditTransaction(
        kind=kind,
        instant=place[0],
        position=place[1],
        index=0,
        grant=grant,
        amount=amount,
        application=None,
    )
