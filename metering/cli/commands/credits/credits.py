"""``metering credits``: what customers prepaid or were given, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.commands.credits.holds import hold, holds, release, settle
from metering.cli.commands.credits.settlement import apply, reinstate
from metering.cli.options import (
    AmountCurrencyOption,
    AmountOption,
    FieldOption,
    MetadataOption,
    OnlyCustomerOption,
    OnlyForPricesOption,
    argument,
    given_metadata,
    given_scope,
    option,
    time_option,
)
from metering.cli.resource import ROWS_OF_A_TABLE, Done, Listing, Resource
from metering.cli.screens.arrow_tables import print_rows
from metering.cli.screens.credits import (
    balance_columns,
    grant_columns,
    grant_details,
    money_of,
    owner_of,
    transaction_columns,
)
from metering.cli.screens.history import show_history
from metering.cli.screens.money import option_credits
from metering.cli.screens.screen import print_document, show, show_table
from metering.cli.screens.text import second
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.credits.requests import (
    CategoryName,
    CreditGrantCreate,
    CreditTransactionList,
    PoolGrantCreate,
)

_USUAL_TIME = timedelta(days=30)

_CustomerOption = Annotated[str, FieldOption(CreditGrantCreate)]
_GrantArgument = Annotated[str, argument("GRANT", "Its id.")]
_OnlyGrantOption = Annotated[
    str | None, FieldOption(CreditTransactionList, "credit_grant", "GRANT")
]
_OnlyPriceOption = Annotated[
    list[str] | None,
    option(
        "PRICE",
        "Only credits usable for this price; may be repeated: for any of them.",
        "--price",
    ),
]
_OnlyMeteredOption = Annotated[
    bool, typer.Option("--metered", help="Only credits usable for every metered price.")
]

CREDITS = Resource(
    details=grant_details, argument=_GrantArgument, calls=lambda m: m.credit_grants
)


@CREDITS.lists
def credit_grants(
    m: metering.Metering, *, customer: OnlyCustomerOption
) -> Listing[metering.CreditGrant]:
    """List credit grants, newest first; or grant credits, and see their balance.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    With --json every grant is a line of its own.
    """
    of = "" if customer is None else f" of {customer}"
    return Listing(
        m.credit_grants.list(customer, limit=LIMIT_MAX).auto_paging_iter(),
        lambda shown: grant_columns(m, customer, shown),
        none=f"No credit grants{of}; make one with credits grant.",
        title=f"Credit grants{of}" if of else None,
        is_long=True,
    )


@CREDITS.add
def grant(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: Annotated[
        str | None, FieldOption(CreditGrantCreate, more="Or give a pool.")
    ] = None,
    pool: Annotated[
        str | None,
        FieldOption(PoolGrantCreate, more="Its members share them."),
    ] = None,
    amount: AmountOption,
    currency: AmountCurrencyOption,
    price: OnlyForPricesOption = None,
    category: Annotated[CategoryName, FieldOption(CreditGrantCreate)],
    priority: Annotated[int, FieldOption(CreditGrantCreate, metavar="N")],
    name: Annotated[str | None, FieldOption(CreditGrantCreate)],
    effective_at: Annotated[datetime | None, FieldOption(CreditGrantCreate)],
    expires_at: Annotated[datetime | None, FieldOption(CreditGrantCreate)],
    metadata: MetadataOption,
    json: JsonOption = False,
) -> None:
    """Grant credits to a customer or a pool, and create the store if there is none."""
    if (customer is None) is (pool is None):
        raise typer.BadParameter("give one of --customer and --pool")
    granted_amount = option_credits(amount, currency, "--amount")
    own = given_metadata(metadata)
    with target.open(create=True) as m:
        granted = m.credit_grants.create(
            customer=customer,
            pool=pool,
            amount=granted_amount,
            applicability_config={"scope": given_scope(price)},
            category=category,
            priority=priority,
            name=name,
            effective_at=effective_at,
            expires_at=expires_at,
            metadata=own,
        )
        CREDITS.tell(m, granted, is_json=json)


CREDITS.actions(retrieve="Show a grant.")


@CREDITS.command()
def void(m: metering.Metering, grant: _GrantArgument) -> Done:
    """Void a grant of which nothing is used."""
    voided = m.credit_grants.void(grant)
    of = f"{money_of(voided.amount)} of {owner_of(voided)}"
    return Done(voided, f"Voided {voided.id}: {of}")


@CREDITS.command()
def expire(m: metering.Metering, grant: _GrantArgument) -> Done:
    """Let a grant expire now; what is left of it is forfeited."""
    expired = m.credit_grants.expire(grant)
    forfeited = forfeited_of(m, expired)
    left = (
        "nothing was left" if forfeited is None else f"{money_of(forfeited)} forfeited"
    )
    return Done(expired, f"Expired {expired.id} of {owner_of(expired)}: {left}")


def forfeited_of(
    m: metering.Metering, expired: metering.CreditGrant
) -> metering.CreditAmount | None:
    """Find what was left of a grant when it expired, None where nothing was.

    Its last transactions may be others: of an invoice that was reinstated since.
    """
    transactions = m.credit_balance_transactions.list(
        credit_grant=expired.id, limit=LIMIT_MAX
    )
    for each in transactions.auto_paging_iter():
        if each.debit is None or each.created != expired.expires_at:
            continue
        if each.debit.type == "credits_expired":
            return each.debit.amount
    return None


@CREDITS.add
def balance(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _CustomerOption,
    at: Annotated[
        datetime | None, time_option("--at", "Past or future; now if left out.")
    ] = None,
    unbilled: Annotated[
        bool, typer.Option("--unbilled", help="What unbilled usage leaves, now.")
    ] = False,
    grant: _OnlyGrantOption,
    price: _OnlyPriceOption = None,
    metered: _OnlyMeteredOption = False,
    json: JsonOption = False,
) -> None:
    """Show what is left of a customer's credits, at any instant.

    A past balance is as it stood, a future one as it will stand if nothing else
    happens. The ledger balance includes grants that are not effective yet, the
    available balance does not.
    """
    wanted = _filter(grant, price, is_metered=metered)
    with target.open() as m:
        now = m.now()
        summary = m.credit_balance_summary.retrieve(
            customer=customer, filter=wanted, at=at, include_unbilled_usage=unbilled
        )
    if json:
        print_document(summary)
        return
    show(f"Credits of {customer}", style="bold")
    show(f"{second(at or now)} UTC", style="dim")
    if summary.balances:
        show_table(balance_columns(summary.balances), summary.balances)
    else:
        show("None were granted.")


@CREDITS.add
def history(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _CustomerOption,
    start: Annotated[
        datetime | None,
        time_option(
            "--start",
            "Inclusive; if left out the first credits, at most 30 days before now"
            " or an earlier end.",
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        time_option("--end", "Exclusive, and may be in the future; now if left out."),
    ] = None,
    grant: _OnlyGrantOption,
    price: _OnlyPriceOption = None,
    metered: _OnlyMeteredOption = False,
    limit: Annotated[
        int | None,
        option(
            "N",
            f"Only the last N changes; if left out {ROWS_OF_A_TABLE} in a table, all"
            " in JSON.",
            min=1,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Plot the running balance of credits, a plot for each currency.

    The changes follow below the plots. Future balances are as they will
    stand if nothing else happens. With --json every change is a line of its own.
    """
    wanted = _filter(grant, price, is_metered=metered)
    with target.open() as m:
        # Ends are exclusive: the first whole second after all that is recorded.
        soon = m.now().replace(microsecond=0) + timedelta(seconds=1)
        if end is None and start is not None and start >= soon:
            needs_end = "--start is in the future, so give --end as well"
            raise typer.BadParameter(needs_end)
        end = end or soon
        bounds = start or min(end, soon) - _USUAL_TIME, end
        table = m.credit_balance_summary.history(
            customer=customer, start_time=bounds[0], end_time=bounds[1], filter=wanted
        )
    if json:
        print_rows(table.slice(max(0, table.num_rows - limit) if limit else 0))
        return
    show(f"Credits of {customer}", style="bold")
    show_history(
        table, bounds, starts_late=start is None, limit=limit or ROWS_OF_A_TABLE
    )


