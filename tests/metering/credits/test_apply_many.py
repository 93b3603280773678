"""A billing run: many invoices at once, equal to applying them one by one."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering.credits.settlement import sources
from projections.kernels.credits import burn_down_many
from tests.conftest import Connect
from tests.empty_stores import empty_store
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, balance, for_prices, grant, run
from tests.metering.usual_usage import NOW

Counts = tuple[int, int, int]


def counted(receipt: metering.CreditsReceipt) -> Counts:
    return receipt.applied, receipt.repeated, receipt.rejected


def rejected(receipt: metering.CreditsReceipt) -> list[tuple[int, str | None, str]]:
    return [
        (each["row"], each["invoice"], each["code"])
        for each in receipt.rejections.to_pylist()
    ]


@pytest.mark.dialect
def test_the_invoices_of_a_table_are_settled(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    one, two = grant(store, 150), grant(store, 40, customer="cus_2", currency="eur")

    receipt = store.credits.apply_many(
        run(
            {"line": "il_1"},
            {"line": "il_2"},
            {"invoice": "in_2", "customer": "cus_2", "currency": "EUR"},
            {"invoice": "in_3", "customer": "cus_3"},
        )
    )

    assert counted(receipt) == (3, 0, 0)
    assert receipt.rejections.num_rows == 0
    ids = receipt.transactions.column("id").to_pylist()
    assert receipt.transactions.drop_columns("id").to_pylist() == [
        {"invoice": invoice, "line": line, "credit_grant": grant_id}
        | {"customer": customer, "currency": currency, "amount": amount}
        for invoice, line, grant_id, customer, currency, amount in (
            ("in_1", "il_1", one.id, "cus_1", "usd", 100),
            ("in_1", "il_2", one.id, "cus_1", "usd", 50),
            ("in_2", "il_1", two.id, "cus_2", "eur", 40),
        )
    ]
    found = [store.credit_balance_transactions.retrieve(each) for each in ids]
    assert [each.credit_grant for each in found] == [one.id, one.id, two.id]
    assert store.position == 5
    assert store.verify().ok


def test_a_run_that_is_repeated_answers_the_same_and_draws_nothing(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 150)
    table = run({}, {"invoice": "in_2"}, {"invoice": "in_3"})
    first = store.credits.apply_many(table)
    position = store.position

    again = store.credits.apply_many(table)

    assert counted(again) == (0, 3, 0)
    assert again.transactions.equals(first.transactions)
    assert store.position == position


def test_a_run_goes_on_where_it_broke_off(store: metering.Metering) -> None:
    grant(store, 150)
    table = run({}, {"invoice": "in_2"}, {"invoice": "in_3"})
    store.credits.apply_many(table.slice(0, 1))

    receipt = store.credits.apply_many(table)

    assert counted(receipt) == (2, 1, 0)
    assert receipt.transactions.column("amount").to_pylist() == [100, 50]
    assert receipt.transactions.column("invoice").to_pylist() == ["in_1", "in_2"]


def test_an_invoice_that_breaks_a_rule_does_not_fail_the_others(
    store: metering.Metering,
) -> None:
    grant(store)
    bad: list[dict[str, object]] = [
        {"invoice": None},
        {"invoice": ""},
        {"customer": None},
        {"customer": ""},
        {"period_end": None},
        {"line": None},
        {"amount": -1},
        {"amount": None},
        {"amount": 10**12},
        {"currency": "zzz"},
        {"currency": None},
        {"price": ""},
        {"customer": "a\0"},
    ]
    rows = [{"invoice": f"in_{number}", **row} for number, row in enumerate(bad)]

    receipt = store.credits.apply_many(
        run({"invoice": "in_a"}, *rows, {"invoice": "in_b"})
    )

    assert counted(receipt) == (2, 0, len(bad))
    codes = [code for *_, code in rejected(receipt)]
    assert [row for row, *_ in rejected(receipt)] == [*range(1, len(bad) + 1)]
    assert codes == [
        "parameter_missing", "parameter_invalid", "parameter_missing",
        "parameter_invalid", "parameter_missing", "parameter_missing",
        "parameter_invalid", "parameter_missing", "parameter_invalid",
        "parameter_invalid", "parameter_missing", "parameter_invalid",
        "invalid_characters",
    ]  # fmt: skip
    assert balance(store) == {"usd": (800, 800)}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"customer": "cus_2"}, "customer"),
        ({"period_end": NOW + DAY}, "period_end"),
        ({"currency": "eur"}, "lines[1][currency]"),
        ({"line": "il_1"}, "lines[1][id]"),
    ],
)
def test_the_rows_of_an_invoice_belong_together(
    store: metering.Metering, second: dict[str, object], words: str
) -> None:
    receipt = store.credits.apply_many(run({}, {"line": "il_2", **second}))

    assert rejected(receipt) == [(0, "in_1", "parameter_invalid")]
    assert words in receipt.rejections.column("message")[0].as_py()
    assert store.position == 0


def test_an_invoice_whose_rows_are_apart_is_settled_as_one(
    store: metering.Metering,
) -> None:
    grant(store, 250)

    receipt = store.credits.apply_many(
        run({"line": "il_2"}, {"invoice": "in_2"}, {"line": "il_1"})
    )

    assert counted(receipt) == (2, 0, 0)
    drawn = receipt.transactions.select(["invoice", "line", "amount"]).to_pylist()
    assert [tuple(each.values()) for each in drawn] == [
        ("in_1", "il_2", 100),
        ("in_1", "il_1", 100),
        ("in_2", "il_1", 50),
    ]
    assert store.position == 3


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"customer": "cus_2"}, "have different ones, 'cus_1' and 'cus_2'"),
        (
            {"period_end": NOW + DAY},
            "'2026-03-01 12:00:00.000000Z' and '2026-03-02 12:00:00.000000Z'",
        ),
        ({"currency": "eur"}, "Invalid lines[1][currency]: 'eur'; must be usd"),
    ],
)
def test_rows_that_are_apart_and_disagree_fail_their_invoice_whole(
    store: metering.Metering, second: dict[str, object], words: str
) -> None:
    grant(store)

    receipt = store.credits.apply_many(
        run({}, {"invoice": "in_2"}, {"line": "il_2", **second})
    )

    assert counted(receipt) == (1, 0, 1)
    assert rejected(receipt) == [(0, "in_1", "parameter_invalid")]
    assert words in receipt.rejections.column("message")[0].as_py()
    assert set(receipt.transactions.column("invoice").to_pylist()) == {"in_2"}


def test_a_line_that_comes_again_without_its_invoice_fails_the_invoice_whole(
    store: metering.Metering,
) -> None:
    receipt = store.credits.apply_many(
        run({}, {"line": "il_2"}, {"invoice": "in_2"}, {"line": "il_2"})
    )

    assert rejected(receipt) == [(0, "in_1", "parameter_invalid")]
    assert "lines[2][id]" in receipt.rejections.column("message")[0].as_py()


def test_an_invoice_that_comes_again_with_another_amount_is_a_conflict(
    store: metering.Metering,
) -> None:
    receipt = store.credits.apply_many(
        run({}, {"invoice": "in_2"}, {"amount": 5}, {"invoice": "in_2"})
    )

    assert counted(receipt) == (2, 1, 1)
    assert rejected(receipt) == [(2, "in_1", "invoice_conflict")]


def test_an_invoice_settled_before_is_judged_by_what_was_settled(
    store: metering.Metering,
) -> None:
    store.credits.apply_many(run({}, {"invoice": "in_2"}))
    store.credits.reinstate(invoice="in_2")

    receipt = store.credits.apply_many(run({"amount": 5}, {"invoice": "in_2"}))

    assert rejected(receipt) == [
        (0, "in_1", "invoice_conflict"),
        (1, "in_2", "invoice_reinstated"),
    ]


def test_an_invoice_that_comes_twice_is_settled_once(
    store: metering.Metering,
) -> None:
    grant(store)

    receipt = store.credits.apply_many(run({}, {"invoice": "in_2"}, {}))

    assert counted(receipt) == (2, 1, 0)
    ids = receipt.transactions.column("id").to_pylist()
    assert len(ids) == 3
    assert ids[0] == ids[2]
    assert balance(store) == {"usd": (800, 800)}


def test_an_invoice_that_was_reinstated_is_refused(store: metering.Metering) -> None:
    grant(store)
    store.credits.apply_many(run({}))
    store.credits.reinstate(invoice="in_1")

    receipt = store.credits.apply_many(run({}))

    assert rejected(receipt) == [(0, "in_1", "invoice_reinstated")]


def test_what_others_record_between_two_commits_counts(
    connect: Connect,
    clock: metering.FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AT_A_TIME", 1)
    ours, theirs = connect(clock=clock), connect(clock=clock)
    made = grant(ours, 1_000)
    rows = [{"invoice": f"in_{number}"} for number in range(3)]

    def interfere(progress: metering.CreditsProgress) -> None:
        if progress.rows == 1:
            theirs.credit_grants.expire(made.id)
            grant(theirs, 70)

    receipt = ours.credits.apply_many(run(*rows), interfere)

    assert receipt.transactions.column("amount").to_pylist() == [100, 70]
    assert ours.verify().ok


def test_progress_is_told_after_each_commit(
    store: metering.Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AT_A_TIME", 2)
    told: list[metering.CreditsProgress] = []
    rows = [{"invoice": f"in_{number}"} for number in (0, 1, 2, 1)]

    store.credits.apply_many(run(*rows, {"invoice": ""}), told.append)
    store.credits.apply_many(run(*rows).to_reader(), told.append)

    assert told[-1].total_rows is None
    last = next(each for each in reversed(told) if each.total_rows == 5)
    assert last == metering.CreditsProgress(
        rows=5, applied=3, repeated=1, rejected=1, total_rows=5
    )
    assert [each.rows for each in told] == sorted(each.rows for each in told[:-3]) + [
        each.rows for each in told[-3:]
    ]


@pytest.mark.parametrize("rows_at_a_time", [1, 2, 3, 100])
def test_an_invoice_is_never_cut_by_a_portion(
    store: metering.Metering, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AT_A_TIME", rows_at_a_time)
    table = run(
        *({"invoice": f"in_{n}", "line": f"il_{k}"} for n in range(4) for k in range(n))
    )

    receipt = store.credits.apply_many(table)

    assert counted(receipt) == (3, 0, 0)


def dictionary(table: pa.Table) -> pa.Table:
    return pa.table(
        {name: column.dictionary_encode() for name, column in
         zip(table.column_names, table.columns, strict=True)}
    )  # fmt: skip


@pytest.mark.parametrize(
    "as_source",
    [
        lambda table: table,
        lambda table: table.to_reader(max_chunksize=1),
        lambda table: table.to_batches()[0],
        lambda table: table.select(sorted(table.column_names)),
        lambda table: table.append_column("note", pa.array(["x"] * table.num_rows)),
        dictionary,
    ],
)
def test_any_arrow_source_is_taken(store: metering.Metering, as_source: Any) -> None:
    grant(store, applicability_config=for_prices("price_1"))

    receipt = store.credits.apply_many(as_source(run({}, {"invoice": "in_2"})))

    assert counted(receipt) == (2, 0, 0)
    assert receipt.transactions.num_rows == 2


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("s", "Europe/Berlin"),
        pa.timestamp("ns", "UTC"),
        pa.string(),
        pa.int64(),
    ],
)
def test_a_period_end_is_any_exact_time(
    store: metering.Metering, kind: pa.DataType
) -> None:
    table = run({"period_end": None})
    midnight = NOW.replace(hour=0)
    given: Any = midnight
    if kind == pa.string():
        given = midnight.isoformat()
    elif kind == pa.int64():
        given = int(midnight.timestamp())
    column = pa.array([given], kind)
    at = table.column_names.index("period_end")

    store.credits.apply_many(table.set_column(at, "period_end", column))

    # The same invoice, by its other door.
    line: Any = {"id": "il_1", "amount": 100, "currency": "usd", "price": "price_1"}
    store.credits.apply(
        invoice="in_1", customer="cus_1", period_end=midnight, lines=[line]
    )
    assert store.position == 1


def test_a_price_may_be_left_out(store: metering.Metering) -> None:
    grant(store, applicability_config=for_prices("price_1"), priority=0)
    every = grant(store)

    receipt = store.credits.apply_many(run({}).drop_columns("price"))

    assert receipt.transactions.column("credit_grant").to_pylist() == [every.id]


NAIVE = NOW.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("source", "param"),
    [
        (5, None),
        ([{"invoice": "in_1"}], None),
        (run({}).drop_columns("invoice"), "invoice"),
        (run({}).append_column("line", pa.array(["x"])), "line"),
        (run({}, amount=pa.float64()), "amount"),
        (run({"amount": "5"}, amount=pa.string()), "amount"),
        (run({"customer": 5}, customer=pa.int64()), "customer"),
        (run({"period_end": 5.0}, period_end=pa.float64()), "period_end"),
        (run({"period_end": NAIVE}, period_end=pa.timestamp("us")), "period_end"),
        (run({"period_end": NAIVE}, period_end=pa.date32()), "period_end"),
    ],
)
def test_a_source_that_is_no_billing_run_is_refused_whole(
    store: metering.Metering, source: object, param: str | None
) -> None:
    with refused(param=param, kind=metering.SourceError):
        store.credits.apply_many(source)

    assert store.position == 0


def test_an_empty_run_settles_nothing(store: metering.Metering) -> None:
    receipt = store.credits.apply_many(run({}).slice(1))

    assert counted(receipt) == (0, 0, 0)
    assert receipt.transactions.column_names == [
        "id", "invoice", "line", "credit_grant", "customer", "currency", "amount",
    ]  # fmt: skip


@pytest.mark.dialect
def test_a_preview_answers_what_the_run_would_and_records_nothing(
    connect: Connect, clock: metering.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AT_A_TIME", 1)
    store = connect(clock=clock)
    grant(store, 350)
    settled = store.credits.apply_many(run({"invoice": "in_2"}))
    rows = run({}, {"invoice": "in_2"}, {"line": "il_2"},
               {"invoice": "in_3"}, {}, {"line": "il_2"}, {"invoice": ""})  # fmt: skip
    position = store.position

    receipt = store.credits.preview_many(rows)

    assert store.position == position
    assert counted(receipt) == (2, 2, 1)
    (known,) = settled.transactions.column("id").to_pylist()
    assert receipt.transactions.column("id").to_pylist() == [
        "cbtxn_tmp_1", "cbtxn_tmp_2", known, "cbtxn_tmp_3", "cbtxn_tmp_1",
        "cbtxn_tmp_2",
    ]  # fmt: skip
    assert receipt.transactions.column("amount").to_pylist() == [
        100, 100, 100, 50, 100, 100,
    ]  # fmt: skip
    applied = store.credits.apply_many(rows)
    assert counted(applied) == counted(receipt)
    assert applied.rejections == receipt.rejections
    assert applied.transactions.drop_columns("id") == receipt.transactions.drop_columns(
        "id"
    )


def test_a_preview_of_an_empty_run_answers_nothing(store: metering.Metering) -> None:
    receipt = store.credits.preview_many(run({}).slice(1))

    assert counted(receipt) == (0, 0, 0)
    assert receipt.transactions.num_rows == 0


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "invoice": st.sampled_from([f"in_{number}" for number in range(9)]),
            "customer": st.sampled_from(["cus_1", "cus_1", "cus_2", "cus_3"]),
            "period_end": st.sampled_from([NOW, NOW, NOW + 2 * DAY, NOW - DAY]),
            "line": st.sampled_from(["il_1", "il_2", "il_3"]),
            "amount": st.integers(-1, 40),
            "currency": st.sampled_from(["usd", "usd", "usd", "eur", "zzz"]),
            "price": st.sampled_from([None, "p1", "p2"]),
        }
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.slow
@given(
    rows=ROWS,
    sorts=st.booleans(),
    at_a_time=st.integers(1, 8),
    rounds=st.integers(0, 2),
)
def test_a_run_is_equal_to_applying_one_by_one(
    rows: list[dict[str, Any]], *, sorts: bool, at_a_time: int, rounds: int
) -> None:
    if sorts:
        rows = alike_within_invoices(rows)
    clock = metering.FixedClock(NOW)
    with (
        pytest.MonkeyPatch.context() as patch,
        empty_store(clock=clock) as together,
        empty_store(clock=clock) as apart,
    ):
        patch.setattr(sources, "_ROWS_AT_A_TIME", at_a_time)
        patch.setattr(burn_down_many, "_ROUNDS_AT_MOST", rounds)
        numbers: dict[str, int] = {}
        for store in (together, apart):
            fill(store)
            listed = store.credit_grants.list(limit=100)
            numbers |= {each.id: number for number, each in enumerate(listed)}

        previewed = together.credits.preview_many(run(*rows))
        receipt = together.credits.apply_many(run(*rows))
        drawn, refused = one_by_one(apart, rows)

        assert [
            (row["id"], row["invoice"], row["line"], numbers[row["credit_grant"]],
             row["amount"])
            for row in receipt.transactions.to_pylist()
        ] == [(*each[:3], numbers[each[3]], each[4]) for each in drawn]  # fmt: skip
        assert rejected(receipt) == refused
        assert counted(previewed) == counted(receipt)
        assert previewed.rejections == receipt.rejections
        unnamed = previewed.transactions.drop_columns("id")
        assert unnamed == receipt.transactions.drop_columns("id")
        assert together.verify().ok


@pytest.mark.slow
@given(data=st.data(), rows=ROWS, at_a_time=st.integers(1, 8))
def test_any_order_of_rows_settles_the_invoices_that_the_rows_are_of(
    data: st.DataObject, rows: list[dict[str, Any]], at_a_time: int
) -> None:
    rows = alike_within_invoices(rows)
    mixed = data.draw(st.permutations(rows))
    together = [row for _, own in gathered(mixed) for row in own]
    cut = data.draw(st.integers(1, len(rows)))

    receipts = []
    for source in (run(*together), run(*mixed), run(*mixed).to_reader(cut)):
        with (
            pytest.MonkeyPatch.context() as patch,
            empty_store(clock=metering.FixedClock(NOW)) as store,
        ):
            patch.setattr(sources, "_ROWS_AT_A_TIME", at_a_time)
            fill(store)
            receipt = store.credits.apply_many(source)
            receipts.append(
                (
                    counted(receipt),
                    receipt.transactions.drop_columns("credit_grant"),
                    receipt.rejections.drop_columns("row"),
                )
            )
            assert store.verify().ok

    assert receipts[1] == receipts[0]
    assert receipts[2] == receipts[0]


def alike_within_invoices(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by invoice, as they usually come."""
    made: list[dict[str, Any]] = []
    for _, group in groupby(
        sorted(rows, key=itemgetter("invoice")), itemgetter("invoice")
    ):
        first, *others = group
        same = {name: first[name] for name in ("customer", "period_end", "currency")}
        made += [
            {**row, **same, "line": f"il_{number}"}
            for number, row in enumerate([first, *others])
        ]
    return made


