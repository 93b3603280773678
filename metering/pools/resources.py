"""Pools as callers get them back."""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject
from metering.credits.resources import CreditAmount, CreditBalance


class CreditPool(ResourceObject, frozen=True, kw_only=True):
    """Credits that a group of customers shares.

    Attributes:
        archived_at: when it was closed; None while it is open.
        cap: what a member without a cap of its own may draw and hold at most; None is no
            bound.
    """

    id: str
    object: Literal["metering.credit_pool"] = "metering.credit_pool"
    archived_at: datetime | None
    cap: CreditAmount | None
    created: datetime
    livemode: bool
    metadata: dict[str, str]
    name: str | None
    status: Literal["active", "archived"]
    updated: datetime


class CreditPoolMember(ResourceObject, frozen=True, kw_only=True):
    """A customer in a pool.

    Attributes:
        cap: of its own; None is that of the pool.
        left_at: when it left; None while it is a member.
    """

    object: Literal["metering.credit_pool_member"] = "metering.credit_pool_member"
    cap: CreditAmount | None
    customer: str
    joined_at: datetime
    left_at: datetime | None
    livemode: bool
    pool: str


class CreditPoolBalance(ResourceObject, frozen=True, kw_only=True):
    """What is left of a pool now.

    Attributes:
        balances: of its grants, one a currency.
        customer: the member that was asked for.
        drawable: what that member could draw now, one amount a currency; empty where
            none was asked for. It is nothing for a customer that is no member.
    """

    object: Literal["metering.credit_pool_balance"] = "metering.credit_pool_balance"
    at: datetime
    balances: tuple[CreditBalance, ...]
    customer: str | None
    drawable: tuple[CreditAmount, ...]
    livemode: bool
    pool: str
