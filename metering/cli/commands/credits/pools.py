"""``metering pools``: credits that groups of customers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import UNSET, UnsetType

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.credits import balance_columns, money_of
from metering.cli.screens.money import option_credits
from metering.cli.screens.screen import (
    Cell,
    Column,
    print_document,
    show,
    show_table,
)
from metering.cli.screens.text import second
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.credits.requests import CreditAmountParams, MonetaryParams
from metering.pools.requests import (
    CreditPoolCreate,
    CreditPoolUpdate,
    PoolBalanceQuery,
    PoolMemberAdd,
    PoolMemberRemove,
)

_PoolArgument = Annotated[str, argument("POOL", "Its id.")]
_CapOption = Annotated[
    str | None,
    option(
        "AMOUNT",
        "What each member may draw and hold at most, in whole units with a point; no"
        " bound if left out.",
    ),
]
_CapCurrencyOption = Annotated[
    str | None, FieldOption(MonetaryParams, metavar="CODE", more="Goes with --cap.")
]


def _details(_: metering.Metering, pool: metering.CreditPool) -> list[tuple[str, Cell]]:
    archived = pool.archived_at
    return [
        ("id", pool.id),
        ("name", pool.name),
        ("cap", "none" if pool.cap is None else f"{money_of(pool.cap)} a member"),
        ("status", pool.status),
        ("archived", None if archived is None else f"{second(archived)} UTC"),
        ("created", f"{second(pool.created)} UTC"),
    ]


POOLS = Resource(
    details=_details,
    argument=_PoolArgument,
    calls=lambda m: m.credit_pools,
)


@POOLS.lists
def pools(m: metering.Metering) -> Listing[metering.CreditPool]:
    """List credit pools, newest first; or create and change one, and its members."""
    found = m.credit_pools.list(limit=LIMIT_MAX)
    none = "No pools; make one with pools create."
    return Listing(found.auto_paging_iter(), _columns, none=none)


@POOLS.command(creates=True)
def create(
    m: metering.Metering,
    *,
    id: Annotated[str, FieldOption(CreditPoolCreate)],  # noqa: A002  # what all resources call it
    name: Annotated[str | None, FieldOption(CreditPoolCreate)],
    cap: _CapOption = None,
    currency: _CapCurrencyOption = None,
    metadata: MetadataOption,
) -> metering.CreditPool:
    """Make a pool, and create the store if there is none.

    Its members draw what is granted by credits grant --pool, behind all of their own.
    """
    return m.credit_pools.create(
        id=id,
        name=name,
        cap=_cap(cap, currency),
        metadata=given_metadata(metadata),
    )


POOLS.actions(retrieve="Show a pool.")


@POOLS.command()
def update(
    m: metering.Metering,
    pool: _PoolArgument,
    *,
    name: Annotated[str | None, FieldOption(CreditPoolUpdate)],
    cap: Annotated[
        str | None,
        option("AMOUNT", "What each member may draw and hold; no bound if empty."),
    ] = None,
    currency: Annotated[
        str | None,
        option("CODE", "Of the cap; that of the pool's cap if left out."),
    ] = None,
    metadata: MetadataOption,
) -> metering.CreditPool:
    """Change a pool; what is left out stays."""
    wanted: CreditAmountParams | UnsetType | None = UNSET
    if not cap and currency is not None:
        raise _not_together()
    if cap is not None:
        if cap and currency is None:
            known = m.credit_pools.retrieve(pool).cap
            currency = None if known is None else known.monetary.currency
        wanted = _cap(cap or None, currency)
    return m.credit_pools.update(
        pool,
        name=UNSET if name is None else name,
        cap=wanted,
        metadata=given_metadata(metadata) or UNSET,
    )


@POOLS.command()
def archive(m: metering.Metering, pool: _PoolArgument) -> Done:
    """Close a pool: its members leave, and none can join it any more."""
    closed = m.credit_pools.archive(pool)
    return Done(closed, f"Archived {closed.id}: its members left")


@POOLS.command()
def add_member(
    m: metering.Metering,
    pool: _PoolArgument,
    *,
    customer: Annotated[str, FieldOption(PoolMemberAdd)],
    cap: Annotated[
        str | None,
        option(
            "AMOUNT",
            "What it may draw and hold at most, in whole units with a point; that of"
            " the pool if left out.",
        ),
    ] = None,
    currency: _CapCurrencyOption = None,
) -> Done:
    """Let a customer draw from a pool, from now on."""
    added = m.credit_pools.add_member(pool, customer=customer, cap=_cap(cap, currency))
    bound = "" if added.cap is None else f", at most {money_of(added.cap)}"
    return Done(added, f"{added.customer} draws from {added.pool}{bound}")


@POOLS.command()
def remove_member(
    m: metering.Metering,
    pool: _PoolArgument,
    *,
    customer: Annotated[str, FieldOption(PoolMemberRemove)],
) -> Done:
    """Let a customer draw from a pool no more; what it drew and holds stays."""
    removed = m.credit_pools.remove_member(pool, customer=customer)
    return Done(removed, f"{removed.customer} draws from {removed.pool} no more")


@POOLS.command(lists=True)
def members(
    m: metering.Metering, pool: _PoolArgument
) -> Listing[metering.CreditPoolMember]:
    """List the members that a pool has now, the last that joined first."""
    return Listing(
        m.credit_pools.list_members(pool, limit=LIMIT_MAX).auto_paging_iter(),
        _member_columns,
        none=f"No members of {pool}; let one join with pools add-member.",
        title=f"Members of {pool}",
    )


@POOLS.add
def balance(
    target: StoreTarget,
    pool: _PoolArgument,
    *,
    customer: Annotated[str | None, FieldOption(PoolBalanceQuery)],
    grant: Annotated[
        str | None, FieldOption(PoolBalanceQuery, "credit_grant", "GRANT")
    ],
    json: JsonOption = False,
) -> None:
    """Show what is left of a pool now, and what of it a member could draw."""
    with target.open() as m:
        left = m.credit_pools.balance(pool, customer=customer, credit_grant=grant)
    if json:
        print_document(left)
        return
    show(f"Credits of pool {pool}", style="bold")
    show(f"{second(left.at)} UTC", style="dim")
    if left.balances:
        show_table(balance_columns(left.balances), left.balances)
    else:
        show("None were granted.")
    if left.drawable:
        amounts = ", ".join(map(money_of, left.drawable))
        show(f"{customer} could draw {amounts}.")


def _columns(shown: Sequence[metering.CreditPool]) -> list[Column[metering.CreditPool]]:
    columns: list[Column[metering.CreditPool]] = [
        Column("cap", lambda each: _written(each.cap), is_number=True),
        Column("status", lambda each: each.status),
        Column("created (UTC)", lambda each: each.created),
        Column("id", lambda each: each.id, is_whole=True),
    ]
    if any(each.name for each in shown):
        columns.insert(0, Column("name", lambda each: each.name))
    return columns


def _member_columns(
    _: Sequence[metering.CreditPoolMember],
) -> list[Column[metering.CreditPoolMember]]:
    return [
        Column("customer", lambda each: each.customer),
        Column("cap of its own", lambda each: _written(each.cap), is_number=True),
        Column("joined (UTC)", lambda each: each.joined_at),
    ]


def _written(cap: metering.CreditAmount | None) -> str:
    return "" if cap is None else money_of(cap)


def _cap(cap: str | None, currency: str | None) -> CreditAmountParams | None:
    """Return what the two options say.

    Raises:
        BadParameter: one of them was given alone.
    """
    if cap is None and currency is None:
        return None
    if cap is None or currency is None:
        raise _not_together()
    return option_credits(cap, currency, "--cap")


def _not_together() -> typer.BadParameter:
    return typer.BadParameter("give --cap and --currency together")


group = POOLS.group
