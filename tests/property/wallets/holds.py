"""Own what is done to holds, to a store and to the oracle, call by call."""

from dataclasses import dataclass
from functools import partial

import metering
from tests.metering.usual_credits import money
from tests.oracles.wallet_usage import UNIT
from tests.oracles.wallets import code_of
from tests.property.wallets.side_by_side import SUBSCRIBERS, WalletsSideBySide, at


@dataclass(frozen=True, kw_only=True)
class Settling:
    """How a hold is settled; `number` names one of few settlements, 0 none."""

    amount: int | None = None
    number: int = 0
    final: bool = True
    draw: bool = False

    @property
    def settlement(self) -> str:
        return f"part_{self.number}" if self.number else ""

    @property
    def is_final(self) -> bool:
        """Without a name of its own it must be."""
        return self.final or not self.number


class HoldsSideBySide(WalletsSideBySide):
    """A store and an oracle in which credits are held."""

    def hold(  # what a hold is has names
        self,
        m: metering.Metering,
        number: int,
        customer: str,
        amount: int,
        price: str | None,
        lasts: int,
        *,
        partial: bool,
    ) -> None:
        """Hold, or do it again: a hold of a number always ends at the same time."""
        name, ends = self._hold(number, lasts)
        for_price = self.for_price(price)
        made = self.same(
            "hold",
            lambda: m.credit_holds.create(
                id=name,
                customer=customer,
                amount=money(amount),
                price=for_price,
                expires_at=at(ends),
                partial=partial,
            ),
            lambda: self.oracle.hold(
                name, customer, amount, for_price, ends, partial=partial
            ),
        )
        self._check_taken(name, made)

    def hold_usage(  # what a hold is has names
        self,
        m: metering.Metering,
        number: int,
        customer: str,
        quantity: int,
        lasts: int,
        *,
        partial: bool,
    ) -> None:
        """Hold what usage comes to, as `check` says."""
        name, ends = self._hold(number, lasts)
        price = None if customer in SUBSCRIBERS else self.price
        is_new = name not in self.oracle.holds and name not in self.oracle.invoices
        checked = m.check(
            customer=customer, meter="tokens", quantity=quantity, price=price
        )
        made = self.same(
            "hold usage",
            lambda: m.credit_holds.create(
                id=name,
                customer=customer,
                meter="tokens",
                quantity=quantity,
                price=price,
                expires_at=at(ends),
                partial=partial,
            ),
            lambda: self.oracle.hold_usage(
                name, customer, quantity, ends, partial=partial
            ),
        )
        if is_new and not partial:
            assert checked.allowed == (made is not None)
        self._check_taken(name, made)

    def settle(
        self, m: metering.Metering, number: int, asked: Settling, *, in_usage: bool
    ) -> None:
        name = f"job_{number}"
        hold = self.oracle.holds.get(name)
        amount, quantity = asked.amount, None
        if in_usage and hold is not None and hold.is_of_usage and amount is not None:
            amount, quantity = UNIT * amount, amount
        self.same(
            "settle",
            lambda: m.credit_holds.settle(
                name,
                amount=amount if quantity is None else None,
                quantity=quantity,
                final=asked.is_final,
                overage="draw" if asked.draw else "refuse",
                settlement=asked.settlement or None,
            ),
            lambda: self.oracle.settle(
                name,
                amount,
                asked.settlement,
                final=asked.is_final,
                draw=asked.draw,
                quantity=quantity,
            ),
        )

    def settle_many(
        self, m: metering.Metering, several: list[tuple[int, Settling]]
    ) -> None:
        """Settle holds in a table, of which each row has an outcome of its own."""
        rows = [
            {
                "hold": f"job_{number}",
                "amount": asked.amount,
                "settlement": asked.settlement or None,
                "final": asked.is_final,
            }
            for number, asked in several
        ]
        codes = [
            code_of(
                partial(
                    self.oracle.settle,
                    f"job_{number}",
                    asked.amount,
                    asked.settlement,
                    final=asked.is_final,
                    draw=False,
                )
            )
            for number, asked in several
        ]
        receipt = m.credit_holds.settle_many(rows)
        assert [
            (row["row"], row["code"]) for row in receipt.rejections.to_pylist()
        ] == [(row, code) for row, code in enumerate(codes) if code is not None]
        self.reached["settle_many"] += 1

    def release(self, m: metering.Metering, number: int) -> None:
        name = f"job_{number}"
        self.same(
            "release",
            lambda: m.credit_holds.release(name),
            lambda: self.oracle.release(name),
        )

    def _hold(self, number: int, lasts: int) -> tuple[str, int]:
        name = f"job_{number}"
        known = self.oracle.holds.get(name)
        return name, self.hour + lasts if known is None else known.ends

    def _check_taken(self, name: str, made: metering.CreditHold | None) -> None:
        if made is not None:
            assert made.status == "open"
            taken = [(each.credit_grant, each.amount) for each in made.allocations]
            assert taken == self.oracle.holds[name].taken
