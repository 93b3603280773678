"""``metering credits``: what customers prepaid or were given, and what is left of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated

import typer

import metering
from metering.arguments.clock import SystemClock
from metering.cli.commands.credits_options import (
    ROWS_OF_A_TABLE,
    AmountOption,
    AtOption,
    CategoryOption,
    CreditsJsonOption,
    CurrencyOption,
    CustomerOption,
    EffectiveAtOption,
    ExpiresAtOption,
    GrantArgument,
    LastLimitOption,
    LimitOption,
    MetadataOption,
    NameOption,
    OnlyCustomerOption,
    OnlyGrantOption,
    OnlyMeteredOption,
    OnlyPriceOption,
    PriorityOption,
    UsedForOption,
    given_filter,
    given_metadata,
    given_scope,
    given_time,
)
from metering.cli.options import (
    DEFAULT_STORE,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.pages import every
from metering.cli.screens.credits import (
    ListedGrant,
    money_of,
    show_balance,
    show_grant,
    show_grants,
    show_transactions,
)
from metering.cli.screens.documents import print_document, print_line
from metering.cli.screens.history import Asked, print_history, show_history
from metering.cli.screens.money import option_amount, option_currency
from metering.cli.screens.screen import show
from metering.cli.stores import create_store, open_store

_USUAL_TIME = timedelta(days=30)


_StartOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Inclusive; if left out the first credits, at most 30 days before now or"
        " an earlier end.",
    ),
]
_EndOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Exclusive, and may be in the future; now if left out."
    ),
]

credits_app = typer.Typer(rich_markup_mode=None)


@credits_app.callback(invoke_without_command=True)
def credits_of_a_store(
    ctx: typer.Context,
    *,
    customer: OnlyCustomerOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """List credit grants; or grant credits, and see their balance.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    Without a command it does what list does.
    """
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    list_grants(customer=customer, limit=limit, store=store, json=json)


@credits_app.command()
def grant(  # noqa: PLR0913  # a command's options are its arguments
    *,
    customer: CustomerOption,
    amount: AmountOption,
    currency: CurrencyOption,
    price: UsedForOption = None,
    category: CategoryOption = "paid",
    priority: PriorityOption = 50,
    name: NameOption = None,
    effective_at: EffectiveAtOption = None,
    expires_at: ExpiresAtOption = None,
    metadata: MetadataOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Grant credits to a customer.

    The store is made if there is none.
    """
    code = option_currency(currency, "--currency")
    value = option_amount(amount, code, "--amount")
    monetary = {"currency": code, "value": value}
    effective = given_time(effective_at, "--effective-at")
    expiry = given_time(expires_at, "--expires-at")
    own = given_metadata(metadata)
    with create_store(store) as m:
        granted = m.credit_grants.create(
            customer=customer,
            amount={"type": "monetary", "monetary": monetary},
            applicability_config={"scope": given_scope(price)},
            category=category,
            priority=priority,
            name=name,
            effective_at=effective,
            expires_at=expiry,
            metadata=own,
        )
    if json:
        print_document(granted)
    else:
        show_grant(granted)


