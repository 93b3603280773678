"""``metering credits``: what customers prepaid or were given, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import typer

import metering
from metering.arguments.clock import SystemClock
from metering.cli.options import (
    MetadataOption,
    OnlyCustomerOption,
    given_metadata,
    option_time,
)
from metering.cli.resource import (
    PAGE,
    ROWS_OF_A_TABLE,
    Done,
    LimitOption,
    Listing,
    Resource,
)
from metering.cli.screens.arrow_tables import print_rows
from metering.cli.screens.credits import (
    balance_columns,
    grant_columns,
    grant_details,
    money_of,
    transaction_columns,
)
from metering.cli.screens.documents import print_document
from metering.cli.screens.history import ShownHistory, show_history
from metering.cli.screens.money import option_amount, option_currency
from metering.cli.screens.screen import show, show_table
from metering.cli.screens.text import second
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget

_USUAL_TIME = timedelta(days=30)

_CustomerOption = Annotated[
    str, typer.Option(metavar="CUSTOMER", help="Whose credits.")
]
_GrantArgument = Annotated[str, typer.Argument(metavar="GRANT", help="Its id.")]
_ExpiresAtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Usable before then; for ever if left out."),
]
_OnlyGrantOption = Annotated[
    str | None,
    typer.Option("--grant", metavar="GRANT", help="Only those of this grant."),
]
_OnlyPriceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="PRICE",
        help="Only credits usable for this price; may be repeated: for any of them.",
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
    m: metering.Metering, *, customer: OnlyCustomerOption = None
) -> Listing[metering.CreditGrant]:
    """List credit grants, newest first; or grant credits, and see their balance.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    With --json every grant is a line of its own.
    """
    of = "" if customer is None else f" of {customer}"
    return Listing(
        m.credit_grants.list(customer, limit=PAGE).auto_paging_iter(),
        lambda shown: grant_columns(m, customer, shown),
        none=f"No credit grants{of}; make one with credits grant.",
        title=f"Credit grants{of}" if of else None,
        is_long=True,
    )


@on_target()
def grant(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _CustomerOption,
    amount: Annotated[
        str,
        typer.Option(
            metavar="AMOUNT", help="In whole units with a point: 10.00, or 1000 in JPY."
        ),
    ],
    currency: Annotated[
        str, typer.Option(metavar="CODE", help="ISO 4217, such as usd.")
    ],
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRICE",
            help="Only for lines of this price; may be repeated. For every metered"
            " price if left out.",
        ),
    ] = None,
    category: Annotated[
        Literal["paid", "promotional"],
        typer.Option(help="Promotional credits are used before paid ones."),
    ] = "paid",
    priority: Annotated[
        int, typer.Option(metavar="0..100", help="Lower priorities are used first.")
    ] = 50,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="For people.")
    ] = None,
    effective_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Usable from then on; from now if left out."),
    ] = None,
    expires_at: _ExpiresAtOption = None,
    metadata: MetadataOption = None,
    json: JsonOption = False,
) -> None:
    """Grant credits to a customer, and create the store if there is none."""
    code = option_currency(currency, "--currency")
    value = option_amount(amount, code, "--amount")
    effective = option_time(effective_at, "--effective-at")
    expiry = option_time(expires_at, "--expires-at")
    own = given_metadata(metadata)
    with target.open(create=True) as m:
        granted = m.credit_grants.create(
            customer=customer,
            amount={"type": "monetary", "monetary": {"currency": code, "value": value}},
            applicability_config={"scope": _scope(price)},
            category=category,
            priority=priority,
            name=name,
            effective_at=effective,
            expires_at=expiry,
            metadata=own,
        )
        CREDITS.tell(m, granted, is_json=json)


CREDITS.add(grant)
CREDITS.actions(retrieve="Show a grant.")


@CREDITS.command()
def void(m: metering.Metering, grant: _GrantArgument) -> Done:
    """Void a grant of which nothing is used."""
    voided = m.credit_grants.void(grant)
    of = f"{money_of(voided.amount)} of {voided.customer}"
    return Done(voided, f"Voided {voided.id}: {of}")


@CREDITS.command()
def expire(m: metering.Metering, grant: _GrantArgument) -> Done:
    """Let a grant expire now; what is left of it is forfeited."""
    expired = m.credit_grants.expire(grant)
    forfeited = forfeited_of(m, expired)
    left = (
        "nothing was left" if forfeited is None else f"{money_of(forfeited)} forfeited"
    )
    return Done(expired, f"Expired {expired.id} of {expired.customer}: {left}")


def forfeited_of(
    m: metering.Metering, expired: metering.CreditGrant
) -> metering.CreditAmount | None:
    """Find what was left of a grant when it expired, None where nothing was.

    Its last transactions may be others: of an invoice that was reinstated since.
    """
    transactions = m.credit_balance_transactions.list(
        credit_grant=expired.id, limit=PAGE
    )
    for each in transactions.auto_paging_iter():
        if each.debit is None or each.created != expired.expires_at:
            continue
        if each.debit.type == "credits_expired":
            return each.debit.amount
    return None


@on_target()
def balance(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _CustomerOption,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Past or future; now if left out."),
    ] = None,
    grant: _OnlyGrantOption = None,
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
    instant = option_time(at, "--at")
    with target.open() as m:
        summary = m.credit_balance_summary.retrieve(
            customer=customer, filter=wanted, at=instant
        )
    if json:
        print_document(summary)
        return
    show(f"Credits of {customer}", style="bold")
    show(f"{second(instant or SystemClock().now())} UTC", style="dim")
    if summary.balances:
        show_table(balance_columns(), summary.balances)
    else:
        show("None were granted.")


@on_target()
def history(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _CustomerOption,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Inclusive; if left out the first credits, at most 30 days before now"
            " or an earlier end.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Exclusive, and may be in the future; now if left out."
        ),
    ] = None,
    grant: _OnlyGrantOption = None,
    price: _OnlyPriceOption = None,
    metered: _OnlyMeteredOption = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Only the last N changes; if left out {ROWS_OF_A_TABLE} in a table, all"
            " in JSON.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Plot the running balance of credits, a plot for each currency.

    The changes follow below the plots. Future balances are as they will
    stand if nothing else happens. With --json every change is a line of its own.
    """
    wanted = _filter(grant, price, is_metered=metered)
    # Ends are exclusive: the first whole second after all that is recorded.
    soon = SystemClock().now().replace(microsecond=0) + timedelta(seconds=1)
    end_time = option_time(end, "--end") or soon
    start_time = option_time(start, "--start") or min(end_time, soon) - _USUAL_TIME
    if end is None and start_time >= end_time:
        raise typer.BadParameter("--start is in the future, so give --end as well")
    with target.open() as m:
        table = m.credit_balance_summary.history(
            customer=customer,
            start_time=start_time,
            end_time=end_time,
            filter=wanted,
        )
    if json:
        print_rows(table.slice(max(0, table.num_rows - limit) if limit else 0))
        return
    asked = ShownHistory(
        customer=customer,
        start=start_time,
        end=end_time,
        starts_late=start is None,
    )
    show_history(table, asked, limit or ROWS_OF_A_TABLE)


