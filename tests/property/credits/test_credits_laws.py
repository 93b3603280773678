"""Laws of prepaid credits that hold whatever the numbers: no oracle is asked.

Each relates two runs of the same engine (metamorphic testing, Chen et al., HKUST-CS98-01)
and names where the law is from.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import ne
from typing import Any

import pyarrow as pa
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

import metering
from tests.oracles.credits import Invoice, Line, NewGrant
from tests.property.credits.answers import RUN, run_of
from tests.property.credits.runs import (
    Drawn,
    Run,
    granted,
    long_run,
    repetitive_runs,
    runs,
)
from tests.property.credits.strategies import CUSTOMERS, HOUR, START, changed

DOCUMENTED = "https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits"

CUTS = st.lists(st.integers(1, 4), min_size=1, max_size=3)
SEEDS = st.integers(0, 2**32)


def pieces(invoices: Sequence[Invoice], cuts: Sequence[int]) -> Iterator[list[Invoice]]:
    rest, turn = list(invoices), 0
    while rest:
        size = cuts[turn % len(cuts)]
        yield rest[:size]
        rest, turn = rest[size:], turn + 1


def by_grant(drawn: Sequence[Drawn]) -> Counter[tuple[str, int]]:
    """How much each invoice drew of each grant."""
    sums: Counter[tuple[str, int]] = Counter()
    for invoice, _, grant, amount in drawn:
        sums[invoice, grant] += amount
    return sums


A_GRANT = NewGrant(customer=CUSTOMERS[0], currency="usd", amount=10)
AN_INVOICE = Invoice(
    id="in_0",
    customer=CUSTOMERS[0],
    period_end=START,
    lines=(Line(id="il_0", amount=3, currency="usd"),),
)
AGAIN_AND_APART = Run(
    grants=(A_GRANT,),
    later=HOUR,
    invoices=(AN_INVOICE, replace(AN_INVOICE, id="in_1"), AN_INVOICE),
)


@example(AGAIN_AND_APART, [3])
@given(repetitive_runs(), CUTS)
def test_a_billing_run_equals_its_invoices_applied_one_by_one(
    run: Run, cuts: list[int]
) -> None:
    """Settling at once, cut anywhere, equals settling in the given order.

    Refusals and repeats included. Source: Gray et al., Data Cube, 1997: distributive
    aggregates; the order is that of the documentation of billing credits.
    """
    with granted(run) as bulk, granted(run) as single:
        drawn: list[Drawn] = []
        outcomes: Counter[str] = Counter()
        for invoices in pieces(run.invoices, cuts):
            receipt = bulk.store.credits.apply_many(run_of(invoices))
            drawn += bulk.drawn_in(receipt)
            outcomes["accepted"] += receipt.applied + receipt.repeated
            codes = receipt.rejections["code"].to_pylist()
            outcomes.update(codes)

        expected: list[Drawn] = []
        singly: Counter[str] = Counter({"accepted": 0})
        for invoice in run.invoices:
            try:
                expected += single.apply(invoice)
            except metering.MeteringError as error:
                singly[error.code] += 1
            else:
                singly["accepted"] += 1
        for outcome in outcomes:
            event(outcome)

        assert drawn == expected
        assert outcomes == singly
        assert bulk.history() == single.history()
        assert bulk.balances() == single.balances()
        assert bulk.store.position == single.store.position


FAULTS: dict[str, list[object]] = {
    "invoice": ["", None, "i" * 256, "a\0"],
    "customer": ["", None, "c" * 501, "other", "a\0"],
    "period_end": [None, START + HOUR],
    "line": ["", None, "il_0", "l" * 256, "a\0"],
    "amount": [-1, None, 10**12, 2**63 - 1, -(2**63)],
    "currency": ["", None, "USD", "eur", "zzz", "xau", "us", "$", "usd "],
    "price": ["", None, "p" * 256, "a\0"],
}


@given(st.data(), runs())
def test_a_billing_run_rejects_what_applying_refuses_for_the_same_reason(
    data: st.DataObject, run: Run
) -> None:
    """One rule decides, however an invoice comes; and none fails the others."""
    table = run_of(run.invoices).to_pylist()
    for row in data.draw(st.lists(st.sampled_from(table or [{}]), max_size=3)):
        name = data.draw(st.sampled_from(sorted(FAULTS)))
        if row and (name != "invoice" or row["line"] == "il_0"):
            row[name] = data.draw(st.sampled_from(FAULTS[name]))
    named = [name for name, _ in groupby(row["invoice"] for row in table) if name]
    assume(len(set(named)) == len(named))
    invoices: list[list[dict[str, Any]]] = []
    for row in table:
        if not invoices or (invoices[-1][0]["invoice"] or "") != (row["invoice"] or ""):
            invoices.append([])
        invoices[-1].append(row)

    with granted(run) as bulk, granted(run) as single:
        receipt = bulk.store.credits.apply_many(pa.Table.from_pylist(table, RUN))

        refused, start = [], 0
        for rows in invoices:
            error = _refusal(single.store, rows)
            if error is not None:
                refused.append((start, error.code))
                event(error.code)
            start += len(rows)
        found = receipt.rejections.to_pylist()
        assert [(each["row"], each["code"]) for each in found] == refused
        assert receipt.applied + receipt.repeated == len(invoices) - len(refused)
        assert bulk.history() == single.history()


def _refusal(
    store: metering.Metering, rows: list[dict[str, Any]]
) -> metering.MeteringError | None:
    first = rows[0]
    invoice: dict[str, Any] = {
        "invoice": first["invoice"],
        "customer": first["customer"],
        "period_end": first["period_end"],
        "lines": [
            {"id": row["line"]}
            | {name: row[name] for name in ("amount", "currency", "price")}
            for row in rows
        ],
    }
    try:
        store.credits.preview(**invoice)
        for name in ("customer", "period_end"):
            if any(row[name] != first[name] for row in rows):
                return metering.InvalidRequestError(f"Rows differ in {name}")
        store.credits.apply(**invoice)
    except metering.MeteringError as error:
        return error
    return None


@given(repetitive_runs())
def test_a_billing_run_that_is_repeated_changes_nothing(run: Run) -> None:
    """Delivery at least once has the effect of delivery exactly once.

    Source: Helland, Idempotence Is Not a Medical Condition, ACM Queue 2012.
    """
    with granted(run) as settled:
        first = settled.store.credits.apply_many(run_of(run.invoices))
        before = settled.history(), settled.balances(), settled.store.position

        again = settled.store.credits.apply_many(run_of(run.invoices))

        assert (again.applied, again.repeated) == (0, first.applied + first.repeated)
        assert again.transactions == first.transactions
        assert again.rejections == first.rejections
        assert (settled.history(), settled.balances(), settled.store.position) == before


@given(runs(), st.integers(0, 9))
def test_a_line_cut_in_two_draws_as_the_whole(run: Run, at: int) -> None:
    """Two neighbouring lines of one price draw what one of their sum does.

    Source: lines are drawn down in their order, documentation of billing credits.
    """
    cut = [
        replace(
            invoice,
            lines=tuple(
                replace(line, id=f"{line.id}{part}", amount=amount)
                for line in invoice.lines
                for part, amount in (
                    ("a", min(at, line.amount)),
                    ("b", line.amount - min(at, line.amount)),
                )
            ),
        )
        for invoice in run.invoices
    ]

    with granted(run) as whole, granted(run) as parts:
        assert by_grant(whole.apply_many(run.invoices)) == by_grant(
            parts.apply_many(cut)
        )


@given(SEEDS, st.integers(2, 10**9))
def test_amounts_in_a_smaller_unit_draw_in_the_same_proportion(
    seed: int, factor: int
) -> None:
    """Nothing is rounded: a unit is as good as any other.

    Source: money is a whole number of minor units, ISO 4217.
    """
    run = long_run(seed)
    scaled = replace(
        run,
        grants=tuple(replace(g, amount=g.amount * factor) for g in run.grants),
        invoices=tuple(
            replace(
                invoice,
                lines=tuple(
                    replace(line, amount=line.amount * factor) for line in invoice.lines
                ),
            )
            for invoice in run.invoices
        ),
    )

    with granted(run) as given, granted(scaled) as other:
        drawn = given.apply_many(run.invoices)

        assert other.apply_many(scaled.invoices) == [
            (invoice, line, grant, amount * factor)
            for invoice, line, grant, amount in drawn
        ]


@given(runs(), st.randoms(use_true_random=False))
def test_reinstating_every_invoice_in_any_order_gives_everything_back(
    run: Run, random: Any
) -> None:
    """Applying and then reinstating is the identity of balances, now and in future.

    Source: a voided invoice returns its credits, documentation of billing credits.
    """
    with granted(run) as settled:
        before = settled.balances()
        settled.apply_many(run.invoices)
        names = [invoice.id for invoice in run.invoices]
        random.shuffle(names)

        for name in names[::2]:
            settled.store.credits.reinstate(invoice=name)
        receipt = settled.store.credits.reinstate_many(names)

        assert receipt.repeated == len(names[::2])
        assert receipt.reinstated == len(names) - len(names[::2])
        assert settled.balances() == before
        assert settled.store.verify().problems == ()


@given(runs(), st.integers(0, 9))
def test_the_last_invoice_replaced_is_as_if_it_had_come_so(
    run: Run, amount: int
) -> None:
    """Given back and drawn again, it takes what it had taken and nothing else.

    Source: a voided invoice returns its credits, documentation of billing credits.
    """
    assume(run.invoices)
    *others, last = run.invoices
    first, *more = last.lines
    wrong = replace(last, lines=(replace(first, amount=amount), *more))

    with granted(run) as corrected, granted(run) as right:
        corrected.apply_many([*others, wrong])
        drawn = corrected.replace(last)
        balances = corrected.balances()
        position = corrected.store.position

        assert drawn == [d for d in right.apply_many(run.invoices) if d[0] == last.id]
        assert balances == right.balances()
        assert corrected.replace(last) == drawn
        corrected.replace(wrong)
        assert corrected.replace(last) == drawn
        assert corrected.balances() == balances
        added = 0 if last == wrong else 4
        assert corrected.store.position == position + added
        assert corrected.store.verify().problems == ()


@given(runs(), st.data())
def test_a_run_that_replaces_equals_its_invoices_replaced_one_by_one(
    run: Run, data: st.DataObject
) -> None:
    """Settling anew at once, cut anywhere, equals settling anew in the given order.

    Source: Gray et al., Data Cube, 1997: distributive aggregates.
    """
    changes = st.sampled_from([None, "amount", "price", "line", "order", "customer"])
    sent = [
        each if change is None else changed(each, change)
        for each in run.invoices
        for change in [data.draw(changes)]
    ]
    cuts = data.draw(CUTS)
    with granted(run) as bulk, granted(run) as single:
        bulk.apply_many(run.invoices)
        single.apply_many(run.invoices)

        drawn: list[Drawn] = []
        for invoices in pieces(sent, cuts):
            receipt = bulk.store.credits.apply_many(run_of(invoices), replace=True)
            drawn += bulk.drawn_in(receipt)
            event(f"{receipt.replaced} replaced")

        expected: list[Drawn] = []
        for invoice in sent:
            try:
                expected += single.replace(invoice)
            except metering.InvoiceConflictError:
                event("refused")
        assert drawn == expected
        assert bulk.balances() == single.balances()
        assert sorted(bulk.history(), key=repr) == sorted(single.history(), key=repr)
        assert bulk.store.position == single.store.position


def test_long_runs_have_customers_with_many_grants_and_many_changes_of_price() -> None:
    """The search above is no idle one."""
    grants, changes = 0, 0
    for seed in range(10):
        run = long_run(seed)
        with granted(run) as settled:
            drawn = settled.apply_many(run.invoices)
        grants = max(grants, len({grant for *_, grant, _ in drawn}))
        for customer in CUSTOMERS:
            own = [each for each in run.invoices if each.customer == customer]
            prices = [line.price for each in own for line in each.lines]
            changes = max(changes, sum(map(ne, prices[1:], prices)))

    assert grants > 8
    # Accounts of more than 64 are settled in another way.
    assert changes > 64
