"""Usage records agree with a naive oracle: in summaries, previews and billing runs.

Two items of one price, or of two, are recorded, replaced and cancelled through two
connections while days pass, which are their periods.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.empty_stores import empty_directory
from tests.metering.usage_records.usual_records import recorded_price
from tests.oracles.usage_records import Record, RecordsOracle
from tests.property.two_connections import TwoConnections

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86_400
AGGREGATES = ["sum", "max", "last_during_period", "last_ever"]

Deed = tuple[str, dict[str, Any]]


def does(name: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    return st.fixed_dictionaries(drawn).map(lambda given: (name, given))


DEEDS = st.one_of(
    does(
        "record",
        item=st.integers(0, 1),
        action=st.sampled_from(["increment", "increment", "set"]),
        quantity=st.integers(0, 9),
        # Few times, so that many records are of one second, or of one hour.
        ago=st.sampled_from([0, 0, 1, 3_600, 40_000, DAY]),
    ),
    does("cancel", number=st.integers(0, 20)),
    does("pass_time", seconds=st.sampled_from([0, 1, 3_600, 30_000, DAY, 2 * DAY])),
    does("seal"),
)


class RecordsSideBySide(TwoConnections):
    """The same records in a store and in the oracle."""

    def __init__(self, target: str, aggregates: tuple[str, str]) -> None:
        super().__init__(target, START)
        self.oracle, self.sent = RecordsOracle(), list[metering.UsageRecord]()
        self.aggregates, self.second = aggregates, 0
        m = self.connections[0]
        prices = {each: recorded_price(m, each, interval="day") for each in aggregates}
        self.subscriptions = [
            m.subscriptions.create(customer="cus_1", items=[{"price": prices[each].id}])
            for each in aggregates
        ]
        self.items = [each.items.data[0].id for each in self.subscriptions]

    def record(
        self, m: metering.Metering, item: int, action: Any, quantity: int, ago: int
    ) -> None:
        # Not before the period.
        second = max(self.second - self.second % DAY, self.second - ago)
        self.sent.append(
            m.subscription_items.create_usage_record(
                self.items[item],
                quantity=quantity,
                action=action,
                timestamp=START + timedelta(seconds=second),
            )
        )
        self.oracle.records.append(Record(item, action, quantity, second))

    def cancel(self, m: metering.Metering, number: int) -> None:
        if self.sent:
            at = number % len(self.sent)
            m.meter_event_adjustments.create(
                event_name=self.sent[at].event_name,
                type="cancel",
                cancel={"identifier": self.sent[at].id},
            )
            self.oracle.records[at].is_cancelled = True

    def pass_time(self, m: metering.Metering, seconds: int) -> None:
        self.second += seconds
        self.clock.advance(timedelta(seconds=seconds))

    def seal(self, m: metering.Metering) -> None:
        m.seal()

    def compare(self, m: metering.Metering) -> None:
        for number, item in enumerate(self.items):
            found = m.subscription_items.list_usage_record_summaries(item)
            assert [
                each.total_usage for each in found.auto_paging_iter()
            ] == self._wanted(number)

    def compare_statements(self, m: metering.Metering) -> None:
        """A run bills each period that has ended, as a preview of it would."""
        m.statements.run(period_end=self.clock.now())
        for number, subscription in enumerate(self.subscriptions):
            wanted = self._wanted(number)[1:]
            made = m.statements.list(subscription=subscription.id, limit=100)
            assert [each.lines[0].quantity for each in made] == wanted
            assert [each.lines[0].amount for each in made] == [10 * n for n in wanted]
            for each in list(made)[:2]:
                again = m.statements.preview(
                    subscription=subscription.id,
                    start_time=each.period_start,
                    end_time=each.period_end,
                )
                assert again.lines[0].quantity == each.lines[0].quantity
            found = m.subscription_items.list_usage_record_summaries(self.items[number])
            invoices = [each.invoice for each in found.auto_paging_iter()]
            assert invoices == [None, *(each.id for each in made)]

    def _wanted(self, number: int) -> list[int]:
        aggregate = self.aggregates[number]
        return [
            self.oracle.quantity(number, day * DAY, (day + 1) * DAY, aggregate)
            for day in range(self.second // DAY, -1, -1)
        ]


def records(*given: tuple[int, str, int, int]) -> list[tuple[int, Deed]]:
    names = ("item", "action", "quantity", "ago")
    return [
        (number % 2, ("record", dict(zip(names, each, strict=True))))
        for number, each in enumerate(given)
    ]


REPLACED = [
    (0, ("pass_time", {"seconds": 30_000})),
    *records(
        *[(item, "increment", 9, ago) for item in (0, 1) for ago in (0, 1)],
        *[(item, "set", 2, 1) for item in (0, 1)],
        *[(item, "increment", 1, 1) for item in (0, 1)],
        (0, "set", 7, 3_600),
    ),
    (1, ("seal", {})),
    (0, ("cancel", {"number": 8})),
    (0, ("pass_time", {"seconds": DAY})),
    *records((0, "increment", 1, 1)),
    (1, ("cancel", {"number": 9})),
    (0, ("pass_time", {"seconds": DAY})),
]
"""Sets between increments of a second, in a sum and a last; all of a day is cancelled."""


@pytest.mark.slow
@example(aggregates=("sum", "last_ever"), history=REPLACED)
@example(aggregates=("max", "last_during_period"), history=REPLACED)
@given(
    aggregates=st.tuples(st.sampled_from(AGGREGATES), st.sampled_from(AGGREGATES)),
    history=st.lists(st.tuples(st.integers(0, 1), DEEDS), max_size=14),
)
def test_usage_records_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
    aggregates: tuple[str, str],
    history: list[tuple[int, Deed]],
) -> None:
    """A second comes to its last set and what is added after; cancelled is never sent."""
    with store_targets() as target, RecordsSideBySide(target, aggregates) as both:
        for connection, (name, deed) in history:
            getattr(both, name)(both.connections[connection], **deed)

        both.compare(both.connections[1])
        both.compare_statements(both.connections[0])
        both.keep_up(1, "rebuild")
        both.compare(both.connections[1])
        assert both.connections[0].verify().problems == ()


def test_the_comparison_of_records_sees_the_smallest_disagreement() -> None:
    with (
        empty_directory() as target,
        RecordsSideBySide(target, ("sum", "last_ever")) as both,
    ):
        both.record(both.connections[0], 0, "increment", 3, 0)
        both.compare(both.connections[1])

        both.oracle.records[0].quantity += 1

        with pytest.raises(AssertionError):
            both.compare(both.connections[1])
