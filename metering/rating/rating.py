"""Rating: lines of usage become lines of money, by the prices that a store has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metering.arguments.currencies import currency_of
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import exclusive, invalid, missing
from metering.arguments.schema import checked
from metering.arguments.strings import is_storable
from metering.errors import InvalidRequestError
from metering.rating.requests import RatingRequest
from metering.rating.sources import UsageToRate, usage_to_rate
from metering.store.engine import Engine
from projections.kernels.prices import PriceDefinition
from projections.kernels.rating.limbs import WHOLE_BOUND
from projections.kernels.rating.quantities import ReadQuantities
from projections.kernels.rating.rate_card import RateCard, Tariff
from projections.kernels.rating.rating import rate
from projections.prices.queries import PriceQueries

_DIGITS = len(str(WHOLE_BOUND)) - 1


def rated(engine: Engine, usage: object, prices: object, currency: object) -> pa.Table:
    """Rate usage; see `Metering.rate`."""
    asked = checked(RatingRequest, prices=prices, currency=currency)
    given = usage_to_rate(usage)
    if asked.currency is not None and given.currencies is not None:
        raise exclusive("currency", "currency", "usage[currency]")
    if asked.prices is None and given.key == "meter":
        raise missing("prices")
    known = _prices(engine, asked.prices, given)
    lines = _lines(given, known)
    tariffs, which = _tariffs(given, lines, list(known.values()), asked.currency)
    return _rated(lines, [*known], tariffs, which)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines to be rated, one a row; a row of a meter has one for each of its prices.

    Attributes:
        rows: the usage, as it came.
        quantity: decimal128(38, 12).
        price: int64, which of the prices each is rated by.
        currencies: of each row, None where the rows have none.
    """

    rows: pa.Table
    quantity: pa.Array
    price: np.ndarray
    currencies: pa.DictionaryArray | None


@dataclass(frozen=True, slots=True)
class _PricedIn:
    """A price in one of its currencies."""

    currency: str
    tariff: Tariff


def _prices(
    engine: Engine, ids: Sequence[str] | None, given: UsageToRate
) -> dict[str, PriceDefinition]:
    """Return the prices that usage is rated by, by id and in their order.

    Raises:
        ResourceMissingError: one is not there.
        InvalidRequestError: one comes twice, or the usage names another.
    """
    param = "usage[price]" if ids is None else "prices"
    named = given.keys if ids is None else ids
    with engine.log.read() as connection:
        found = PriceQueries(connection).prices_named(filter(is_storable, named))
    known: dict[str, PriceDefinition] = {}
    for number, price_id in enumerate(named):
        at = param if ids is None else f"{param}[{number}]"
        price = found_by_id(found.get, price_id, "price", at)
        if price_id in known:
            raise invalid(at, price_id, "another price than those before it")
        if given.key == "meter" and price.meter_id is None:
            raise invalid(at, price_id, "a metered price, as the usage is by meter")
        known[price_id] = price
    if given.key == "price" and ids is not None:
        for price_id in given.keys:
            if price_id not in known:
                raise invalid("usage[price]", price_id, "one of prices")
    return known


def _lines(given: UsageToRate, known: Mapping[str, PriceDefinition]) -> _Lines:
    """Return the lines of usage, in the order of its rows and of the prices."""
    of_key: dict[str, list[int]] = {key: [] for key in given.keys}
    for number, price in enumerate(known.values()):
        key = price.price_id if given.key == "price" else price.meter_id
        if key in of_key:
            of_key[key].append(number)
    counts = np.array([len(each) for each in of_key.values()], np.int64)
    numbers = np.array([n for each in of_key.values() for n in each], np.int64)
    first = np.cumsum(counts) - counts
    if (counts == 1).all():
        return _Lines(
            given.rows, given.quantity, numbers[given.codes], given.currencies
        )
    times = counts[given.codes]
    rows = np.repeat(np.arange(len(given.codes)), times)
    # How many lines of its row come before each line.
    before = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    return _Lines(
        given.rows.take(rows),
        given.quantity.take(pa.array(rows)),
        numbers[first[given.codes[rows]] + before],
        None if given.currencies is None else given.currencies.take(pa.array(rows)),
    )


def _tariffs(
    given: UsageToRate,
    lines: _Lines,
    prices: Sequence[PriceDefinition],
    currency: str | None,
) -> tuple[list[_PricedIn], np.ndarray]:
    """Return the tariffs that lines need, and which of them each does (int64).

    Raises:
        InvalidRequestError: a price has no amount in a currency, or it is none.
    """
    if given.currencies is None or lines.currencies is None:
        tariffs = [
            _priced_in(each, currency or each.currency, "currency") for each in prices
        ]
        return tariffs, lines.price
    at = "usage[currency]"
    named = [currency_of(each, at) for each in lines.currencies.dictionary.to_pylist()]
    pairs = lines.price * len(named) + lines.currencies.indices.to_numpy()
    distinct, which = np.unique(pairs, return_inverse=True)
    needed = [divmod(each, len(named)) for each in distinct.tolist()]
    return [_priced_in(prices[price], named[of], at) for price, of in needed], which


def _priced_in(price: PriceDefinition, currency: str, param: str) -> _PricedIn:
    amounts = price.amounts.get(currency)
    if amounts is None:
        allowed = f"one that price {price.price_id} has: {', '.join(price.amounts)}"
        raise invalid(param, currency, allowed)
    tariff = Tariff(amounts=amounts, tiers_mode=price.tiers_mode, package=price.package)
    return _PricedIn(currency, tariff)


def _rated(
    lines: _Lines, price_ids: list[str], tariffs: list[_PricedIn], which: np.ndarray
) -> pa.Table:
    """Return the lines with what they cost.

    Raises:
        InvalidRequestError: a quantity or an amount has too many digits.
    """
    read = ReadQuantities.of(lines.quantity)
    _check_small(lines, "quantity", read.is_too_large)
    card = RateCard.of([each.tariff for each in tariffs])
    found = rate(card, which, read.quantities)
    _check_small(lines, "amount", found.is_beyond)
    table = lines.rows
    if "price" not in table.schema.names:
        table = table.append_column("price", _taken(price_ids, lines.price))
    if "currency" not in table.schema.names:
        currencies = [each.currency for each in tariffs]
        table = table.append_column("currency", _taken(currencies, which))
    return (
        table.append_column("amount", pa.array(found.amount))
        .append_column("is_negative", pa.array(read.is_negative))
        .append_column("tiers", found.tiers())
    )


def _check_small(lines: _Lines, what: str, is_too_large: np.ndarray) -> None:
    if is_too_large.any():
        row = int(np.flatnonzero(is_too_large)[0])
        raise InvalidRequestError(
            f"The {what} of line {row} is too large, its quantity is"
            f" {lines.quantity[row].as_py():f}; must have at most {_DIGITS} digits"
            " before the point",
            code=f"{what}_too_large",
            param=f"usage[{what}]",
        )


def _taken(words: list[str], which: np.ndarray) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(which))
