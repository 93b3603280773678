"""A real store and a naive oracle of entitlements live through the same history.

Features are attached and detached, subscriptions created, changed, paused, resumed and
cancelled, and the clock moves on, also over the ends of periods and trials. After each
step everybody's entitlements are compared. In the end so is what was told, which must not
depend on when somebody looked.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.entitlements.usual_features import feature
from tests.metering.usual_prices import create_price, create_product
from tests.oracles.entitlements import EntitlementsOracle
from tests.property.two_connections import TwoConnections

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
CUSTOMERS = ("cus_1", "cus_2")
UPDATED = "entitlements.active_entitlement_summary.updated"


class Lives(TwoConnections):
    """Two customers, their subscriptions, and who watches them."""

    def __init__(self, target: str, *, at_once: bool) -> None:
        super().__init__(target, START, entitle_at_once=at_once)
        self.m, self.other = self.connections
        products = [create_product(self.m).id for _ in range(2)]
        self.oracle = EntitlementsOracle(
            at_once, {each: [(BEGINNING, frozenset())] for each in products}
        )
        self.features = [feature(self.m, key).id for key in ("sso", "audit", "seats")]
        self.prices = [
            create_price(self.m, product=product, recurring={"interval": interval})
            for interval in ("month", "week")
            for product in products
        ]
        self.subscriptions: list[str] = []

    def attach(self, number: int) -> None:
        product = self.prices[number % len(self.prices)].product
        made = self.features[number % len(self.features)]
        hung = self.oracle.now_hung(product)
        self.m.entitlements.product_features.create(product, entitlement_feature=made)
        self.oracle.changed(self.clock.now(), product, hung | {made})

    def detach(self, number: int) -> None:
        product = self.prices[number % len(self.prices)].product
        for each in self.m.entitlements.product_features.list(product).data[:1]:
            self.m.entitlements.product_features.delete(product, each.id)
            gone = {each.entitlement_feature.id}
            hung = self.oracle.now_hung(product) - gone
            self.oracle.changed(self.clock.now(), product, hung)

    def subscribe(self, number: int) -> None:
        beginnings: list[dict[str, Any]] = [
            {},
            {"trial_period_days": 10},
            {"backdate_start_date": self.clock.now() - 45 * DAY},
            {"billing_cycle_anchor": self.clock.now() + 5 * DAY},
        ]
        price = self.prices[number % len(self.prices)]
        made = self.m.subscriptions.create(
            customer=CUSTOMERS[number % 2],
            items=[{"price": price.id}],
            **beginnings[number // 2 % len(beginnings)],
        )
        self.subscriptions.append(made.id)

    def swap(self, number: int) -> None:
        item = self._one(number).items.data[-1]
        price = self.prices[number // 2 % len(self.prices)]
        self.m.subscription_items.update(item.id, price=price.id)

    def count(self, number: int) -> None:
        item = self._one(number).items.data[0]
        self.m.subscription_items.update(item.id, quantity=number)

    def add(self, number: int) -> None:
        price = self.prices[number // 2 % len(self.prices)]
        self.m.subscription_items.create(
            subscription=self._one(number).id, price=price.id
        )

    def remove(self, number: int) -> None:
        self.m.subscription_items.delete(self._one(number).items.data[0].id)

    def pause(self, number: int) -> None:
        self.m.subscriptions.pause(self._one(number).id)

    def resume(self, number: int) -> None:
        kept: Any = {"type": "unchanged" if number % 2 else "now"}
        one = self._one(number).id
        self.m.subscriptions.resume(one, billing_cycle_anchor=kept)

    def reset(self, number: int) -> None:
        one = self._one(number).id
        self.m.subscriptions.update(one, billing_cycle_anchor="now")

    def end_trial(self, number: int) -> None:
        self.m.subscriptions.update(self._one(number).id, trial_end="now")

    def cancel(self, number: int) -> None:
        one = self._one(number).id
        if number % 2:
            self.m.subscriptions.cancel(one)
        else:
            self.m.subscriptions.update(one, cancel_at_period_end=True)

    def notice(self, number: int) -> None:
        (self.m if number % 2 else self.other).deliver()

    def pass_days(self, number: int) -> None:
        end = self.clock.now() + number * DAY
        before = self.compare()
        while (now := self.clock.now()) < end:
            self.clock.set(min([end, *self._edges()]))
            after = self.compare()
            for each, answer in before.items():
                # It says until when it holds, and is another then.
                assert answer.until is None or answer.until > now
                holds = answer.until is None or self.clock.now() < answer.until
                assert holds == (after[each].entitled == answer.entitled)
            before = after

    def compare(self) -> dict[tuple[str, str], metering.EntitlementCheck]:
        """Check that everybody has what the oracle says, and return all answers."""
        answers = {}
        found = list(self.m.subscriptions.list(status="all", limit=100))
        self.oracle.look(found)
        for customer in CUSTOMERS:
            has = self.m.entitlements.active_entitlements.list(customer)
            expected = self.oracle.has.get(customer, set())
            assert {each.feature for each in has} == expected
            for each in self.features:
                answer = self.other.entitlements.check(customer=customer, feature=each)
                assert answer.entitled == (each in expected)
                answers[customer, each] = answer
        return answers

    def told(self) -> dict[str, list[set[str]]]:
        """Read what each customer had, each time that an event told of it."""
        found: dict[str, list[set[str]]] = {}
        events = list(self.m.events.list(type=UPDATED, limit=100).auto_paging_iter())
        for event in reversed(events):
            summary = event.data.object
            assert isinstance(summary, metering.ActiveEntitlementSummary)
            has = {each.feature for each in summary.entitlements.data}
            found.setdefault(summary.customer, []).append(has)
        return found

    def _one(self, number: int) -> metering.Subscription:
        if not self.subscriptions:
            self.subscribe(number)
        which = self.subscriptions[number % len(self.subscriptions)]
        return self.m.subscriptions.retrieve(which)

    def _edges(self) -> Iterator[datetime]:
        """Yield when periods and subscriptions end next."""
        now = self.clock.now()
        for each in self.m.subscriptions.list(status="all", limit=100):
            ends = [each.cancel_at, each.trial_end]
            ends += [item.current_period_end for item in each.items.data]
            yield from (end for end in ends if end is not None and end > now)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Lives.attach,
                Lives.attach,
                Lives.detach,
                Lives.subscribe,
                Lives.subscribe,
                Lives.swap,
                Lives.count,
                Lives.add,
                Lives.remove,
                Lives.pause,
                Lives.resume,
                Lives.reset,
                Lives.end_trial,
                Lives.cancel,
                Lives.notice,
                Lives.pass_days,
                Lives.pass_days,
            ]
        ),
        st.integers(0, 40),
    ),
    min_size=6,
    max_size=16,
)


@given(at_once=st.booleans(), steps=STEPS)
@example(
    at_once=False,
    steps=[
        (Lives.subscribe, 0),
        (Lives.pass_days, 3),
        (Lives.attach, 0),
        (Lives.pass_days, 40),
        (Lives.attach, 4),
        (Lives.subscribe, 4),
        (Lives.detach, 0),
        (Lives.swap, 4),
        (Lives.pass_days, 9),
        (Lives.pause, 0),
        (Lives.notice, 1),
        (Lives.resume, 1),
        (Lives.pass_days, 40),
    ],
)
@example(
    at_once=True,
    steps=[
        (Lives.subscribe, 2),
        (Lives.attach, 0),
        (Lives.add, 2),
        (Lives.pass_days, 12),
        (Lives.swap, 2),
        (Lives.pass_days, 1),
        (Lives.detach, 0),
        (Lives.cancel, 0),
        (Lives.pass_days, 40),
    ],
)
def test_entitlements_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
    at_once: bool,  # noqa: FBT001  # Hypothesis passes it by name
    steps: list[tuple[Callable[[Lives, int], None], int]],
) -> None:
    """At each instant they are what subscriptions say, and each change is told once."""
    with store_targets() as target, Lives(target, at_once=at_once) as life:
        for do, number in steps:
            # Of what happens at one instant, nothing says what came first.
            life.clock.advance(timedelta(milliseconds=1))
            with suppress(metering.InvalidRequestError):
                do(life, number)
            life.compare()

        life.m.deliver()
        told = life.told()
        life.m.rebuild()

        assert told == life.oracle.told
        assert life.told() == told
        life.compare()
        assert life.m.verify().ok
