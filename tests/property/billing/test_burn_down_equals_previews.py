"""What unbilled usage leaves of credits is what previews of its periods, one after the other, say.

A store lives through usage, grants, holds, billing runs and statements that are made void,
while time passes. After each step the lines that previews have are drawn by a naive walk
over grants. What a check allows, `spend` records, and no credits lack; what it refuses
leaves usage uncovered, recorded all the same.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import metering
from tests.empty_stores import empty_store
from tests.metering.refusals import refused
from tests.metering.spending.usual_spending import JANUARY, burned, spend, use
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import METERED, for_prices, grant, money
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import create_meter

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TIERS: Any = [{"up_to": 5, "unit_amount": 3}, {"up_to": "inf", "unit_amount": 1}]

Deed = tuple[str, tuple[Any, ...]]


def does(method: str, *drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """A call of a method with arguments that are drawn."""
    return st.tuples(st.just(method), st.tuples(*drawn))


QUANTITIES = st.integers(1, 9)
METERS = st.sampled_from(["tokens", "calls"])
DEEDS = st.one_of(
    does("use", METERS, QUANTITIES, st.integers(0, 20)),
    does("spend", METERS, QUANTITIES),
    does("spend", METERS, QUANTITIES),
    does("hold_usage", METERS, QUANTITIES),
    does("pass_time", st.integers(1, 6)),
    does(
        "grant",
        st.integers(5, 40),
        st.sampled_from([50, 50, 10]),
        st.sampled_from([None, None, 12]),
        st.sampled_from([None, None, 0, 1]),
    ),
    does("hold", st.integers(1, 12)),
    does("run"),
    does("void"),
)


@dataclass
class Granted:
    """A grant as the walk knows it."""

    left: int
    priority: int
    expires_at: datetime | None
    price: str | None

    @property
    def order(self) -> tuple[int, float]:
        ends = self.expires_at
        return self.priority, float("inf") if ends is None else ends.timestamp()


@dataclass
class Life:
    """A store, and what the walk over grants has to know of it."""

    m: metering.Metering
    clock: metering.FixedClock
    now: datetime = JANUARY
    grants: dict[str, Granted] = field(default_factory=dict)
    stated: dict[tuple[str, datetime], str] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        """Subscribe to tokens by the week in tiers, and to calls every two weeks."""
        tokens, calls = create_meter(self.m), create_meter(self.m, "calls")
        weekly = create_price(
            self.m, recurring=metered(tokens.id, interval="week"), tiers=TIERS
        )
        every = metered(calls.id, interval="week", interval_count=2)
        other = create_price(self.m, recurring=every, unit_amount=2)
        self.subscribed = [
            (subscribe(self.m, price).id, price.id, length * DAY)
            for price, length in ((weekly, 7), (other, 14))
        ]

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count}"

    # Deeds.

    def use(self, meter: str, quantity: int, days_ago: int) -> None:
        at = max(JANUARY, self.now - days_ago * DAY)
        use(self.m, quantity, meter, timestamp=at)

    def spend(self, meter: str, quantity: int) -> None:
        found = self.m.check(customer="cus_1", meter=meter, quantity=quantity)
        _, unbilled, uncovered = self.burned()
        if found.allowed:
            spend(self.m, quantity, self.name("e"), meter=meter)
            grown = found.amount.monetary.value
            assert self.burned()[1:] == (unbilled + grown, uncovered)
        else:
            with refused(found.reason, "quantity"):
                spend(self.m, quantity, self.name("e"), meter=meter)
            assert self.burned()[1:] == (unbilled, uncovered)
            use(self.m, quantity, meter)
            assert self.burned()[2] > uncovered

    def pass_time(self, days: int = 0) -> None:
        self.now += days * DAY + SECOND
        self.clock.set(self.now)

    def grant(
        self, amount: int, priority: int, lasts: int | None, of: int | None
    ) -> None:
        ends = None if lasts is None else self.now + lasts * DAY
        price = None if of is None else self.subscribed[of][1]
        made = grant(
            self.m,
            amount,
            priority=priority,
            expires_at=ends,
            applicability_config=METERED if price is None else for_prices(price),
        )
        self.grants[made.id] = Granted(amount, priority, ends, price)

    def hold(self, amount: int) -> None:
        made = self.m.credit_holds.create(
            id=self.name("job"),
            customer="cus_1",
            amount=money(amount),
            partial=True,
            expires_at=self.now + 30 * DAY,
        )
        self.take(made)

    def hold_usage(self, meter: str, quantity: int) -> None:
        usage: Any = {"customer": "cus_1", "meter": meter, "quantity": quantity}
        found = self.m.check(**usage)
        before = self.burned()
        name, ends = self.name("job"), self.now + 30 * DAY
        if not found.allowed:
            with refused(found.reason, "quantity"):
                self.m.credit_holds.create(id=name, **usage, expires_at=ends)
            return
        made = self.m.credit_holds.create(id=name, **usage, expires_at=ends)
        self.take(made)
        assert made.amount == made.amount_held == found.amount
        free, *unbilled = self.burned()
        assert free == before[0] - found.amount.monetary.value
        assert unbilled == [*before[1:]]

    def take(self, made: metering.CreditHold) -> None:
        for part in made.allocations:
            self.grants[part.credit_grant].left -= part.amount

    def run(self) -> None:
        for row in self.m.statements.run(period_end=self.now).statements.to_pylist():
            made = self.m.statements.retrieve(row["id"])
            self.stated[str(made.subscription), made.period_end] = row["id"]
            for credit in made.credits:
                self.grants[credit.credit_grant].left -= credit.amount

    def void(self) -> None:
        if self.stated:
            *_, key = self.stated
            for credit in self.m.statements.void(self.stated.pop(key)).credits:
                self.grants[credit.credit_grant].left += credit.amount

    # What must be answered.

    def burned(self) -> tuple[int, int, int]:
        return burned(self.m).get("usd", (0, 0, 0))

    def periods(self) -> list[tuple[datetime, str, datetime]]:
        """The end of each unbilled period, its subscription and start."""
        return sorted(
            (
                (start + length, subscription, start)
                for subscription, _, length in self.subscribed
                for start in (
                    JANUARY + number * length
                    for number in range((self.now - JANUARY) // length + 1)
                )
                if (subscription, start + length) not in self.stated
            ),
            key=lambda each: each[0],
        )

    def walked(self) -> tuple[int, int, int]:
        """Draw the lines of previews, a cent at a time, and return what is left."""
        left = {name: each.left for name, each in self.grants.items()}
        drawn = uncovered = 0
        for end, subscription, start in self.periods():
            is_over = end <= self.now
            span: Any = {"start_time": start, "end_time": end} if is_over else {}
            made = self.m.statements.preview(subscription=subscription, **span)
            assert made.period_end == end
            [line] = made.lines
            for _ in range(line.amount):
                grants = [
                    (each.order, name)
                    for name, each in self.grants.items()
                    if left[name]
                    and each.price in {None, line.price}
                    and (
                        each.expires_at is None or each.expires_at > max(end, self.now)
                    )
                ]
                if not grants:
                    uncovered += 1
                    continue
                order = min(order for order, _ in grants)
                first = next(name for each, name in grants if each == order)
                left[first] -= 1
                drawn += 1
        free = sum(
            amount
            for name, amount in left.items()
            if (ends := self.grants[name].expires_at) is None or ends > self.now
        )
        return free, drawn, uncovered


EVENTFUL: list[Deed] = [
    ("use", ("tokens", 6, 0)),
    ("use", ("calls", 5, 0)),
    ("pass_time", (6,)),
    ("pass_time", (6,)),
    ("spend", ("tokens", 2)),
    ("pass_time", (6,)),
    ("run", ()),
    ("spend", ("tokens", 1)),
    ("hold_usage", ("calls", 1)),
    ("void", ()),
    ("spend", ("calls", 9)),
]


@example(deeds=EVENTFUL)
@given(deeds=st.lists(DEEDS, min_size=4, max_size=14))
def test_burn_down_equals_previews_at_each_step(deeds: list[Deed]) -> None:
    clock = metering.FixedClock(JANUARY)
    with empty_store(clock=clock) as m:
        life = Life(m, clock)
        life.grant(30, 50, None, None)
        life.grant(12, 10, 9, 0)
        for method, arguments in deeds:
            getattr(life, method)(*arguments)
            # A preview counts what lies before its instant.
            life.pass_time()

            assert life.burned() == life.walked()
