"""Many holds are settled at once, each as it would be alone."""

from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import amounts, balances, hold
from tests.metering.usual_credits import grant

ROWS: list[dict[str, Any]] = [
    {"hold": "job_1", "amount": 30, "settlement": "a", "final": False},
    {"hold": "job_2", "amount": 100},
    {"hold": "job_1"},
    {"hold": "job_9"},
    {"hold": "job_3", "amount": 101},
    {"hold": "job_1", "amount": 30, "settlement": "a", "final": False},
    {"hold": "job_4", "amount": -1},
    {"hold": "job_4", "final": False},
    {"hold": None},
]
HALF = "\ud800"


def test_each_row_is_settled_as_it_would_be_alone(connect: Connect) -> None:
    m = connect()
    grant(m, 1_000)
    for number in range(1, 5):
        hold(m, 100, f"job_{number}")

    receipt = m.credit_holds.settle_many(ROWS)

    assert (receipt.settled, receipt.repeated, receipt.rejected) == (3, 1, 5)
    assert [
        (each["row"], each["hold"], each["code"])
        for each in receipt.rejections.to_pylist()
    ] == [
        (3, "job_9", "resource_missing"),
        (4, "job_3", "exceeds_hold"),
        (6, "job_4", "parameter_invalid"),
        (7, "job_4", "parameter_missing"),
        (8, None, "parameter_invalid"),
    ]
    assert amounts(m.credit_holds.retrieve("job_1")) == (0, 100, 0)
    assert amounts(m.credit_holds.retrieve("job_2")) == (0, 100, 0)
    assert balances(m) == (800, 600, 200)
    again = m.credit_holds.settle_many(pa.Table.from_pylist(ROWS))
    assert (again.settled, again.repeated, again.rejected) == (0, 4, 5)
    assert m.verify().problems == ()


def test_two_settlements_of_one_name_are_not_settled_together(
    store: metering.Metering,
) -> None:
    grant(store, 1_000)
    hold(store, 100, "a")
    hold(store, 100, "a/b")

    receipt = store.credit_holds.settle_many(
        [{"hold": "a", "settlement": "b/c"}, {"hold": "a/b", "settlement": "c"}]
    )

    assert (receipt.settled, receipt.rejected) == (1, 1)
    assert receipt.rejections["code"].to_pylist() == ["settlement_conflict"]


@pytest.mark.parametrize(
    "source",
    [7, "job_1", ["job_1"], pa.table({"name": ["a"]}), pa.table({"hold": [7]})],
)
def test_a_source_that_has_no_holds_is_refused(
    store: metering.Metering, source: object
) -> None:
    with pytest.raises(metering.SourceError):
        store.credit_holds.settle_many(source)


def test_a_name_that_no_store_has_is_reported(store: metering.Metering) -> None:
    receipt = store.credit_holds.settle_many([{"hold": HALF}])

    assert receipt.rejections["code"].to_pylist() == ["resource_missing"]
    assert receipt.rejections["hold"].to_pylist() == ["?"]