@credits_app.command("list")
def list_grants(
    *,
    customer: OnlyCustomerOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """List credit grants, newest first.

    With --json every grant is a line of its own.
    """
    with open_store(store) as m:

        def fetch(most: int, after: str | None) -> Sequence[metering.CreditGrant]:
            return m.credit_grants.list(customer, limit=most, starting_after=after)

        grants = every(fetch)
        if json:
            for each in islice(grants, limit):
                print_line(each)
            return
        most = limit or ROWS_OF_A_TABLE
        shown = [_listed(m, each) for each in islice(grants, most)]
        has_more = next(grants, None) is not None
    show_grants(shown, customer, SystemClock().now())
    _tell_of_more(most, has_more=has_more)


@credits_app.command()
def void(
    grant: GrantArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Take a grant back of which nothing is used."""
    with open_store(store) as m:
        voided = m.credit_grants.void(grant)
    if json:
        print_document(voided)
    else:
        show(f"Voided {voided.id}: {money_of(voided.amount)} of {voided.customer}")


@credits_app.command()
def expire(
    grant: GrantArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Let a grant expire now; what is left of it is forfeited."""
    with open_store(store) as m:
        expired = m.credit_grants.expire(grant)
        forfeited = forfeited_of(m, expired)
    if json:
        print_document(expired)
        return
    told = "nothing was left"
    if forfeited is not None:
        told = f"{money_of(forfeited)} forfeited"
    show(f"Expired {expired.id} of {expired.customer}: {told}")


@credits_app.command()
def balance(  # noqa: PLR0913  # a command's options are its arguments
    *,
    customer: CustomerOption,
    at: AtOption = None,
    grant: OnlyGrantOption = None,
    price: OnlyPriceOption = None,
    metered: OnlyMeteredOption = False,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Show what is left of a customer's credits, at any instant.

    A past instant is answered as it stood, a future one as it will stand if nothing
    else happens. The ledger balance holds grants that are not effective yet as well,
    the available one does not.
    """
    wanted = given_filter(grant, price, is_metered=metered)
    instant = given_time(at, "--at")
    with open_store(store) as m:
        summary = m.credit_balance_summary.retrieve(
            customer=customer, filter=wanted, at=instant
        )
    if json:
        print_document(summary)
    else:
        show_balance(summary, instant or SystemClock().now())


@credits_app.command()
def history(  # noqa: PLR0913  # a command's options are its arguments
    *,
    customer: CustomerOption,
    start: _StartOption = None,
    end: _EndOption = None,
    grant: OnlyGrantOption = None,
    price: OnlyPriceOption = None,
    metered: OnlyMeteredOption = False,
    limit: LastLimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Plot the running balance of credits, a plot for each currency.

    The changes follow below the plots. Times to come are answered as they will be if
    nothing else happens. With --json every change is a line of its own.
    """
    wanted = given_filter(grant, price, is_metered=metered)
    soon = _soon()
    end_time = given_time(end, "--end") or soon
    start_time = given_time(start, "--start") or min(end_time, soon) - _USUAL_TIME
    if end is None and start_time >= end_time:
        raise typer.BadParameter("--start is in the future, so give --end as well")
    with open_store(store) as m:
        table = m.credit_balance_summary.history(
            customer=customer, start=start_time, end=end_time, filter=wanted
        )
    if json:
        print_history(table, limit)
        return
    asked = Asked(
        customer=customer,
        start=start_time,
        end=end_time,
        starts_late=start is None,
    )
    show_history(table, asked, limit or ROWS_OF_A_TABLE)


@credits_app.command()
def transactions(
    *,
    customer: OnlyCustomerOption = None,
    grant: OnlyGrantOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: CreditsJsonOption = False,
) -> None:
    """Explain each cent that came or went.

    What was granted, applied to an invoice, reinstated because that was voided,
    expired or voided: newest first. With --json every transaction is a line of its own.
    """
    of = grant or customer
    if of is None:
        raise typer.BadParameter("give --customer or --grant")
    with open_store(store) as m:

        def fetch(
            most: int, after: str | None
        ) -> Sequence[metering.CreditBalanceTransaction]:
            return m.credit_balance_transactions.list(
                customer, grant, limit=most, starting_after=after
            )

        found = every(fetch)
        if json:
            for each in islice(found, limit):
                print_line(each)
            return
        most = limit or ROWS_OF_A_TABLE
        shown = list(islice(found, most))
        has_more = next(found, None) is not None
    show_transactions(shown, of)
    _tell_of_more(most, has_more=has_more)


def forfeited_of(
    m: metering.Metering, expired: metering.CreditGrant
) -> metering.CreditAmount | None:
    """Find what was left of a grant when it expired, None where nothing was.

    Its last transactions may be others: of an invoice that was reinstated since.
    """

    def fetch(
        most: int, after: str | None
    ) -> Sequence[metering.CreditBalanceTransaction]:
        return m.credit_balance_transactions.list(
            credit_grant=expired.id, limit=most, starting_after=after
        )

    for each in every(fetch):
        if each.debit is None or each.created != expired.expires_at:
            continue
        if each.debit.type == "credits_expired":
            return each.debit.amount
    return None


def _listed(m: metering.Metering, grant: metering.CreditGrant) -> ListedGrant:
    summary = m.credit_balance_summary.retrieve(
        customer=grant.customer,
        filter={"type": "credit_grant", "credit_grant": grant.id},
    )
    left = sum(each.ledger_balance.monetary.value for each in summary.balances)
    return ListedGrant(grant=grant, left=left)


def _soon() -> datetime:
    """Tell the first whole second behind all that was recorded, as ends are exclusive."""
    return SystemClock().now().replace(microsecond=0) + timedelta(seconds=1)


def _tell_of_more(most: int, *, has_more: bool) -> None:
    if has_more:
        show(f"There are more than {most}; --limit shows others.", style="dim")
