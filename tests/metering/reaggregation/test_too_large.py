"""A sum that is too large fails by name, or is null beside all the others."""

from decimal import Decimal

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter

# Keys of payloads may hold what a value may not.
LARGE = "9" * 26


@pytest.fixture
def usage(store: metering.Metering) -> dict[str, metering.Meter]:
    """Two customers of the one meter and one of the other use too much to add up."""
    meters = {name: create_meter(store, name) for name in ("tokens", "words")}
    for name, customer, size in (
        *[("tokens", "cus_1", LARGE)] * 2,
        *[("tokens", "cus_2", "-" + LARGE)] * 2,
        ("tokens", "cus_3", LARGE),
        *[("words", "cus_1", LARGE)] * 2,
        ("words", "cus_2", "2.5"),
    ):
        payload = {"stripe_customer_id": customer, "value": "1", "size": size}
        create_event(store, event_name=name, payload=payload)
    return meters


def test_the_error_names_the_meters_and_the_customers(
    store: metering.Metering, usage: dict[str, metering.Meter]
) -> None:
    tokens, words = usage["tokens"].id, usage["words"].id
    series = sorted([(tokens, "cus_1"), (tokens, "cus_2"), (words, "cus_1")])

    with pytest.raises(metering.SummaryTooLargeError) as error:
        store.reaggregate(value_key="size")

    assert error.value.series == tuple(series)
    assert error.value.count == 3
    for meter, customer in series:
        assert f"customer '{customer}' on meter {meter}" in error.value.message
    assert "skip_too_large" in error.value.message


@pytest.mark.parametrize("is_sealed", [False, True])
def test_the_others_are_answered_beside_it(
    store: metering.Metering, usage: dict[str, metering.Meter], *, is_sealed: bool
) -> None:
    if is_sealed:
        store.seal()

    table = store.reaggregate(value_key="size", skip_too_large=True)

    names = {meter.id: name for name, meter in usage.items()}
    found = {
        (names[row["meter"]], row["customer"]): (row["value"], row["event_count"])
        for row in table.to_pylist()
    }
    assert found == {
        ("tokens", "cus_1"): (None, 2),
        ("tokens", "cus_2"): (None, 2),
        ("tokens", "cus_3"): (Decimal(LARGE), 1),
        ("words", "cus_1"): (None, 2),
        ("words", "cus_2"): (Decimal("2.5"), 1),
    }
    assert store.reaggregate(skip_too_large=True).equals(store.reaggregate())


def test_other_formulas_have_no_sum_that_is_too_large(
    store: metering.Metering, usage: dict[str, metering.Meter]
) -> None:
    for formula in ("avg", "max", "min", "last", "count", "unique_count"):
        table = store.reaggregate("tokens", formula=formula, value_key="size")

        assert table["value"].null_count == 0
    assert usage["tokens"].event_name == "tokens"


def test_skipping_is_asked_for_by_a_boolean(store: metering.Metering) -> None:
    with refused("parameter_invalid", "skip_too_large"):
        store.reaggregate(skip_too_large="yes")  # type: ignore[arg-type]  # on purpose
