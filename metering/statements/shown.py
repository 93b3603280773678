"""Statements as resources."""

import msgspec

from ledger.facts.statements import BilledLine, StatementContent
from metering.arguments.clock import at_microseconds, at_or_none
from metering.statements.resources import (
    Statement,
    StatementCredit,
    StatementLine,
    StatementTier,
)
from projections.kernels.statements import StatementRecord


def previewed(content: StatementContent, digest: str, *, livemode: bool) -> Statement:
    """Return a statement that is not recorded."""
    subtotal = sum(line.amount for line in content.lines)
    applied = sum(credit.amount for credit in content.credits)
    return Statement(
        id=None,
        status="preview",
        customer=content.customer,
        subscription=content.subscription_id,
        currency=content.currency,
        period_start=at_microseconds(content.period_start),
        period_end=at_microseconds(content.period_end),
        at=at_or_none(content.at),
        lines=tuple(_line(line, content) for line in content.lines),
        credits=tuple(
            StatementCredit(
                line=content.lines[credit.line].id,
                credit_grant=credit.grant_id,
                amount=credit.amount,
            )
            for credit in content.credits
        ),
        subtotal=subtotal,
        credits_applied=applied,
        amount_due=subtotal - applied,
        position=content.position,
        digest=digest,
        created=None,
        voided_at=None,
        livemode=livemode,
    )


def statement_resource(record: StatementRecord, *, livemode: bool) -> Statement:
    """Return a finalised statement as a resource."""
    made = previewed(record.content, record.digest, livemode=livemode)
    return msgspec.structs.replace(
        made,
        id=record.statement_id,
        status="finalized" if record.voided_at is None else "void",
        created=at_microseconds(record.created),
        voided_at=at_or_none(record.voided_at),
    )


def _line(line: BilledLine, content: StatementContent) -> StatementLine:
    return StatementLine(
        id=line.id,
        price=line.price_id,
        meter=line.meter_id,
        subscription_item=line.item_id,
        quantity=line.quantity,
        amount=line.amount,
        currency=content.currency,
        is_negative=line.is_negative,
        is_trial=line.is_trial,
        period_start=at_microseconds(line.period_start),
        period_end=at_microseconds(line.period_end),
        tiers=tuple(
            StatementTier(up_to=tier.up_to, quantity=tier.quantity, amount=tier.amount)
            for tier in line.tiers
        ),
        customer=content.customer,
        at=at_or_none(content.at),
        position=content.position,
    )
