"""``metering check`` and ``spend``: usage that credits are to cover."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from metering.cli.options import FieldOption, argument, given_values
from metering.cli.screens.credits import money_of
from metering.cli.screens.screen import print_document, show
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.spending.requests import UsageCheck, UsageSpend

_SpentMeter = Annotated[str, argument("METER", "Its id or event name.")]
_UsedArgument = Annotated[
    str, argument("QUANTITY", "How much it measures, such as 12.5.")
]
_AGAINST = {
    "insufficient_credits": "credits do not cover it",
    "spend_limit_reached": "a spend limit is in its way",
}


@on_target()
def check(
    target: StoreTarget,
    meter: _SpentMeter,
    quantity: _UsedArgument,
    *,
    customer: Annotated[str, FieldOption(UsageCheck)],
    price: Annotated[str | None, FieldOption(UsageCheck)],
    json: JsonOption = False,
) -> None:
    """Check whether what is left of credits would cover usage; nothing is recorded.

    What unbilled usage will draw and holds keep is not left.
    """
    with target.open() as m:
        found = m.check(customer=customer, meter=meter, quantity=quantity, price=price)
    if json:
        print_document(found)
        return
    verdict = "Yes" if found.reason is None else f"No, {_AGAINST[found.reason]}"
    comes_to, left = money_of(found.amount), money_of(found.remaining.credits)
    show(f"{verdict}: it comes to {comes_to}, and {left} of credits are left for it")
    if found.remaining.spend_limit is not None:
        show(f"A spend limit leaves {money_of(found.remaining.spend_limit)}")


@on_target()
def spend(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    meter: _SpentMeter,
    quantity: _UsedArgument,
    *,
    customer: Annotated[str, FieldOption(UsageSpend)],
    identifier: Annotated[str, FieldOption(UsageSpend)],
    timestamp: Annotated[datetime | None, FieldOption(UsageSpend)],
    payload: Annotated[list[str] | None, FieldOption(UsageSpend, metavar="KEY=VALUE")],
    json: JsonOption = False,
) -> None:
    """Record usage only where what is left of credits covers it.

    Doing it again under the same identifier records nothing twice.
    """
    values = given_values(payload, "--payload")
    with target.open() as m:
        event = m.spend(
            customer=customer,
            meter=meter,
            quantity=quantity,
            identifier=identifier,
            timestamp=timestamp,
            payload=values,
        )
    if json:
        print_document(event)
        return
    done = "was recorded already, as" if event.duplicate else "is recorded as"
    show(f"Usage of {customer} {done} {identifier}, at position {event.position}")