@on_target()
def transactions(
    target: StoreTarget,
    *,
    customer: OnlyCustomerOption = None,
    grant: _OnlyGrantOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
) -> None:
    """Explain each cent that came or went, newest first.

    A transaction is credits granted, applied to an invoice, reinstated because the
    invoice was voided, expired or voided. With --json each is a line of its own.
    """
    of = grant or customer
    if of is None:
        raise typer.BadParameter("give --customer or --grant")
    with target.open() as m:
        listing = Listing(
            m.credit_balance_transactions.list(
                customer, grant, limit=PAGE
            ).auto_paging_iter(),
            lambda shown: transaction_columns(shown, of),
            none=f"No credit transactions of {of}.",
            title=f"Credit transactions of {of}",
            is_long=True,
        )
        CREDITS.tell(m, listing, is_json=json, limit=limit)


CREDITS.add(balance)
CREDITS.add(history)
CREDITS.add(transactions)


def _scope(prices: Sequence[str] | None) -> metering.CreditScopeParams:
    """Return what credits may be used for: some prices, or every metered one."""
    if not prices:
        return {"price_type": "metered"}
    return {"prices": [{"id": price} for price in prices]}


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
        scope = _scope(prices)
        return {"type": "applicability_scope", "applicability_scope": scope}
    return None


group = CREDITS.group
