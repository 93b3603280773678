"""Own what is done to pools, usage and limits, to a store and to the oracle, call by call."""

from typing import Any

import metering
from tests.metering.usual_credits import money
from tests.metering.usual_usage import create_event
from tests.property.wallets.holds import HoldsSideBySide
from tests.property.wallets.side_by_side import at


class UsageSideBySide(HoldsSideBySide):
    """A store and an oracle in which credits are shared, limited, and used."""

    # Pools.

    def join(
        self, m: metering.Metering, pool: str, customer: str, cap: int | None
    ) -> None:
        self.same(
            "join",
            lambda: m.credit_pools.add_member(pool, customer=customer, cap=_cap(cap)),
            lambda: self.oracle.join(pool, customer, cap),
        )

    def leave(self, m: metering.Metering, pool: str, customer: str) -> None:
        self.same(
            "leave",
            lambda: m.credit_pools.remove_member(pool, customer=customer),
            lambda: self.oracle.leave(pool, customer),
        )

    def change_cap(self, m: metering.Metering, pool: str, cap: int | None) -> None:
        self.same(
            "cap",
            lambda: m.credit_pools.update(pool, cap=_cap(cap)),
            lambda: self.oracle.change_cap(pool, cap),
        )

    def archive(self, m: metering.Metering, pool: str) -> None:
        self.same(
            "archive",
            lambda: m.credit_pools.archive(pool),
            lambda: self.oracle.archive(pool),
        )

    # Usage and limits.

    def use(self, m: metering.Metering, customer: str, quantity: int, ago: int) -> None:
        hour = max(0, self.hour - ago)
        payload = {"stripe_customer_id": customer, "value": str(quantity)}
        create_event(m, payload=payload, timestamp=at(hour))
        self.oracle.use(customer, quantity, hour)

    def spend(self, m: metering.Metering, customer: str, quantity: int) -> None:
        self.reached["spends"] += 1
        name = f"spent_{self.reached['spends']}"
        self.same(
            "spend",
            lambda: m.spend(
                customer=customer, meter="tokens", quantity=quantity, identifier=name
            ),
            lambda: self.oracle.spend(customer, quantity),
        )

    def limit(
        self,
        m: metering.Metering,
        number: int,
        customer: str,
        amount: int,
        window: Any,
    ) -> None:
        """Make a limit, or change its amount."""
        name = f"limit_{number}"
        is_new = name not in self.oracle.limits

        def do() -> object:
            if not is_new:
                return m.spend_limits.update(name, amount=money(amount))
            return m.spend_limits.create(
                id=name,
                customer=customer,
                amount=money(amount),
                window=window,
                warn_at=(),
            )

        self.same(
            "limit", do, lambda: self.oracle.limit(name, customer, amount, window)
        )

    def cancel_limit(self, m: metering.Metering, number: int) -> None:
        name = f"limit_{number}"
        self.same(
            "cancel limit",
            lambda: m.spend_limits.cancel(name),
            lambda: self.oracle.cancel_limit(name),
        )

    def state(self, m: metering.Metering, customer: str) -> None:
        """State the weeks of a customer that are over."""
        weeks = self.oracle.run(customer)
        receipt = m.statements.run(period_end=self.now, customers=[customer])
        made = receipt.statements.to_pylist()
        assert len(made) == len(weeks)
        for week, row in zip(weeks, made, strict=True):
            self.statements[customer, week] = row["id"]
        self.reached["stated"] += len(weeks)

    def void_statement(self, m: metering.Metering, number: int) -> None:
        stated = [*self.oracle.stated]
        if stated:
            key = stated[number % len(stated)]
            m.statements.void(self.statements[key])
            self.oracle.void_statement(*key)
            self.reached["statement voided"] += 1


def _cap(value: int | None) -> Any:
    return None if value is None else money(value)