CREDITS.add(apply)
CREDITS.add(reinstate)
CREDITS.command(lists=True)(holds)
CREDITS.command()(hold)
CREDITS.command()(settle)
CREDITS.command()(release)


@CREDITS.command(lists=True)
def transactions(
    m: metering.Metering,
    *,
    customer: OnlyCustomerOption,
    grant: _OnlyGrantOption,
) -> Listing[metering.CreditBalanceTransaction]:
    """Explain each cent that came or went, newest first.

    A transaction is credits granted, applied to an invoice, reinstated because the
    invoice was voided, expired or voided. With --json each is a line of its own.
    """
    of = grant or customer
    if of is None:
        raise typer.BadParameter("give --customer or --grant")
    found = m.credit_balance_transactions.list(customer, grant, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        lambda shown: transaction_columns(shown, of),
        none=f"No credit transactions of {of}.",
        title=f"Credit transactions of {of}",
        is_long=True,
    )


def _filter(
    grant: str | None, prices: Sequence[str] | None, *, is_metered: bool
) -> metering.CreditFilterParams | None:
    """Return which grants count; None is all.

    Raises:
        BadParameter: more than one of the three was given.
    """
    if sum((grant is not None, bool(prices), is_metered)) > 1:
        raise typer.BadParameter("give one of --grant, --price and --metered")
    if grant is not None:
        return {"type": "credit_grant", "credit_grant": grant}
    if prices or is_metered:
        scope = given_scope(prices)
        return {"type": "applicability_scope", "applicability_scope": scope}
    return None


group = CREDITS.group
