"""What is no credit grant: the parameter is named, and nothing is recorded."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, for_prices, grant, money
from tests.metering.usual_usage import NOW

VALUE = "amount[monetary][value]"
CURRENCY = "amount[monetary][currency]"
SCOPE = "applicability_config[scope]"
PRICES = f"{SCOPE}[prices]"
BEFORE_YEAR_1 = datetime(1, 1, 1, 13, 59, tzinfo=timezone(timedelta(hours=14)))
AFTER_YEAR_9999 = datetime(9999, 12, 31, 12, tzinfo=timezone(timedelta(hours=-12)))


def scope(**given: object) -> dict[str, object]:
    return {"scope": given}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"customer": None}, "parameter_missing", "customer"),
    ({"customer": ""}, "parameter_invalid", "customer"),
    ({"customer": "c" * 501}, "parameter_invalid", "customer"),
    ({"customer": "a\0"}, "invalid_characters", "customer"),
    ({"amount": None}, "parameter_missing", "amount"),
    ({"amount": 5}, "parameter_invalid", "amount"),
    ({"amount": {}}, "parameter_missing", "amount[type]"),
    ({"amount": {**money(), "type": "custom"}}, "parameter_invalid", "amount[type]"),
    ({"amount": {"type": "monetary"}}, "parameter_missing", "amount[monetary]"),
    ({"amount": {**money(), "of": 1}}, "parameter_unknown", "amount[of]"),
    ({"amount": money(0)}, "parameter_invalid", VALUE),
    ({"amount": money(-5)}, "parameter_invalid", VALUE),
    ({"amount": money(1.5)}, "parameter_invalid", VALUE),
    ({"amount": money(1.0)}, "parameter_invalid", VALUE),
    ({"amount": money("10")}, "parameter_invalid", VALUE),
    ({"amount": money(value=True)}, "parameter_invalid", VALUE),
    ({"amount": money(None)}, "parameter_missing", VALUE),
    ({"amount": money(10**12)}, "parameter_invalid", VALUE),
    ({"amount": money(currency="zzz")}, "parameter_invalid", CURRENCY),
    ({"amount": money(currency="\N{KELVIN SIGN}WD")}, "parameter_invalid", CURRENCY),
    ({"amount": money(currency="xau")}, "parameter_invalid", CURRENCY),
    ({"amount": money(currency="dollar")}, "parameter_invalid", CURRENCY),
    ({"amount": money(currency=None)}, "parameter_missing", CURRENCY),
    ({"applicability_config": None}, "parameter_missing", "applicability_config"),
    ({"applicability_config": {}}, "parameter_missing", SCOPE),
    ({"applicability_config": scope()}, "parameter_missing", SCOPE),
    (
        {"applicability_config": scope(price_type="metered", prices=[{"id": "p"}])},
        "parameters_exclusive",
        SCOPE,
    ),
    (
        {"applicability_config": scope(price_type="licensed")},
        "parameter_invalid",
        f"{SCOPE}[price_type]",
    ),
    ({"applicability_config": for_prices()}, "parameter_invalid", PRICES),
    (
        {"applicability_config": for_prices(*(f"p{n}" for n in range(21)))},
        "parameter_invalid",
        PRICES,
    ),
    ({"applicability_config": scope(prices="p")}, "parameter_invalid", PRICES),
    ({"applicability_config": for_prices("")}, "parameter_invalid", f"{PRICES}[0][id]"),
    (
        {"applicability_config": for_prices("p", "p")},
        "parameter_invalid",
        f"{PRICES}[1][id]",
    ),
    (
        {"applicability_config": scope(prices=["p"])},
        "parameter_invalid",
        f"{PRICES}[0]",
    ),
    ({"category": "gift"}, "parameter_invalid", "category"),
    ({"category": None}, "parameter_invalid", "category"),
    ({"priority": 101}, "parameter_invalid", "priority"),
    ({"priority": -1}, "parameter_invalid", "priority"),
    ({"priority": 1.0}, "parameter_invalid", "priority"),
    ({"name": ""}, "parameter_invalid", "name"),
    ({"name": "n" * 101}, "parameter_invalid", "name"),
    ({"effective_at": "soon"}, "timestamp_invalid", "effective_at"),
    ({"effective_at": BEFORE_YEAR_1}, "timestamp_invalid", "effective_at"),
    ({"effective_at": BEFORE_YEAR_1.isoformat()}, "timestamp_invalid", "effective_at"),
    ({"expires_at": AFTER_YEAR_9999}, "timestamp_invalid", "expires_at"),
    ({"expires_at": AFTER_YEAR_9999.isoformat()}, "timestamp_invalid", "expires_at"),
    ({"expires_at": 1.5}, "timestamp_invalid", "expires_at"),
    ({"expires_at": NOW}, "parameter_invalid", "expires_at"),
    ({"expires_at": NOW - DAY}, "parameter_invalid", "expires_at"),
    (
        {"effective_at": NOW - 2 * DAY, "expires_at": NOW - DAY},
        "parameter_invalid",
        "expires_at",
    ),
    (
        {"effective_at": NOW + 2 * DAY, "expires_at": NOW + DAY},
        "parameter_invalid",
        "expires_at",
    ),
    (
        {"effective_at": NOW + DAY, "expires_at": NOW + DAY},
        "parameter_invalid",
        "expires_at",
    ),
    ({"metadata": 5}, "parameter_invalid", "metadata"),
    ({"metadata": {"k" * 41: "v"}}, "parameter_invalid", "metadata"),
    ({"metadata": {"k": "v" * 501}}, "parameter_invalid", "metadata[k]"),
    ({"metadata": {"k": 1}}, "parameter_invalid", "metadata[k]"),
    ({"metadata": {str(n): "v" for n in range(51)}}, "parameter_invalid", "metadata"),
]


@pytest.mark.parametrize(("given", "code", "param"), REFUSED)
def test_a_malformed_grant_is_refused(
    store: metering.Metering, given: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(metering.InvalidRequestError) as refusal:
        grant(store, **given)

    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert param in refusal.value.message or code == "credit_grant_limit_reached"
    assert store.position == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"applicability_config": for_prices(*(f"p{n}" for n in range(21)))},
            "21 elements; must be a list of 1 to 20 elements",
        ),
        ({"expires_at": NOW - DAY}, "must be in the future"),
        ({"expires_at": NOW}, "must be in the future"),
        (
            {"effective_at": NOW + DAY, "expires_at": NOW + DAY},
            "must be after effective_at",
        ),
    ],
)
def test_a_refusal_says_what_would_be_right(
    store: metering.Metering, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(metering.InvalidRequestError, match=words):
        grant(store, **given)


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"expires_at": NOW}, "parameter_invalid", "expires_at"),
        ({"expires_at": NOW + DAY}, "parameter_invalid", "expires_at"),
        ({"expires_at": "x"}, "timestamp_invalid", "expires_at"),
        ({"metadata": "x"}, "parameter_invalid", "metadata"),
        ({"metadata": {"k": 1}}, "parameter_invalid", "metadata[k]"),
    ],
)
def test_a_malformed_update_is_refused(
    store: metering.Metering, given: dict[str, Any], code: str, param: str
) -> None:
    made = grant(store, effective_at=NOW + DAY)

    with refused(code, param):
        store.credit_grants.update(made.id, **given)

    assert store.credit_grants.retrieve(made.id) == made
    assert store.position == 1


def test_twenty_prices_and_a_priority_of_a_hundred_are_taken(
    store: metering.Metering,
) -> None:
    twenty = for_prices(*(f"price_{number}" for number in range(20)))

    made = grant(store, applicability_config=twenty, priority=100, metadata=None)

    assert made.priority == 100
