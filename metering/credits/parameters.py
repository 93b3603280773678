"""Parameters of credit grants: amounts, scopes, metadata, and pages of a list."""

from collections.abc import Mapping, Sequence

from metering.arguments.currencies import currency_of
from metering.arguments.parameters import invalid, missing, name_of, only, whole_number
from metering.errors import InvalidRequestError

LONGEST_ID = 255
LONGEST_CUSTOMER = 500
AMOUNT_MAX = 999_999_999_999
"""Of a grant and of a line: a billing run adds up a million of them in 64 bits."""
PRICES_MAX = 20
_PAIRS_MAX = 50
_LONGEST_KEY = 40
_LONGEST_VALUE = 500
_LIMIT_MAX = 100


def check_amount(amount: object) -> tuple[str, int]:
    """Check ``{"type": "monetary", "monetary": {"currency", "value"}}``.

    Returns:
        The currency in lower case, and the value in its minor units.
    """
    given = only(amount, "amount", {"type", "monetary"})
    if given.get("type") is None:
        raise missing("amount[type]")
    if given["type"] != "monetary":
        raise invalid("amount[type]", given["type"], "monetary")
    money = only(given.get("monetary"), "amount[monetary]", {"currency", "value"})
    return (
        currency_of(money.get("currency"), "amount[monetary][currency]"),
        whole_number(money.get("value"), "amount[monetary][value]", 1, AMOUNT_MAX),
    )


def check_applicability(config: object) -> tuple[str, ...] | None:
    """Check ``{"scope": …}`` of a grant; see `check_scope`."""
    param = "applicability_config"
    return check_scope(only(config, param, {"scope"}).get("scope"), f"{param}[scope]")


def check_scope(scope: object, param: str) -> tuple[str, ...] | None:
    """Check ``{"price_type": "metered"}`` or ``{"prices": [{"id": …}]}``.

    Returns:
        The prices, or None for every metered price.
    """
    given = only(scope, param, {"price_type", "prices"})
    price_type, prices = given.get("price_type"), given.get("prices")
    if price_type is not None and prices is not None:
        raise InvalidRequestError(
            f"Invalid {param}: price_type and prices exclude each other; give one",
            code="parameters_exclusive",
            param=param,
        )
    if prices is not None:
        return _check_prices(prices, f"{param}[prices]")
    if price_type is None:
        raise InvalidRequestError(
            f"Missing required param: {param} needs price_type or prices",
            code="parameter_missing",
            param=param,
        )
    if price_type != "metered":
        raise invalid(f"{param}[price_type]", price_type, "metered")
    return None


def _check_prices(prices: object, param: str) -> tuple[str, ...]:
    is_list = isinstance(prices, Sequence) and not isinstance(prices, str | bytes)
    if not is_list:
        raise invalid(param, prices, f"a list of 1 to {PRICES_MAX} prices")
    if not 1 <= (count := len(prices)) <= PRICES_MAX:  # type: ignore[arg-type]  # it is one
        raise InvalidRequestError(
            f"Invalid {param}: {count} prices; must be a list of 1 to {PRICES_MAX}"
            " prices",
            param=param,
        )
    checked: list[str] = []
    for number, price in enumerate(prices):  # type: ignore[arg-type, var-annotated]  # it is one
        of_id = f"{param}[{number}][id]"
        price_id = name_of(
            only(price, f"{param}[{number}]", {"id"}).get("id"), of_id, LONGEST_ID
        )
        if price_id in checked:
            raise invalid(of_id, price_id, "another price than those before it")
        checked.append(price_id)
    return tuple(checked)


def check_metadata(metadata: object) -> dict[str, str] | None:
    """Check pairs of texts; an empty value is one that takes the key away.

    Returns:
        The pairs, or None for what takes away every pair: None or an empty text.
    """
    if metadata is None or metadata == "":
        return None
    if not isinstance(metadata, Mapping):
        raise invalid("metadata", metadata, "a mapping of texts to texts")
    checked: dict[str, str] = {}
    for key, value in metadata.items():
        name = name_of(key, "metadata", _LONGEST_KEY)
        if value is None or value == "":
            checked[name] = ""
        else:
            checked[name] = name_of(value, f"metadata[{name}]", _LONGEST_VALUE)
    return checked


def merge_metadata(
    known: Mapping[str, str], checked: Mapping[str, str] | None
) -> dict[str, str]:
    """Add pairs to metadata, replace those it has, and take away the empty ones.

    Args:
        known: what there is.
        checked: by `check_metadata`: what to change.
    """
    merged = {} if checked is None else {**known, **checked}
    merged = {key: value for key, value in sorted(merged.items()) if value}
    if len(merged) > _PAIRS_MAX:
        raise InvalidRequestError(
            f"Invalid metadata: {len(merged)} keys; must be at most {_PAIRS_MAX}",
            param="metadata",
        )
    return merged


def check_page(limit: object, starting_after: object, ending_before: object) -> int:
    """Check how many to list; only one of the cursors may be given."""
    if starting_after is not None and ending_before is not None:
        raise InvalidRequestError(
            "Invalid ending_before: starting_after and ending_before exclude each"
            " other; give one",
            code="parameters_exclusive",
            param="ending_before",
        )
    return whole_number(limit, "limit", 1, _LIMIT_MAX)


def check_customer(customer: object) -> str:
    """Check the name of a customer."""
    if customer is None:
        raise missing("customer")
    return name_of(customer, "customer", LONGEST_CUSTOMER)