def fill(store: metering.Metering) -> None:
    for number in range(12):
        scope = {} if number % 3 else {"applicability_config": for_prices("p1")}
        expiry = {} if number % 4 else {"expires_at": NOW + DAY * (3 + number % 3)}
        grant(
            store,
            5 * number + 1,
            customer=f"cus_{1 + number % 2}",
            currency="eur" if number == 5 else "usd",
            priority=number % 3,
            effective_at=NOW + DAY * (number % 5 - 2),
            **scope,
            **expiry,
        )


def one_by_one(
    store: metering.Metering, rows: list[dict[str, Any]]
) -> tuple[list[tuple[str, str, str, str, int]], list[tuple[int, str, str]]]:
    drawn, refused = [], []
    for row, members in gathered(rows):
        invoice = members[0]["invoice"]
        lines: Any = [
            {"id": each["line"]} | {k: each[k] for k in ("amount", "currency", "price")}
            for each in members
        ]
        customer, period_end = members[0]["customer"], members[0]["period_end"]
        try:
            # An invoice has one customer and one period; only a table can say otherwise.
            store.credits.preview(
                invoice="unused", customer=customer, period_end=period_end, lines=lines
            )
            refuse_different(members)
            made = store.credits.apply(
                invoice=invoice, customer=customer, period_end=period_end, lines=lines
            )
        except metering.InvalidRequestError as error:
            refused.append((row, invoice, error.code))
        else:
            for each in made:
                assert each.debit is not None
                assert each.debit.credits_applied is not None
                line = each.debit.credits_applied.invoice_line_item
                value = each.debit.amount.monetary.value
                drawn.append((each.id, invoice, line, each.credit_grant, value))
    return drawn, refused


