"""How fast does the usage of a month become amounts of money?

The usage of a hundred thousand customers on three meters, each with a price of its own,
one of them graduated, by `usage` and `rate`, as a billing run asks for it. It is beside
the least that has to be done: DuckDB, which adds up the same events by hand and rates
nothing, on a connection that stands. And it is beside what a backend writes that has no
call for all customers: a loop over some of them, `event_summaries` for each meter, and
the price worked out by hand, in exact fractions. They take turns, and the best counts.

Of the loop rates are compared, and the amounts of its customers.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    digest,
    events_asked_for,
    record,
)
from bench.report.targets import ADDED_UP, LOOP, PROJECT, RATING
from bench.stores.sealed_stores import SealedStore
from bench.stores.usage import usage_in_parts
from metering.cli.demo.traffic import END, EVENT_NAMES, START, Traffic, customer_id

EVENTS: Final = Parameter(smoke=100_000, full=10_000_000)
CUSTOMERS: Final = Parameter(smoke=20_000, full=100_000)
LOOPED_CUSTOMERS: Final = Parameter(smoke=50, full=1_000)
ROUNDS: Final = Parameter(smoke=1, full=7)
_SEED: Final = 20250201
_ADDED_UP: Final = """
SELECT event_name,
    customer,
    sum(value) AS value
FROM read_parquet($files)
GROUP BY ALL
"""

Amounts = dict[tuple[str, str], int]
"""What customers owe, in cents, by event name and customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A part of a quantity, up to a number, and what a unit of it costs in cents."""

    up_to: int | None
    unit_amount: str


CARD: Final = {
    "input_tokens": (
        Tier(up_to=10_000, unit_amount="0.05"),
        Tier(up_to=100_000, unit_amount="0.035"),
        Tier(up_to=None, unit_amount="0.0202"),
    ),
    "output_tokens": (Tier(up_to=None, unit_amount="0.15"),),
    "compute_seconds": (Tier(up_to=None, unit_amount="0.0333"),),
}
"""The tiers of the price of each meter; one that has a single tier is per unit."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and how long it took."""

    seconds: float
    found: pa.Table | Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """A store with prices, whose customers the loop rates, and what all owe."""

    engine: metering.Metering
    meters: dict[str, str]
    prices: list[str]
    segments: Path
    looped: list[str]
    traffic: Traffic
    expected: Amounts

    def rated(self) -> pa.Table:
        """Rate everybody's usage."""
        usage = self.engine.usage(start_time=START, end_time=END, window=None)
        return self.engine.rate(usage=usage, prices=self.prices)

    def added_up(self, connection: duckdb.DuckDBPyConnection) -> pa.Table:
        """Add up everybody's events by hand, and rate nothing."""
        files = {"files": str(self.segments / "*.parquet")}
        return connection.sql(_ADDED_UP, params=files).to_arrow_table()

    def looped_over(self) -> Amounts:
        """Rate the usage of some customers in a loop."""
        return {
            (event_name, customer): _cost(
                Fraction(
                    self.engine.meters.event_summaries(
                        self.meters[event_name],
                        customer=customer,
                        start_time=START,
                        end_time=END,
                    )[0].aggregated_value
                ),
                event_name,
            )
            for customer in self.looped
            for event_name in CARD
        }

    def of_looped(self, amounts: Amounts) -> str:
        """Check amounts of everybody or of the looped, and digest those of the latter."""
        chosen = {
            (name, customer): amounts.get((name, customer), 0)
            for customer in self.looped
            for name in CARD
        }
        for key, amount in amounts.items():
            assert amount == self.expected.get(key, 0), key
        return digest(sorted((*key, amount) for key, amount in chosen.items()))


@pytest.fixture(scope="module")
def billed(find_sealed_store: FindSealedStore, size: Size) -> Iterator[Billed]:
    """What every contestant is asked about."""
    customers = CUSTOMERS.at(size)
    store = find_sealed_store(events_asked_for(EVENTS, size), customers)
    random = np.random.default_rng(_SEED)
    looped = random.choice(customers, LOOPED_CUSTOMERS.at(size), replace=False)
    with store.connect() as engine:
        meters = {meter.event_name: meter.id for meter in engine.meters.list()}
        yield Billed(
            engine=engine,
            meters=meters,
            prices=_prices(engine, meters),
            segments=store.segments,
            looped=list(map(customer_id, looped.tolist())),
            traffic=store.traffic,
            expected=_expected(store),
        )


