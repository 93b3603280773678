"""What do a hold, a check and a balance cost where an AI call waits for them?

A hold that is settled at once, durably, against two bare one-row inserts into a table
without any index, in the same database with the same durability: they neither find
credits nor draw any. The two take turns, so that both see the same disk. Then 64 callers
of one customer against one who makes as many pairs, on two stores of this project, also
in turns.

A check of usage by a subscription, among five million events and a thousand invoices of
the customer, against hours and grants that are added up by hand, and a balance after ten
thousand invoices against one after ten, and against a row of what is left, summed by
hand: the median is the p50.
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.credits.bare_rows import bare_rows
from bench.credits.billing_run import Grant
from bench.credits.check_rows import Answer, CheckRows
from bench.credits.credit_stores import Places, SqlitePlaces
from bench.measures import (
    Parameter,
    Size,
    digest,
    events_asked_for,
    measure,
    measure_in_turns,
    record,
)
from bench.report.targets import (
    BALANCE_GROWTH,
    CHECK,
    CHECK_ROWS,
    CREDIT_ROWS,
    FEW_INVOICES,
    ONE_THREAD,
    PROJECT,
    TWO_BARE_INSERTS,
    hold_callers_group,
    hold_pair_group,
)
from metering.cli.demo.traffic import END, START, customer_id

PAIRS: Final = Parameter(smoke=10, full=1_000)
WARMUP_PAIRS: Final = Parameter(smoke=2, full=100)
CALLERS: Final = 64
PAIRS_A_CALLER: Final = Parameter(smoke=1, full=10)
ROUNDS: Final = Parameter(smoke=1, full=5)
EVENTS: Final = Parameter(smoke=20_000, full=5_000_000)
INVOICES: Final = Parameter(smoke=20, full=1_000)
MANY_INVOICES: Final = Parameter(smoke=40, full=10_000)
QUESTIONS: Final = Parameter(smoke=5, full=1_000)
_CUSTOMER: Final = customer_id(3)
_GRANTS: Final = 5
_GRANTED: Final = 10**9
_UNIT_AMOUNT: Final = "0.001"
_HELD: Final = 800
_SETTLED: Final = 320
_NOW: Final = datetime(2026, 4, 1, tzinfo=UTC)


class Holding:
    """A store of this project whose one customer has credits for very many holds."""

    def __init__(self, engine: metering.Metering) -> None:
        self._engine = engine
        for _ in range(_GRANTS):
            _grant(engine, _CUSTOMER, 10**9)

    def pair(self, name: str) -> None:
        """Hold and settle; durable on return."""
        holds = self._engine.credit_holds
        holds.create(id=name, customer=_CUSTOMER, amount=_usd(_HELD))
        holds.settle(name, amount=_SETTLED)

    def pairs(self, names: Sequence[str]) -> None:
        """Hold and settle, one after the other."""
        for name in names:
            self.pair(name)

    def check(self, pairs: int) -> str:
        """Check what so many pairs left, and digest it."""
        summary = self._engine.credit_balance_summary.retrieve(customer=_CUSTOMER)
        [balance] = summary.balances
        left = balance.ledger_balance.monetary.value
        assert left == _GRANTS * 10**9 - pairs * _SETTLED
        assert balance.held_balance.monetary.value == 0
        return digest([left])


@pytest.mark.parametrize("name", [PROJECT, TWO_BARE_INSERTS])
def test_pair(
    benchmark: BenchmarkFixture, places: Places, size: Size, name: str
) -> None:
    """One pair at a time, each of its two steps durable before the next."""
    benchmark.group = hold_pair_group(places.name)
    warmup = WARMUP_PAIRS.at(size)
    names = [f"job_{number}" for number in range(PAIRS.at(size) + warmup)]
    with (
        metering.connect(places.store(), seal_events=None) as engine,
        bare_rows(places.name, places.store()) as rows,
    ):
        holding = Holding(engine)
        timed, other = holding.pair, rows.insert_two
        if name == TWO_BARE_INSERTS:
            timed, other = other, timed

        measure_in_turns(benchmark, timed, other, names, warmup)

        assert rows.count() == 2 * len(names)
        left = holding.check(len(names))
    record(benchmark, name, events=1, digest=left)


@pytest.mark.parametrize("name", [PROJECT, ONE_THREAD])
def test_callers(
    benchmark: BenchmarkFixture, places: Places, size: Size, name: str
) -> None:
    """As many pairs from 64 callers of one customer as from one."""
    benchmark.group = hold_callers_group(places.name)
    share, rounds = PAIRS_A_CALLER.at(size), ROUNDS.at(size) + 1
    work = [
        [f"job_{round_}_{number}" for number in range(share * CALLERS)]
        for round_ in range(rounds)
    ]
    with (
        metering.connect(places.store(), seal_events=None) as one,
        metering.connect(places.store(), seal_events=None) as another,
        ThreadPoolExecutor(CALLERS) as threads,
    ):
        shared, alone = Holding(one), Holding(another)

        def together(names: Sequence[str]) -> None:
            shares = [names[first::CALLERS] for first in range(CALLERS)]
            list(threads.map(shared.pairs, shares))

        timed, other = together, alone.pairs
        if name == ONE_THREAD:
            timed, other = other, timed

        measure_in_turns(benchmark, timed, other, work, 1)

        pairs = rounds * share * CALLERS
        left = shared.check(pairs)
        assert alone.check(pairs) == left
    record(benchmark, name, events=share * CALLERS, digest=left)


@pytest.mark.benchmark(group=CHECK)
@pytest.mark.parametrize("name", [PROJECT, CHECK_ROWS])
def test_check(
    benchmark: BenchmarkFixture,
    find_sealed_store: FindSealedStore,
    size: Size,
    name: str,
) -> None:
    """Ask whether one more second is covered."""
    store = find_sealed_store(events_asked_for(EVENTS, size))
    invoices = INVOICES.at(size)
    with ExitStack() as stack:
        # Beside the store, so that its files can be linked.
        parent = store.directory.parent
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
        copied = store.copied(directory / "usage")
        engine = stack.enter_context(
            metering.connect(
                copied.directory, seal_events=None, clock=metering.FixedClock(_NOW)
            )
        )
        meter = engine.meters.list().data[0]
        _subscribe(engine, meter.id)
        # From its start, so that usage and invoices of then draw it: the store was made
        # later than that.
        _grant(engine, _CUSTOMER, _GRANTED, effective_at=START)
        _invoice(engine, _CUSTOMER, invoices)
        rows = stack.enter_context(closing(CheckRows(directory / "rows.db")))
        rows.insert(
            _hours(engine, meter),
            (_CUSTOMER, meter.id, int(START.timestamp()), _UNIT_AMOUNT),
            (_CUSTOMER, _GRANTED - invoices, 0),
        )

        def ask_project() -> Answer:
            found = engine.check(customer=_CUSTOMER, meter=meter.id, quantity=1)
            left = found.remaining.credits.monetary.value
            return found.allowed, found.amount.monetary.value, left

        def ask_rows() -> Answer:
            month, now = f"{_NOW:%Y-%m}", int(_NOW.timestamp())
            return rows.check(_CUSTOMER, meter.id, 1, month, now)

        ask, other = ask_project, ask_rows
        if name == CHECK_ROWS:
            ask, other = other, ask
        questions = QUESTIONS.at(size)

        def setup() -> tuple[()]:
            # Each asks both, so that both see the same machine.
            other()
            return ()

        found = measure(benchmark, ask, setup=setup, rounds=questions, warmup_rounds=2)

        assert found[0]
        assert ask_project() == ask_rows()
    record(benchmark, name, events=1, digest=digest(found))


@pytest.mark.benchmark(group=BALANCE_GROWTH)
@pytest.mark.parametrize("name", [PROJECT, FEW_INVOICES, CREDIT_ROWS])
def test_balance(benchmark: BenchmarkFixture, size: Size, name: str) -> None:
    """Ask for the balance of a customer of few invoices, and of one of many."""
    counts = {FEW_INVOICES: 10, PROJECT: MANY_INVOICES.at(size)}
    expected = {each: _GRANTED - count for each, count in counts.items()}
    expected[CREDIT_ROWS] = expected[PROJECT]
    with ExitStack() as stack:
        places = SqlitePlaces(stack)
        engine = stack.enter_context(metering.connect(places.store(), seal_events=None))
        for customer, invoices in counts.items():
            _grant(engine, customer, _GRANTED)
            _invoice(engine, customer, invoices)
        rows = places.rows()
        rows.insert([_row_of_grant(CREDIT_ROWS, expected[CREDIT_ROWS])])

        def ask_project(customer: str) -> int:
            summary = engine.credit_balance_summary.retrieve(customer=customer)
            return summary.balances[0].available_balance.monetary.value

        def ask_rows(customer: str) -> int:
            [(_, _, available)] = rows.balance(customer)
            return available

        asked = dict.fromkeys(counts, ask_project) | {CREDIT_ROWS: ask_rows}
        others = [each for each in asked if each != name]

        def setup() -> tuple[str]:
            # Each asks for all, so that all see the same machine.
            for other in others:
                asked[other](other)
            return (name,)

        measure(benchmark, asked[name], setup=setup, rounds=QUESTIONS.at(size))

        left = {each: ask(each) for each, ask in asked.items()}
        assert left == expected
    record(benchmark, name, events=1, digest=digest(sorted(left.items())))


def _hours(
    engine: metering.Metering, meter: metering.Meter
) -> Iterator[tuple[str, str, int, int]]:
    """Yield the usage of every customer on a meter, by the hour, in thousandths."""
    table = engine.sql(
        f"""
        SELECT
            customer,
            CAST(epoch(date_trunc('hour', timestamp)) AS BIGINT) AS hour,
            CAST(1000 * sum(value) AS BIGINT) AS thousandths
        FROM events
        WHERE event_name = '{meter.event_name}'
        GROUP BY ALL
        ORDER BY ALL
        """  # noqa: S608  # the name is of this benchmark
    )
    for batch in table.to_batches():
        for customer, *rest in zip(*(each.to_pylist() for each in batch), strict=True):
            yield customer, meter.id, *rest


def _usd(value: int) -> metering.CreditAmountParams:
    return {"type": "monetary", "monetary": {"currency": "usd", "value": value}}


def _grant(
    engine: metering.Metering,
    customer: str,
    value: int,
    effective_at: datetime | None = None,
) -> None:
    engine.credit_grants.create(
        customer=customer,
        amount=_usd(value),
        effective_at=effective_at,
        applicability_config={"scope": {"price_type": "metered"}},
    )


def _row_of_grant(customer: str, amount: int) -> Grant:
    return Grant(
        number=0,
        customer=customer,
        currency="usd",
        amount=amount,
        prices=None,
        category="paid",
        priority=50,
        effective_at=START,
        expires_at=None,
    )


def _subscribe(engine: metering.Metering, meter_id: str) -> None:
    price = engine.prices.create(
        currency="usd",
        unit_amount_decimal=_UNIT_AMOUNT,
        product_data={"name": "Usage"},
        recurring={"interval": "month", "usage_type": "metered", "meter": meter_id},
    )
    assert START < END < _NOW
    engine.subscriptions.create(
        customer=_CUSTOMER,
        items=[{"price": price.id}],
        backdate_start_date=START,
    )


def _invoice(engine: metering.Metering, customer: str, count: int) -> None:
    """Settle invoices of one cent each."""
    table = pa.table(
        {
            "invoice": [f"in_{customer}_{number}" for number in range(count)],
            "customer": [customer] * count,
            "period_end": [engine.now()] * count,
            "line": ["il_1"] * count,
            "amount": [1] * count,
            "currency": ["usd"] * count,
            "price": ["price_1"] * count,
        }
    )
    assert engine.credits.apply_many(table).applied == count
