"""Requests about pools of credits."""

import msgspec
from msgspec import UNSET, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id, Name
from metering.credits.requests import CreditAmountParams


class CreditPoolCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool is created with.

    Attributes:
        id: of the pool, of your own; used once.
        name: for people.
        cap: what a member may draw and hold at most; no bound if left out.
        metadata: pairs of your own.
    """

    id: Name
    name: Name | None = None
    cap: CreditAmountParams | None = None
    metadata: Metadata | UnsetType | None = UNSET


class CreditPoolUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a pool can be changed.

    Attributes:
        name: for people.
        cap: what a member may draw and hold at most; no bound if empty.
        metadata: pairs that are added or replaced; an empty value removes its key.
    """

    name: Name | UnsetType | None = UNSET
    cap: CreditAmountParams | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CreditPoolList(PageRequest, frozen=True, kw_only=True):
    """Which pools are listed."""


class PoolMemberAdd(msgspec.Struct, frozen=True, kw_only=True):
    """Who joins a pool.

    Attributes:
        customer: who joins.
        cap: what it may draw and hold at most; that of the pool if left out.
    """

    customer: CustomerId
    cap: CreditAmountParams | None = None


class PoolMemberRemove(msgspec.Struct, frozen=True, kw_only=True):
    """Who leaves a pool.

    Attributes:
        customer: who leaves.
    """

    customer: CustomerId


class PoolMemberList(PageRequest, frozen=True, kw_only=True):
    """Which members of a pool are listed.

    Attributes:
        limit: how many members.
        starting_after: the customer before the first one.
        ending_before: the customer behind the last one.
    """


class PoolBalanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What of a pool is added up.

    Attributes:
        customer: a member, to know what it could draw.
        credit_grant: only this grant; all of the pool's if left out.
    """

    customer: CustomerId | None = None
    credit_grant: Id | None = None