@pytest.fixture(scope="module")
def race(billed: Billed, size: Size) -> Iterator[Race[Answered]]:
    """The contestants, in this process and in turns."""
    with duckdb.connect() as connection:
        contestants: dict[str, Callable[[], pa.Table | Amounts]] = {
            PROJECT: billed.rated,
            ADDED_UP: partial(billed.added_up, connection),
            LOOP: billed.looped_over,
        }
        yield Race(
            {name: partial(_timed, each) for name, each in contestants.items()},
            ROUNDS.at(size),
            attrgetter("seconds"),
            warmup_rounds=1,
        )


@pytest.mark.benchmark(group=RATING, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, ADDED_UP, LOOP])
def test_usage_becomes_money(
    benchmark: BenchmarkFixture,
    billed: Billed,
    race: Race[Answered],
    size: Size,
    name: str,
) -> None:
    """Rate the usage of a month."""
    best, *_ = race.report(benchmark, name)

    found = best.found
    if name == ADDED_UP:
        assert isinstance(found, pa.Table)
        found = {
            (row["event_name"], row["customer"]): _cost(
                Fraction(row["value"]), row["event_name"]
            )
            for row in found.to_pylist()
        }
    elif isinstance(found, pa.Table):
        keys = (found.column(each).to_pylist() for each in ("event_name", "customer"))
        amounts = found.column("amount").to_pylist()
        found = dict(zip(zip(*keys, strict=True), amounts, strict=True))
    is_looped = name == LOOP
    assert is_looped or len(found) == len(billed.expected)
    record(
        benchmark,
        name,
        events=len(billed.looped) if is_looped else CUSTOMERS.at(size),
        digest=billed.of_looped(found),
        seconds=best.seconds,
        stored_events=billed.traffic.events,
    )


def _timed(ask: Callable[[], pa.Table | Amounts]) -> Answered:
    started = time.perf_counter()
    found = ask()
    return Answered(time.perf_counter() - started, found)


def _prices(engine: metering.Metering, meters: dict[str, str]) -> list[str]:
    """Find or create the prices; a store is kept for other runs."""
    keys = {name: f"bench_{name}" for name in CARD}
    found = {
        price.lookup_key: price.id
        for price in engine.prices.list(lookup_keys=list(keys.values()))
    }
    return [
        found.get(key) or _price(engine, meters[name], name, key)
        for name, key in keys.items()
    ]


def _price(engine: metering.Metering, meter: str, name: str, key: str) -> str:
    tiers = CARD[name]
    recurring: metering.RecurringParams = {
        "interval": "month",
        "usage_type": "metered",
        "meter": meter,
    }
    if len(tiers) == 1:
        return engine.prices.create(
            currency="usd",
            product_data={"name": name},
            unit_amount_decimal=tiers[0].unit_amount,
            recurring=recurring,
            lookup_key=key,
        ).id
    return engine.prices.create(
        currency="usd",
        product_data={"name": name},
        billing_scheme="tiered",
        tiers_mode="graduated",
        tiers=[
            {
                "up_to": "inf" if each.up_to is None else each.up_to,
                "unit_amount_decimal": Decimal(each.unit_amount),
            }
            for each in tiers
        ],
        recurring=recurring,
        lookup_key=key,
    ).id


def _cost(quantity: Fraction, event_name: str) -> int:
    """Work out what a quantity costs in whole cents, a half of one rounded up."""
    cost, reached = Fraction(0), Fraction(0)
    for tier in CARD[event_name]:
        end = quantity if tier.up_to is None else min(quantity, Fraction(tier.up_to))
        cost += (end - reached) * Fraction(tier.unit_amount)
        reached = end
    return int(cost + Fraction(1, 2))


def _expected(store: SealedStore) -> Amounts:
    """Compute what all owe, from the numbers of the traffic and not from a store."""
    customers = store.traffic.customers
    cells = len(EVENT_NAMES) * customers
    thousandths, counts = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    for part in usage_in_parts(store.traffic):
        cell = part.meter * customers + part.customer
        # Sums of a million integers of this size are exact as floats.
        thousandths += np.bincount(cell, part.thousandths, cells).astype(np.int64)
        counts += np.bincount(cell, minlength=cells)
    return {
        (EVENT_NAMES[meter], store.traffic.customer_of(customer)): _cost(
            Fraction(int(thousandths[cell]), 1_000), EVENT_NAMES[meter]
        )
        for cell in np.flatnonzero(counts).tolist()
        for meter, customer in [divmod(cell, customers)]
    }
