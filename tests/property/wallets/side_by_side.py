"""Own what is done to grants and with invoices: to a store and to the oracle, call by call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

import metering
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import METERED, for_prices, money, run
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import create_meter
from tests.oracles.wallet_holds import HOUR, Rule, Terms
from tests.oracles.wallet_usage import UNIT, UsedWallets
from tests.oracles.wallets import Draws, Line, Pool, Pot, RefusedError, code_of
from tests.property.two_connections import TwoConnections

START = datetime(2027, 12, 29, 18, tzinfo=UTC)
"""Some anchors after it are the last days of months, and February has 29."""
SUBSCRIBERS = ("ada", "bob")
CUSTOMERS = (*SUBSCRIBERS, "cleo")
POOLS = ("crew", "team")

Billed = tuple[int, str, list[Line], int]
"""The number of an invoice, its customer, its lines, and how long ago its period ended."""


@dataclass(frozen=True, kw_only=True)
class Granting:
    """A grant to a customer or a pool."""

    owner: str
    amount: int
    priority: int = 50
    is_promotional: bool = False
    starts_in: int = 0
    lasts: int | None = None
    price: str | None = None


@dataclass(frozen=True, kw_only=True)
class Planning:
    """A schedule; its anchor lies so many hours from now."""

    customer: str
    interval: str = "month"
    count: int = 1
    anchor: int = 0
    terms: Terms


class WalletsSideBySide(TwoConnections):
    """A store and an oracle that have lived through the same calls. Time is in hours."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START)
        self.oracle = UsedWallets(START, SUBSCRIBERS)
        store = self.connections[0]
        meter = create_meter(store)
        price = create_price(
            store, recurring=metered(meter.id, interval="week"), unit_amount=UNIT
        )
        self.price = self.oracle.price = price.id
        for customer in SUBSCRIBERS:
            subscribe(store, price, customer=customer)
        for pool in POOLS:
            store.credit_pools.create(id=pool)
            self.oracle.pools[pool] = Pool()
        self.statements: dict[tuple[str, int], str] = {}

    @property
    def hour(self) -> int:
        return (self.now - START) // HOUR

    def act(self, number: int, deed: tuple[str, dict[str, Any]]) -> None:
        name, given = deed
        getattr(self, name)(self.connections[number], **given)

    def pass_time(self, _: metering.Metering, hours: int) -> None:
        self.clock.advance(hours * HOUR)
        self.oracle.live_until(self.hour)

    # Grants and schedules.

    def grant(self, m: metering.Metering, asked: Granting) -> None:
        starts = self.hour + asked.starts_in
        ends = None if asked.lasts is None else starts + asked.lasts
        is_pooled = asked.owner in POOLS
        price = self.for_price(asked.price)

        def create() -> Pot:
            made = m.credit_grants.create(
                customer=None if is_pooled else asked.owner,
                pool=asked.owner if is_pooled else None,
                amount=money(asked.amount),
                applicability_config=METERED if price is None else for_prices(price),
                category="promotional" if asked.is_promotional else "paid",
                priority=asked.priority,
                effective_at=at(starts) if asked.starts_in else None,
                expires_at=None if ends is None else at(ends),
            )
            pot = Pot(
                name=made.id,
                owner=asked.owner,
                granted=asked.amount,
                starts=starts,
                ends=ends,
                price=price,
                priority=asked.priority,
                is_promotional=asked.is_promotional,
            )
            self.oracle.grant(pot)
            return pot

        is_archived = is_pooled and self.oracle.pools[asked.owner].is_archived
        code = "credit_pool_archived" if is_archived else None
        self.outcome("grant", create, code)

    def end_grant(
        self, m: metering.Metering, number: int, verb: str, more: int
    ) -> None:
        """Void or expire a grant, or let it end at another time."""
        names = [*self.oracle.pots]
        if not names:
            return
        name = names[number % len(names)]
        if verb == "prolong":
            ends = max(self.oracle.pots[name].starts, self.hour) + more
            self.same(
                verb,
                lambda: m.credit_grants.update(name, expires_at=at(ends)),
                lambda: self.oracle.prolong(name, ends),
            )
        else:
            self.same(
                verb,
                lambda: getattr(m.credit_grants, verb)(name),
                lambda: getattr(self.oracle, verb)(name),
            )

    def plan(self, m: metering.Metering, number: int, asked: Planning) -> None:
        name = f"plan_{number}"
        if name in self.oracle.plans:
            return
        m.credit_schedules.create(
            id=name,
            customer=asked.customer,
            amount=money(asked.terms.amount),
            applicability_config=METERED,
            interval=asked.interval,  # type: ignore[arg-type]  # it is drawn from them
            interval_count=asked.count,
            anchor=self.now + asked.anchor * HOUR,
            rollover=_rollover(asked.terms.rule),
            expires_after=asked.terms.lasts,
        )
        self.oracle.plan(
            name,
            asked.customer,
            asked.interval,
            asked.count,
            self.hour + asked.anchor,
            asked.terms,
        )

    def change_plan(
        self, m: metering.Metering, number: int, verb: str, terms: Terms
    ) -> None:
        name = f"plan_{number}"

        def do() -> None:
            if verb == "update":
                m.credit_schedules.update(
                    name,
                    amount=money(terms.amount),
                    rollover=_rollover(terms.rule),
                    expires_after=terms.lasts,
                )
                return
            turned = getattr(m.credit_schedules, verb)(name)
            assert (turned.next_grant_at is None) == (turned.status != "active")

        self.same(
            f"plan {verb}", do, lambda: self.oracle.change_plan(name, verb, terms)
        )

    # Invoices.

    def apply(self, m: metering.Metering, billed: Billed, *, replace: bool) -> None:
        """Apply an invoice, after a preview that must say the same."""
        number, customer, lines, ago = billed
        invoice = f"in_{number}" if number else "job_0"
        given: Any = {
            "invoice": invoice,
            "customer": customer,
            "period_end": at(self.hour - ago),
            "lines": [
                {
                    "id": f"il_{place}",
                    "amount": amount,
                    "currency": "usd",
                    "price": self.for_price(price),
                }
                for place, (amount, price) in enumerate(lines)
            ],
            "replace": replace,
        }

        def do() -> Draws:
            previewed = drawn(m.credits.preview(**given))
            made = m.credits.apply(**given)
            assert drawn(made) == previewed
            for each in made:
                is_shared = self.oracle.pots[each.credit_grant].owner in POOLS
                assert each.member == (customer if is_shared else None)
            return previewed

        due = self.told(lambda: self._apply(invoice, billed, replace=replace))
        made = self.outcome("apply", do, due if isinstance(due, str) else None)
        if not isinstance(due, str):
            assert made == due

    def apply_many(self, m: metering.Metering, several: list[Billed]) -> None:
        """Settle invoices in one run; each comes once."""
        wanted = {f"in_{each[0]}": each for each in several}
        rows: list[dict[str, Any]] = []
        due: list[Draws] = []
        rejected = 0
        for invoice, billed in wanted.items():
            _, customer, lines, ago = billed
            rows += [
                {
                    "invoice": invoice,
                    "customer": customer,
                    "period_end": at(self.hour - ago),
                    "line": f"il_{place}",
                    "amount": amount,
                    "price": self.for_price(price),
                }
                for place, (amount, price) in enumerate(lines)
            ]
            told = self.told(partial(self._apply, invoice, billed, replace=True))
            if isinstance(told, str):
                rejected += 1
            else:
                due.append(told)
        receipt = m.credits.apply_many(run(*rows), replace=True)
        assert receipt.rejected == rejected
        table = receipt.transactions.select(["credit_grant", "amount"]).to_pylist()
        assert [(row["credit_grant"], row["amount"]) for row in table] == [*chain(*due)]
        self.reached["apply_many"] += 1

    def reinstate(self, m: metering.Metering, number: int) -> None:
        names = [*self.oracle.invoices, "in_unknown"]
        name = names[number % len(names)]
        if not name.startswith("week"):
            self.same(
                "reinstate",
                lambda: m.credits.reinstate(invoice=name),
                lambda: self.oracle.reinstate(name),
            )

    # Steps of the above.

    def same(self, kind: str, do: Callable[[], Any], tell: Callable[[], object]) -> Any:
        """Tell the oracle, and do it in the store, which must refuse it for one reason."""
        return self.outcome(kind, do, code_of(tell))

    def outcome(self, kind: str, do: Callable[[], Any], due: str | None) -> Any:
        answer, code = None, None
        try:
            answer = do()
        except metering.InvalidRequestError as error:
            code = error.code
        assert code == due, kind
        self.reached[f"{kind}: {code}"] += 1
        return answer

    @staticmethod
    def told(tell: Callable[[], Draws]) -> Draws | str:
        """Return what the oracle draws, or the code with which it refuses."""
        try:
            return tell()
        except RefusedError as error:
            return error.code

    def _apply(self, invoice: str, billed: Billed, *, replace: bool) -> Draws:
        _, customer, given, ago = billed
        lines = [(amount, self.for_price(price)) for amount, price in given]
        return self.oracle.apply(
            invoice, customer, self.hour - ago, lines, replace=replace
        )

    def for_price(self, name: str | None) -> str | None:
        """Return the id of a price; that of usage is known once it is made."""
        return self.price if name == "usage" else name


def at(hour: int) -> datetime:
    return START + hour * HOUR


def drawn(transactions: Sequence[metering.CreditBalanceTransaction]) -> Draws:
    return [
        (each.credit_grant, each.debit.amount.monetary.value)
        for each in transactions
        if each.debit is not None
    ]


def _rollover(rule: Rule) -> Any:
    if rule is None:
        return None
    kind, value = rule
    return {"type": kind} if kind == "none" else {"type": kind, kind: value}
