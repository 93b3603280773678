"""``metering prices``: list prices, create them, and see what a quantity costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

import metering
from metering.arguments.kinds import DecimalKind
from metering.arguments.pages import LIMIT_MAX
from metering.arguments.schema import field_at
from metering.cli.commands.prices.products import SEARCH_HELP
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.money import money_text, option_amount, option_unit_amount
from metering.cli.screens.prices import (
    price_columns,
    price_details,
    tier_columns,
)
from metering.cli.screens.screen import print_document, show, show_table
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget, find_meter
from metering.prices.requests import (
    QUANTITY_BOUND,
    AggregateUsageName,
    IntervalName,
    PriceCreate,
    ProductDataParams,
    RecurringParams,
    TierParams,
    TransformQuantityParams,
)

_PriceArgument = Annotated[str, argument("PRICE", "Its id or lookup key.")]


def find_price(m: metering.Metering, named: str) -> str:
    """Return the id of a price, given that or its lookup key."""
    for is_active in (True, False):
        found = m.prices.list(lookup_keys=[named[:200]], active=is_active)
        if found:
            return found[0].id
    return named


PRICES = Resource(
    details=price_details,
    argument=_PriceArgument,
    calls=lambda m: m.prices,
    id_of=find_price,
)


@PRICES.lists
def prices(
    m: metering.Metering,
    *,
    product: Annotated[
        str | None, option("PRODUCT", "Only those of this product.", "--product")
    ] = None,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Those that are not active.")
    ] = False,
) -> Listing[metering.Price]:
    """List the active prices, newest first; or create one and try it.

    Money is in whole units with a point. With --json it is in minor units, such as cents.
    """
    kind = "inactive" if inactive else "active"
    return Listing(
        m.prices.list(product, active=not inactive, limit=LIMIT_MAX).auto_paging_iter(),
        lambda shown: price_columns(m, shown),
        none=f"No {kind} prices; make one with prices create.",
    )


@PRICES.command(creates=True)
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    product: Annotated[str | None, FieldOption(PriceCreate)],
    product_name: Annotated[
        str | None, FieldOption(ProductDataParams, "name", "NAME")
    ] = None,
    currency: Annotated[str, FieldOption(PriceCreate, metavar="CODE")],
    unit_amount: Annotated[
        str | None,
        option("AMOUNT", "Of each unit, in whole units of the currency: 0.0003."),
    ] = None,
    tier: Annotated[
        list[str] | None,
        option(
            "TIER",
            "What units up to a quantity cost, and once for the tier: 1000=0.10 or"
            " 1000=0.10+5.00. May be repeated, ascending; the last one is inf=0.05.",
        ),
    ] = None,
    volume: Annotated[
        bool,
        typer.Option(
            "--volume", help="All units cost what the tier of the quantity says."
        ),
    ] = False,
    package: Annotated[
        int | None, FieldOption(TransformQuantityParams, "divide_by", "UNITS")
    ] = None,
    package_round: Annotated[
        Literal["up", "down"], FieldOption(TransformQuantityParams, "round")
    ] = "up",
    every: Annotated[IntervalName | None, FieldOption(RecurringParams, "interval")] = (
        None
    ),
    interval_count: Annotated[int | None, FieldOption(RecurringParams, metavar="N")],
    meter: Annotated[
        str | None, option("METER", "Whose usage it prices: its id or event name.")
    ] = None,
    aggregate_usage: Annotated[
        AggregateUsageName | None, FieldOption(RecurringParams)
    ] = None,
    lookup_key: Annotated[str | None, FieldOption(PriceCreate, metavar="KEY")],
    transfer_lookup_key: Annotated[
        bool,
        typer.Option(
            "--transfer-lookup-key", help="Take the key from the price that has it."
        ),
    ] = False,
    nickname: Annotated[str | None, FieldOption(PriceCreate, metavar="NAME")],
    metadata: MetadataOption,
) -> metering.Price:
    """Create a price, of a product that is there or of a new one.

    With --meter it is billed by the usage of a meter, with --aggregate-usage by usage
    records, each month unless --every says otherwise.
    """
    given: dict[str, Any] = {}
    if tier:
        given |= {
            "billing_scheme": "tiered",
            "tiers_mode": "volume" if volume else "graduated",
            "tiers": [_tier(each, currency) for each in tier],
        }
    if unit_amount is not None:
        amount = option_unit_amount(unit_amount, currency, "--unit-amount")
        given["unit_amount_decimal"] = amount
    if package is not None:
        given["transform_quantity"] = {"divide_by": package, "round": package_round}
    terms: dict[str, Any] = {}
    if meter is not None:
        terms |= {"usage_type": "metered", "meter": find_meter(m, meter).id}
    if aggregate_usage is not None:
        terms |= {"usage_type": "metered", "aggregate_usage": aggregate_usage}
    if terms or every is not None or interval_count is not None:
        terms |= {"interval": every or "month", "interval_count": interval_count}
        given["recurring"] = terms
    if product_name is not None:
        given["product_data"] = {"name": product_name}
    return m.prices.create(
        product=product,
        currency=currency,
        lookup_key=lookup_key,
        transfer_lookup_key=transfer_lookup_key,
        nickname=nickname,
        metadata=given_metadata(metadata),
        **given,
    )


@PRICES.command(lists=True)
def search(
    m: metering.Metering, query: Annotated[str, argument("QUERY", SEARCH_HELP)]
) -> Listing[metering.Price]:
    """Search for prices by their fields and metadata, newest first."""
    found = m.prices.search(query, limit=LIMIT_MAX).auto_paging_iter()
    return Listing(found, lambda shown: price_columns(m, shown), none="No such prices.")


PRICES.actions(retrieve="Show a price.")


@PRICES.command()
def deactivate(m: metering.Metering, price: _PriceArgument) -> Done:
    """Keep a price from being used for what is new."""
    changed = m.prices.update(find_price(m, price), active=False)
    return Done(changed, f"{changed.id} is not active")


@PRICES.command()
def activate(m: metering.Metering, price: _PriceArgument) -> Done:
    """Let a price be used again."""
    changed = m.prices.update(find_price(m, price), active=True)
    return Done(changed, f"{changed.id} is active")


@PRICES.add
def rate(
    target: StoreTarget,
    price: _PriceArgument,
    quantity: Annotated[str, argument("QUANTITY", "How many units, such as 1010.5.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show what a quantity costs by a price, tier by tier."""
    # Arrow takes a while to load, and help does without it.
    import pyarrow as pa  # noqa: PLC0415

    units = DecimalKind(least=0, most=QUANTITY_BOUND - 1).read(quantity, "QUANTITY")
    with target.open() as m:
        lines = {"price": [find_price(m, price)], "quantity": [units]}
        [line] = m.rate(usage=pa.table(lines)).to_pylist()
    if json:
        print_document(line)
        return
    currency = line["currency"]
    show(f"{units:,f} cost {money_text(line['amount'], currency)}", style="bold")
    if line["tiers"]:
        show_table(tier_columns(currency), line["tiers"])


def _tier(text: str, currency: str) -> TierParams:
    """Read ``UP_TO=UNIT`` or ``UP_TO=UNIT+FLAT``."""
    end, sign, costs = text.partition("=")
    unit, plus, flat = costs.partition("+")
    if not sign:
        raise typer.BadParameter(
            f"{text!r} is not UP_TO=AMOUNT, such as 1000=0.10", param_hint="--tier"
        )
    tier: TierParams = {
        "up_to": "inf" if end == "inf" else _end(end),
        "unit_amount_decimal": option_unit_amount(unit, currency, "--tier"),
    }
    if plus:
        within = field_at(PriceCreate, "unit_amount").kind
        tier["flat_amount"] = option_amount(flat, currency, "--tier", within)
    return tier


def _end(text: str) -> int:
    if not (
        text.isascii() and text.isdecimal() and len(text) <= len(str(QUANTITY_BOUND))
    ):
        raise typer.BadParameter(
            f"{text[:60]!r} is neither a whole number nor inf", param_hint="--tier"
        )
    return int(text)


group = PRICES.group