def gathered(rows: list[dict[str, Any]]) -> list[tuple[int, list[dict[str, Any]]]]:
    """The rows of each invoice in turn, and the number of the first.

    Where an invoice comes again with all its lines, it is there again.
    """
    stuttering = set()
    for invoice, stretch in groupby(rows, itemgetter("invoice")):
        lines = [row["line"] for row in stretch]
        if len(set(lines)) < len(lines):
            stuttering.add(invoice)
    rounds: dict[tuple[str, int], list[tuple[int, dict[str, Any]]]] = {}
    for invoice in {row["invoice"] for row in rows}:
        own = [(at, row) for at, row in enumerate(rows) if row["invoice"] == invoice]
        times = Counter(row["line"] for _, row in own)
        comes_whole = len(set(times.values())) == 1 and invoice not in stuttering
        seen: Counter[str] = Counter()
        for at, row in own:
            number = seen[row["line"]] if comes_whole else 0
            rounds.setdefault((invoice, number), []).append((at, row))
            seen[row["line"]] += 1
    made = [(own[0][0], [row for _, row in own]) for own in rounds.values()]
    return sorted(made, key=itemgetter(0))


def refuse_different(members: list[dict[str, Any]]) -> None:
    for name in ("customer", "period_end"):
        if len({each[name] for each in members}) > 1:
            raise metering.InvalidRequestError(name)
