"""Whatever is done to a subscription, its past stays, and its periods fill its time.

An oracle keeps what was said as a person would, and shares no code with the kernels. The
periods that it walks through are those of `tests.oracles.periods`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import metering
from projections.kernels.periods import Period
from projections.kernels.subscriptions.schedule import (
    current_period,
    periods_ended,
    priced_spans,
)
from projections.subscriptions.queries import SubscriptionQueries
from tests.empty_stores import empty_store
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import create_meter

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR = 366 * 86_400 * 10**6


@dataclass
class Said:
    """What was said of a subscription, as far as its status follows from it."""

    is_paused: bool = False
    trial_end: datetime | None = None
    ends_at: datetime | None = None

    def status(self, now: datetime) -> str:
        """Work out the status."""
        if self.ends_at is not None and self.ends_at <= now:
            return "canceled"
        if self.is_paused:
            return "paused"
        is_trialing = self.trial_end is not None and now < self.trial_end
        return "trialing" if is_trialing else "active"


@dataclass
class Life:
    """A subscription that is lived through."""

    m: metering.Metering
    clock: metering.FixedClock
    prices: Mapping[str, Sequence[metering.Price]]
    id: str
    said: Said

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def items(self) -> Sequence[metering.SubscriptionItem]:
        return self.m.subscriptions.retrieve(self.id).items.data

    def advance(self, number: int) -> None:
        self.clock.advance(number * DAY + timedelta(microseconds=number))

    def advance_to_an_end(self, number: int) -> None:
        end = self.items[number % len(self.items)].current_period_end
        self.clock.set(max(end, self.now))

    def swap(self, number: int, kind: str = "metered") -> None:
        price = self.prices[kind][number % len(self.prices[kind])]
        self.m.subscription_items.update(self._one(kind).id, price=price.id)

    def swap_interval(self, number: int) -> None:
        self.swap(number, "licensed")

    def quantity(self, number: int) -> None:
        self.m.subscription_items.update(self._one("licensed").id, quantity=number)

    def add(self, number: int) -> None:
        kind = "licensed" if number % 2 else "metered"
        price = self.prices[kind][number % len(self.prices[kind])]
        self.m.subscription_items.create(subscription=self.id, price=price.id)

    def remove(self, _: int) -> None:
        self.m.subscription_items.delete(self.items[0].id)

    def pause(self, _: int) -> None:
        self.m.subscriptions.pause(self.id)
        self.said.is_paused = True

    def resume(self, number: int) -> None:
        kept: Any = {"type": "unchanged" if number % 2 else "now"}
        self.m.subscriptions.resume(self.id, billing_cycle_anchor=kept)
        self.said.is_paused = False

    def reset(self, _: int) -> None:
        self.m.subscriptions.update(self.id, billing_cycle_anchor="now")
        self._trial_is_over()

    def trial(self, number: int) -> None:
        end = self.now + number * DAY + timedelta(hours=1)
        self.m.subscriptions.update(self.id, trial_end=end)
        self.said.trial_end = end.replace(microsecond=0)

    def end_trial(self, _: int) -> None:
        self.m.subscriptions.update(self.id, trial_end="now")
        self._trial_is_over()

    def cancel_at(self, number: int) -> None:
        end = self.now + number * DAY + timedelta(hours=1)
        self.m.subscriptions.update(self.id, cancel_at=end)

    def cancel_at_period_end(self, _: int) -> None:
        self.m.subscriptions.update(self.id, cancel_at_period_end=True)
        if self.said.is_paused:
            # No period runs, so it ends with the one that has.
            self.said.ends_at = self.now

    def keep(self, _: int) -> None:
        self.m.subscriptions.update(self.id, cancel_at=None)

    def cancel(self, _: int) -> None:
        self.m.subscriptions.cancel(self.id)
        self.said.ends_at = self.now

    def _one(self, kind: str) -> metering.SubscriptionItem:
        found = [
            each
            for each in self.items
            if (each.quantity is None) == (kind == "metered")
        ]
        return found[0] if found else self.items[0]

    def _trial_is_over(self) -> None:
        if self.said.trial_end is not None:
            self.said.trial_end = min(self.said.trial_end, self.now)

    def observe(self) -> None:
        """Take over when it ends of itself, which is worked out elsewhere."""
        shown = self.m.subscriptions.retrieve(self.id)
        if shown.ended_at is None:
            self.said.ends_at = shown.cancel_at

    def periods(self, until: int) -> dict[str, list[Period]]:
        """Read the periods of each item, those of ended ones among them."""
        with self.m._engine.log.read() as connection:  # noqa: SLF001  # what statements read
            found = SubscriptionQueries(connection).subscription(self.id)
        assert found is not None
        for item in found.items:
            now = (self.clock.now() - EPOCH) // timedelta(microseconds=1)
            period = current_period(found, item, now)
            for each, _ in periods_ended(found, item, 0, until):
                spans = priced_spans(item, each)
                assert (spans[0].start, spans[-1].end) == each
                assert all(one.end == two.start for one, two in pairwise(spans))
                # The present one is the next that ends, or the last.
                assert each.end <= period.start or each.start >= period.start
        return {
            each.item_id: [period for period, _ in periods_ended(found, each, 0, until)]
            for each in found.items
        }


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Life.advance,
                Life.advance_to_an_end,
                Life.swap,
                Life.swap_interval,
                Life.quantity,
                Life.add,
                Life.remove,
                Life.pause,
                Life.resume,
                Life.reset,
                Life.trial,
                Life.end_trial,
                Life.cancel_at,
                Life.cancel_at_period_end,
                Life.keep,
                Life.cancel,
            ]
        ),
        st.integers(0, 40),
    ),
    max_size=14,
)


@given(
    beginning=st.sampled_from(
        [
            {},
            {"trial_period_days": 10},
            {"backdate_start_date": START - 45 * DAY},
            {"billing_cycle_anchor": START + 9 * DAY},
            {"trial_period_days": 5, "billing_cycle_anchor": START + 20 * DAY},
        ]
    ),
    operations=OPERATIONS,
)
@example(
    beginning={"trial_period_days": 10},
    operations=[
        (Life.cancel_at_period_end, 0),
        (Life.pause, 0),
        (Life.advance, 40),
        (Life.resume, 1),
    ],
)
@example(
    beginning={"backdate_start_date": START - DAY},
    operations=[(Life.trial, 24), (Life.trial, 24)],
)
@example(
    beginning={"trial_period_days": 5},
    operations=[(Life.advance_to_an_end, 0), (Life.trial, 40), (Life.trial, 40)],
)
@example(
    beginning={},
    operations=[(Life.advance, 3), (Life.swap_interval, 2), (Life.swap_interval, 0)],
)
@example(
    beginning={"trial_period_days": 5},
    operations=[(Life.advance_to_an_end, 0), (Life.trial, 29), (Life.advance, 4)],
)
@example(
    beginning={},
    operations=[
        (Life.advance_to_an_end, 0),
        (Life.reset, 0),
        (Life.pause, 0),
        (Life.cancel, 0),
    ],
)
def test_the_past_stays_and_periods_fill_the_time(
    beginning: dict[str, Any], operations: list[tuple[Callable[[Life, int], None], int]]
) -> None:
    """What ended stays, neighbours touch but for pauses, and rebuilt tables are equal."""
    clock = metering.FixedClock(START)
    with empty_store(clock=clock) as m:
        life, now = _begun(m, clock, beginning), 0
        before: dict[str, list[Period]] = {}
        for do, number in operations:
            with suppress(metering.InvalidRequestError):
                do(life, number)
            life.observe()
            now = (clock.now() - EPOCH) // timedelta(microseconds=1)
            ended = life.periods(now)
            for item_id, known in before.items():
                assert ended[item_id][: len(known)] == known
            before = ended
            for found in life.periods(now + YEAR).values():
                assert all(one.start < one.end for one in found)
                assert all(one.end <= two.start for one, two in pairwise(found))
            assert m.subscriptions.retrieve(life.id).status == life.said.status(
                clock.now()
            )

        shown = m.subscriptions.retrieve(life.id)
        m.rebuild()

        assert m.subscriptions.retrieve(life.id) == shown
        assert m.verify().ok


def _begun(
    m: metering.Metering, clock: metering.FixedClock, beginning: dict[str, Any]
) -> Life:
    meter = create_meter(m)
    product = m.products.create(name="Tokens")
    prices: dict[str, list[metering.Price]] = {
        "metered": [
            create_price(
                m, product=product.id, recurring=metered(meter.id, interval=each)
            )
            for each in ("month", "month", "week")
        ],
        "licensed": [
            create_price(m, product=product.id, recurring={"interval": each})
            for each in ("month", "year", "day")
        ],
    }
    made = m.subscriptions.create(
        customer="cus_1",
        items=[{"price": each[0].id} for each in prices.values()],
        **beginning,
    )
    said = Said(trial_end=made.trial_end)
    return Life(m=m, clock=clock, prices=prices, id=made.id, said=said)
