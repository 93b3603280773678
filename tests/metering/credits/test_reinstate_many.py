"""Credits of many invoices are given back at once, equal to giving them back one by one."""

from typing import Any

import pyarrow as pa
import pytest

import metering
from metering.credits.settlement import reinstatements
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, apply, balance, grant, line, run
from tests.metering.usual_usage import NOW

VOIDED, EXPIRED = "credits_application_invoice_voided", "credits_expired"


def given_back(receipt: metering.ReinstatementReceipt) -> list[tuple[object, ...]]:
    rows = receipt.transactions.drop_columns(["id", "credit_grant"]).to_pylist()
    return [tuple(row.values()) for row in rows]


@pytest.mark.dialect
def test_the_invoices_of_a_run_are_given_back(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    one, two = grant(store, 150), grant(store, 40, customer="cus_2")
    table = run(
        {"line": "il_1"},
        {"invoice": "in_2", "customer": "cus_2"},
        {"line": "il_2"},
        {"invoice": "in_3", "customer": "cus_3"},
    )
    store.credits.apply_many(table)
    apply(store, "in_4", line(7), customer="cus_2")

    receipt = store.credits.reinstate_many(table)

    assert (receipt.reinstated, receipt.repeated, receipt.rejected) == (3, 0, 0)
    assert given_back(receipt) == [
        ("in_1", "il_1", "cus_1", "usd", 100, VOIDED),
        ("in_1", "il_2", "cus_1", "usd", 50, VOIDED),
        ("in_2", "il_1", "cus_2", "usd", 40, VOIDED),
    ]
    assert receipt.transactions["credit_grant"].to_pylist() == [one.id, one.id, two.id]
    for name in receipt.transactions["id"].to_pylist():
        assert store.credit_balance_transactions.retrieve(name).id == name
    assert balance(store) == {"usd": (150, 150)}
    position = store.position
    again = store.credits.reinstate_many(table)
    assert (again.reinstated, again.repeated, again.rejected) == (0, 3, 0)
    assert again.transactions == receipt.transactions
    assert store.position == position
    assert store.verify().ok


def test_it_answers_what_giving_back_one_by_one_does(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, 60, expires_at=NOW + DAY)
    grant(store, 60)
    apply(store, "in_1", line(100))
    apply(store, "in_2", line(5))
    clock.advance(2 * DAY)

    receipt = store.credits.reinstate_many(["in_1", "in_2"])

    one_by_one = [
        each.id
        for invoice in ("in_1", "in_2")
        for each in store.credits.reinstate(invoice=invoice)
    ]
    assert receipt.transactions["id"].to_pylist() == one_by_one
    assert [(row[0], row[4], row[5]) for row in given_back(receipt)] == [
        ("in_1", 60, VOIDED),
        ("in_1", 60, EXPIRED),
        ("in_1", 40, VOIDED),
        ("in_2", 5, VOIDED),
    ]


def test_one_bad_invoice_does_not_fail_the_others(store: metering.Metering) -> None:
    grant(store, 100)
    apply(store, "in_1", line(10))
    apply(store, "in_2", line(10))
    store.credits.reinstate(invoice="in_2")
    names: Any = [
        "in_0",
        "in_2",
        "",
        "in_1",
        None,
        "a\0",
        "in_0",
        7,
        "x" * 256,
        "\ud800",
    ]

    receipt = store.credits.reinstate_many(names)

    assert (receipt.reinstated, receipt.repeated) == (1, 1)
    rejections = receipt.rejections.to_pylist()
    assert receipt.rejected == len(rejections)
    assert [(each["row"], each["code"]) for each in rejections] == [
        (0, "resource_missing"),
        (2, "parameter_invalid"),
        (4, "parameter_missing"),
        (5, "invalid_characters"),
        (7, "parameter_invalid"),
        (8, "parameter_invalid"),
        (9, "invalid_characters"),
    ]
    assert "in_0" in rejections[0]["message"]
    assert balance(store) == {"usd": (100, 100)}


def test_portions_are_commits_of_their_own(
    store: metering.Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reinstatements, "_INVOICES_AT_A_TIME", 2)
    grant(store, 100)
    names = [f"in_{number}" for number in range(5)]
    for name in names:
        apply(store, name, line(1))
    commits = store.verify().commits
    done: list[tuple[int, int]] = []

    receipt = store.credits.reinstate_many(names, lambda *step: done.append(step))

    assert done == [(2, 5), (4, 5), (5, 5)]
    assert store.verify().commits == commits + 3
    assert receipt.transactions["invoice"].to_pylist() == names


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (pa.table({"id": ["in_1"]}), "'invoice'"),
        (pa.table({"invoice": [1]}), "give strings"),
        ("in_1", "a list of their ids"),
        ({"invoice": "in_1"}, "a list of their ids"),
        (7, "a list of their ids"),
    ],
)
def test_what_names_no_invoices_is_refused(
    store: metering.Metering, source: object, words: str
) -> None:
    with refused("source_invalid", None, words, kind=metering.SourceError):
        store.credits.reinstate_many(source)


def test_streams_batches_and_dictionaries_name_invoices(
    store: metering.Metering,
) -> None:
    grant(store, 100)
    for name in ("in_1", "in_2", "in_3"):
        apply(store, name, line(10))
    encoded = pa.table({"invoice": pa.array(["in_2", "in_2"]).dictionary_encode()})

    batch = pa.record_batch({"invoice": ["in_1"], "other": [1]})
    assert store.credits.reinstate_many(batch).reinstated == 1
    assert store.credits.reinstate_many(encoded.to_reader()).reinstated == 1
    assert store.credits.reinstate_many(iter(["in_3"])).reinstated == 1
    assert store.credits.reinstate_many([]).reinstated == 0
    assert balance(store) == {"usd": (100, 100)}
