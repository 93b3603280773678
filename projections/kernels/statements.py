"""Statements: what the facts about one add up to, and what its content comes to."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ledger.facts.statements import (
    BilledLine,
    StatementContent,
    StatementFinalized,
)

_CANONICAL = msgspec.json.Encoder(decimal_format="string", order="deterministic")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRecord:
    """A statement at some position of the log.

    Attributes:
        position: of the fact that finalised it.
        digest: of the content; see `digest_of`.
        created: when it was finalised, microseconds since 1970 UTC.
        voided_at: None while it stands.
    """

    position: int
    statement_id: str
    customer: str
    subscription_id: str | None
    period_start: int
    period_end: int
    content: StatementContent
    digest: str
    created: int
    voided_at: int | None


def statement_finalized(
    fact: StatementFinalized, position: int, recorded_at: int
) -> StatementRecord:
    """Return a statement as it was finalised."""
    content = fact.content
    return StatementRecord(
        position=position,
        statement_id=fact.statement_id,
        customer=content.customer,
        subscription_id=content.subscription_id,
        period_start=content.period_start,
        period_end=content.period_end,
        content=content,
        digest=fact.digest,
        created=recorded_at,
        voided_at=None,
    )


def digest_of(content: StatementContent) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits.

    Equal contents have equal digests: quantities are in their shortest form, and the
    fields are written in the order of their names.
    """
    return hashlib.sha256(_CANONICAL.encode(content)).hexdigest()


def counted_span(start: int, end: int, at: int | None) -> tuple[int, int]:
    """Return the span ``[start, end)`` of which a line counts usage.

    Args:
        start: of its period.
        end: of its period.
        at: where usage stops to count; None is the period's end.
    """
    return start, end if at is None else max(start, min(end, at))


def doubly_stated(
    lines: Sequence[BilledLine], at: int | None, others: Iterable[StatementRecord]
) -> tuple[StatementRecord, BilledLine] | None:
    """Return a statement that counts some of the usage of another, and the line of it.

    Lines of two items of subscriptions are two things. A line that is of none is the
    same as another of its price.

    Args:
        lines: of a statement that is to be made.
        at: where its usage stops to count; None is the period's end.
        others: of the same customer, which stand.
    """
    for other in others:
        known = other.content
        for line in known.lines:
            start, end = counted_span(line.period_start, line.period_end, known.at)
            for own in lines:
                own_start, own_end = counted_span(own.period_start, own.period_end, at)
                if start < own_end and own_start < end and _is_same(own, line):
                    return other, own
    return None


def _is_same(line: BilledLine, other: BilledLine) -> bool:
    if line.item_id is None or other.item_id is None:
        return line.price_id == other.price_id
    return line.item_id == other.item_id
