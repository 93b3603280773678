"""``metering credits holds``, ``hold``, ``settle`` and ``release``: credits kept for work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.arguments.schema import field_at
from metering.cli.options import (
    AMOUNT,
    FieldOption,
    MetadataOption,
    OnlyCustomerOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing
from metering.cli.screens.credits import money_of
from metering.cli.screens.holds import hold_columns
from metering.cli.screens.money import option_amount, option_credits
from metering.credits.requests import CreditAmountParams, MonetaryParams
from metering.holds.requests import (
    CreditHoldCreate,
    CreditHoldList,
    CreditHoldSettle,
    HoldStatusName,
)

_HoldArgument = Annotated[str, argument("HOLD", "Its id.")]


def holds(
    m: metering.Metering,
    *,
    customer: OnlyCustomerOption,
    status: Annotated[HoldStatusName | None, FieldOption(CreditHoldList)],
) -> Listing[metering.CreditHold]:
    """List credits that are kept for work whose price is not known yet, newest first.

    With --json every hold is a line of its own.
    """
    of = "" if customer is None else f" of {customer}"
    found = m.credit_holds.list(customer, status=status, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        lambda _: hold_columns(customer),
        none=f"No holds{of}; make one with credits hold.",
        title=f"Credit holds{of}" if of else None,
        is_long=True,
    )


def hold(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    id: Annotated[str, FieldOption(CreditHoldCreate)],  # noqa: A002  # what all resources call it
    customer: Annotated[str, FieldOption(CreditHoldCreate)],
    amount: Annotated[str | None, option("AMOUNT", AMOUNT)] = None,
    currency: Annotated[str | None, FieldOption(MonetaryParams, metavar="CODE")] = None,
    meter: Annotated[str | None, FieldOption(CreditHoldCreate)],
    quantity: Annotated[str | None, FieldOption(CreditHoldCreate)],
    price: Annotated[str | None, FieldOption(CreditHoldCreate)],
    expires_at: Annotated[datetime | None, FieldOption(CreditHoldCreate)],
    partial: Annotated[bool, FieldOption(CreditHoldCreate)] = False,
    metadata: MetadataOption,
) -> Done:
    """Keep credits of a customer for work, until they are settled or released.

    Give an amount, or a quantity on a meter that is rated. Doing it again under the same
    id keeps nothing twice.
    """
    if (amount is None) is not (currency is None):
        raise typer.BadParameter("give --amount and --currency together")
    money: CreditAmountParams | None = None
    if amount is not None and currency is not None:
        money = option_credits(amount, currency, "--amount")
    held = m.credit_holds.create(
        id=id,
        customer=customer,
        amount=money,
        meter=meter,
        quantity=quantity,
        price=price,
        expires_at=expires_at,
        partial=partial,
        metadata=given_metadata(metadata),
    )
    return Done(held, f"Holding {money_of(held.amount_held)} of {customer} as {id}")


def settle(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    hold: _HoldArgument,
    *,
    amount: Annotated[
        str | None,
        option("AMOUNT", "In whole units with a point; all that is held if left out."),
    ] = None,
    quantity: Annotated[str | None, FieldOption(CreditHoldSettle)],
    settlement: Annotated[str | None, FieldOption(CreditHoldSettle)],
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep the rest held; needs --settlement."),
    ] = False,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw more than is held from what is free.")
    ] = False,
) -> Done:
    """Draw what a hold keeps; the rest goes back.

    Doing it again draws nothing twice.
    """
    value = None
    if amount is not None:
        currency = m.credit_holds.retrieve(hold).amount.monetary.currency
        within = field_at(CreditHoldSettle, "amount").kind
        value = option_amount(amount, currency, "--amount", within)
    settled = m.credit_holds.settle(
        hold,
        amount=value,
        quantity=quantity,
        final=not keep,
        overage="draw" if draw else "refuse",
        settlement=settlement,
    )
    drawn, left = money_of(settled.amount_drawn), money_of(settled.amount_held)
    rest = f"{money_of(settled.amount_released)} went back"
    if settled.status == "open":
        rest = f"{left} are still held"
    return Done(settled, f"Settled {hold}: {drawn} drawn, {rest}")


def release(m: metering.Metering, hold: _HoldArgument) -> Done:
    """Give up a hold: all that it keeps goes back."""
    released = m.credit_holds.release(hold)
    back = money_of(released.amount_released)
    return Done(released, f"Released {hold} of {released.customer}: {back} went back")
