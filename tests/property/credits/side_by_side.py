"""Own the comparison of credits: a real store and the oracle, call by call.

Two connections to the same store are open throughout; each call names the one that
acts, so that what one writes the other must read. Every answer is compared at once,
and afterwards the position of the log; balances and transactions whenever asked.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TypeVar

import pyarrow as pa

import metering
from tests.oracles.credits import (
    Balance,
    CreditsOracle,
    Invoice,
    Movement,
    NewGrant,
    OracleGrant,
    RefusedError,
    Wanted,
)
from tests.property.credits.answers import (
    Told,
    balances_of,
    every_transaction,
    filter_of,
    grant_fields,
    invoice_fields,
    run_of,
    told,
)
from tests.property.credits.strategies import CUSTOMERS, MICROSECOND, PRICES, START
from tests.property.two_connections import TwoConnections

Answer = TypeVar("Answer")
Expected = TypeVar("Expected")

UNUSED_AT_MOST = 6
QUESTIONS = (
    Wanted(),
    Wanted(kind="metered"),
    Wanted(kind="prices", names=PRICES[:1]),
    Wanted(kind="prices", names=PRICES[1:]),
)


class CreditsSideBySide(TwoConnections):
    """A store and an oracle that have lived through the same calls."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START, credit_grants_max=UNUSED_AT_MOST)
        self.oracle = CreditsOracle(unused_at_most=UNUSED_AT_MOST)

    # What can be done.

    def create(self, connection: int, asked: NewGrant) -> OracleGrant | None:
        grants = self.connections[connection].credit_grants
        return self._change(
            lambda: grants.create(**grant_fields(asked)),
            lambda grant_id: self.oracle.create(grant_id, asked, self.now),
        )

    def expires_later(
        self, connection: int, grant: OracleGrant, expires_at: datetime | None
    ) -> None:
        grants = self.connections[connection].credit_grants
        self._change_known(
            grant,
            lambda: grants.update(grant.id, expires_at=expires_at),
            lambda: self.oracle.expires_later(grant, expires_at, self.now),
        )

    def annotate(self, connection: int, grant: OracleGrant, value: str) -> None:
        """Give a grant a note; an empty one takes it away."""
        grants = self.connections[connection].credit_grants
        wanted = {"note": value} if value else {}
        self._change_known(
            grant,
            lambda: grants.update(grant.id, metadata={"note": value}),
            lambda: self.oracle.annotate(grant, wanted, self.now),
        )

    def expire(self, connection: int, grant: OracleGrant) -> None:
        grants = self.connections[connection].credit_grants
        self._change_known(
            grant,
            lambda: grants.expire(grant.id),
            lambda: self.oracle.expire(grant, self.now),
        )

    def void(self, connection: int, grant: OracleGrant) -> None:
        grants = self.connections[connection].credit_grants
        self._change_known(
            grant,
            lambda: grants.void(grant.id),
            lambda: self.oracle.void(grant, self.now),
        )

    def apply(
        self, connection: int, invoice: Invoice, *, replaces: bool = False
    ) -> Sequence[metering.CreditBalanceTransaction] | None:
        """Apply; return the answer where it is a new invoice's, or of one replaced."""
        store = self.connections[connection]
        before = self.oracle.settled.get(invoice.id)
        agreed = self._agree(
            lambda: store.credits.apply(**invoice_fields(invoice), replace=replaces),
            lambda _: self.oracle.apply(invoice, self.now, replaces=replaces),
        )
        if agreed is None:
            return None
        answers, movements = agreed
        self.compare_transactions(answers, movements)
        for answer in answers:
            stored = self.connections[1 - connection].credit_balance_transactions
            assert stored.retrieve(answer.id) == answer
        is_again = before == self.oracle.settled[invoice.id]
        outcome = "applied again" if is_again else "replaced"
        self.reached["applied" if before is None else outcome] += 1
        return None if is_again else answers

    def preview(
        self, connection: int, invoice: Invoice, *, replaces: bool = False
    ) -> None:
        store = self.connections[connection]
        agreed = self._agree(
            lambda: store.credits.preview(**invoice_fields(invoice), replace=replaces),
            lambda _: self.oracle.preview(invoice, self.now, replaces=replaces),
        )
        if agreed is not None:
            self.compare_transactions(*agreed)
            self.reached["previewed"] += 1

    def apply_many(
        self, connection: int, invoices: Sequence[Invoice], *, replaces: bool = False
    ) -> None:
        settle = self.connections[connection].credits
        expected = settle.preview_many(run_of(invoices), replace=replaces)
        receipt = settle.apply_many(run_of(invoices), replace=replaces)
        self.compare_previewed(expected, receipt)
        start = self.oracle.position
        drawn: list[Movement] = []
        kinds: Counter[str] = Counter()
        refused: list[int] = []
        row = 0
        for invoice in invoices:
            kind = self._kind(invoice, replaces=replaces)
            try:
                drawn += self.oracle.apply(invoice, self.now, replaces=replaces)
            except RefusedError as error:
                kind = "rejected"
                refused.append(row)
                self.reached[f"rejected: {error.reason}"] += 1
            kinds[kind] += 1
            row += len(invoice.lines)

        self.oracle.in_one_commit(start)
        assert receipt.applied == kinds["applied"]
        assert receipt.replaced == kinds["replaced"]
        assert receipt.repeated == kinds["repeated"]
        assert receipt.rejected == kinds["rejected"]
        rejections = receipt.rejections.to_pylist()
        assert [each["row"] for each in rejections] == refused
        assert all(each["code"] and each["message"] for each in rejections)
        self.compare_drawn(receipt.transactions, drawn)
        self.compare_position()
        self.reached.update(f"many {kind}" for kind in kinds)

    def reinstate_many(self, connection: int, names: Sequence[str]) -> None:
        receipt = self.connections[connection].credits.reinstate_many(names)
        moved: list[Movement] = []
        kinds: Counter[str] = Counter()
        for name in dict.fromkeys(names):
            kind = "repeated" if name in self.oracle.reinstated else "reinstated"
            try:
                moved += self.oracle.reinstate(name, self.now)
            except RefusedError:
                kind = "rejected"
            kinds[kind] += 1

        assert receipt.reinstated == kinds["reinstated"]
        assert receipt.repeated == kinds["repeated"]
        assert receipt.rejected == kinds["rejected"]
        self.compare_given_back(receipt.transactions, moved)
        self.compare_position()
        self.reached.update(f"many {kind}" for kind in kinds)

    def reinstate(self, connection: int, invoice_id: str) -> None:
        store = self.connections[connection]
        is_again = invoice_id in self.oracle.reinstated
        agreed = self._agree(
            lambda: store.credits.reinstate(invoice=invoice_id),
            lambda _: self.oracle.reinstate(invoice_id, self.now),
        )
        if agreed is not None:
            self.compare_transactions(*agreed)
            self.reached["reinstated again" if is_again else "reinstated"] += 1

    def advance(self, by: timedelta) -> None:
        self.clock.advance(by)

    def bring_time_back(self, connection: int, share: Fraction) -> None:
        to = self.correct_time(connection, self.oracle.time, share)
        if to is not None:
            self.oracle.correct_time(to, self.now)
        self.compare_position()

    # What is compared.

    def compare_position(self) -> None:
        for connection in self.connections:
            assert connection.position == self.oracle.position

    def compare_everything(self, connection: int, stride: int = 1) -> None:
        """Compare all there is, but balances at one of so many instants only."""
        for customer in (*CUSTOMERS, "nobody"):
            self.compare_now(connection, customer)
            for instant in self.instants(customer)[connection::stride]:
                self.compare_balances(connection, customer, instant)
            self.compare_listing(connection, customer=customer)
            self.compare_histories(connection, customer)
        for grant in self.oracle.grants.values():
            self.compare_grant(
                self.connections[connection].credit_grants.retrieve(grant.id), grant
            )
            self.compare_listing(connection, grant_id=grant.id)
        self.compare_position()

    def compare_now(self, connection: int, customer: str) -> None:
        self.compare_balances(connection, customer, None)
        self.compare_listing(connection, customer=customer, limit=100)

    def instants(self, customer: str) -> list[datetime]:
        """Every instant at which a balance turns, and the ones beside it."""
        turns = self.oracle.turning_points(customer)
        instants = {turn + by * MICROSECOND for turn in turns for by in (-1, 0, 1)}
        return sorted(
            instants | {START - timedelta(days=400), START + timedelta(days=400)}
        )

    def compare_balances(
        self, connection: int, customer: str, at: datetime | None
    ) -> None:
        single = [
            Wanted(kind="grant", names=(grant.id,))
            for grant in self.oracle.grants_of(customer)[-1:]
        ]
        for wanted in (*QUESTIONS, *single):
            assert self.balances(connection, customer, at, wanted) == (
                self.oracle.balances(customer, at or self.present, wanted)
            ), (customer, at, wanted)

    def balances(
        self, connection: int, customer: str, at: datetime | None, wanted: Wanted
    ) -> list[Balance]:
        summary = self.connections[connection].credit_balance_summary.retrieve(
            customer=customer, filter=filter_of(wanted), at=at
        )
        assert summary.customer == customer
        return balances_of(summary)

    def compare_histories(self, connection: int, customer: str) -> None:
        """From before everything, and from the middle, where something changes."""
        turns = self.oracle.turning_points(customer) or [START]
        for start in (START - timedelta(hours=3), turns[len(turns) // 2]):
            self.compare_history(connection, customer, start)

    def compare_history(self, connection: int, customer: str, start: datetime) -> None:
        """The running balance is the balance at each instant at which it changes."""
        end = START + timedelta(hours=100)
        table = self.connections[connection].credit_balance_summary.history(
            customer=customer, start_time=start, end_time=end
        )
        at_start = {
            currency: (start, ledger, available)
            for currency, ledger, available in self.oracle.balances(customer, start)
        }
        # A currency that comes later has nothing at the start.
        expected = {
            grant.asked.currency: [at_start.get(grant.asked.currency, (start, 0, 0))]
            for grant in self.oracle.grants_of(customer)
            if grant.created < end
        }
        turns = [t for t in self.oracle.turning_points(customer) if start < t < end]
        for instant in turns:
            for currency, ledger, available in self.oracle.balances(customer, instant):
                rows = expected[currency]
                if rows[-1][1:] != (ledger, available):
                    rows.append((instant, ledger, available))
        found: dict[str, list[tuple[datetime, int, int]]] = {}
        for row in table.to_pylist():
            rows = found.setdefault(row["currency"], [])
            rows.append(
                (row["instant"], row["ledger_balance"], row["available_balance"])
            )

        assert found == expected

    def compare_listing(
        self,
        connection: int,
        customer: str | None = None,
        grant_id: str | None = None,
        limit: int = 3,
    ) -> None:
        store = self.connections[connection]
        listed = every_transaction(
            store, customer=customer, grant=grant_id, limit=limit
        )
        movements = self.oracle.transactions(self.present, customer, grant_id)

        self.compare_transactions(listed, movements)
        assert len({transaction.id for transaction in listed}) == len(listed)
        for transaction in listed[:2]:
            retrieved = store.credit_balance_transactions.retrieve(transaction.id)
            assert retrieved == transaction

    def compare_transactions(
        self,
        answers: Sequence[metering.CreditBalanceTransaction],
        movements: Sequence[Movement],
    ) -> None:
        assert [told(answer) for answer in answers] == [
            self._told(movement) for movement in movements
        ]

    def compare_previewed(
        self, expected: metering.CreditsReceipt, receipt: metering.CreditsReceipt
    ) -> None:
        """What was said beforehand is what came, but for the names of what was new."""
        assert expected.transactions.drop_columns(["id"]) == (
            receipt.transactions.drop_columns(["id"])
        )
        assert expected.rejections == receipt.rejections
        assert (expected.applied, expected.replaced, expected.repeated) == (
            (receipt.applied, receipt.replaced, receipt.repeated)
        )

    def compare_given_back(self, table: pa.Table, moved: Sequence[Movement]) -> None:
        store = self.connections[0].credit_balance_transactions
        rows = table.to_pylist()
        found = [told(store.retrieve(row["id"])) for row in rows]
        assert found == [self._told(each) for each in moved]
        for row, each in zip(rows, found, strict=True):
            assert (row["credit_grant"], row["amount"]) == (each.grant, each.amount)
            assert row["currency"] == each.currency
            assert row["type"] == (
                "credits_expired"
                if each.kind == "expired"
                else "credits_application_invoice_voided"
            )

    def compare_drawn(self, table: pa.Table, drawn: Sequence[Movement]) -> None:
        expected = [
            {
                "invoice": each.invoice,
                "line": each.line,
                "credit_grant": each.grant,
                "customer": self.oracle.grants[each.grant].asked.customer,
                "currency": self.oracle.grants[each.grant].asked.currency,
                "amount": each.amount,
            }
            for each in drawn
        ]
        assert table.drop_columns(["id"]).to_pylist() == expected
        store = self.connections[0]
        for transaction_id, each in list(
            zip(table["id"].to_pylist(), drawn, strict=True)
        )[-3:]:
            retrieved = store.credit_balance_transactions.retrieve(transaction_id)
            assert told(retrieved) == self._told(each)

    def compare_grant(self, answer: metering.CreditGrant, grant: OracleGrant) -> None:
        monetary = answer.amount.monetary
        scope = answer.applicability_config.scope
        prices = None if scope.prices is None else tuple(p.id for p in scope.prices)

        assert answer.id == grant.id
        assert answer.customer == grant.asked.customer
        assert (monetary.currency, monetary.value) == (
            grant.asked.currency,
            grant.asked.amount,
        )
        assert (scope.price_type is None) == (grant.asked.prices is not None)
        assert prices == grant.asked.prices
        assert (answer.category, answer.priority) == (
            grant.asked.category,
            grant.asked.priority,
        )
        assert answer.metadata == grant.metadata
        assert (answer.created, answer.updated) == (grant.created, grant.updated)
        assert (answer.effective_at, answer.expires_at, answer.voided_at) == (
            grant.effective_at,
            grant.expires_at,
            grant.voided_at,
        )

    @property
    def present(self) -> datetime:
        """Now, as the log has it: never before what it has recorded."""
        return max(self.now, self.oracle.latest)

    # Steps of the above.

    def _kind(self, invoice: Invoice, *, replaces: bool) -> str:
        """What becomes of an invoice that is not refused."""
        known = self.oracle.invoices.get(invoice.id)
        if known is None:
            return "applied"
        was_wrong = self.oracle.time.is_wrong(self.oracle.settled[invoice.id])
        is_again = known == invoice and not (replaces and was_wrong)
        return "repeated" if is_again else "replaced"

    def _change(
        self,
        call: Callable[[], metering.CreditGrant],
        expect: Callable[[str], OracleGrant],
    ) -> OracleGrant | None:
        agreed = self._agree(call, lambda answer: expect(answer.id if answer else ""))
        if agreed is None:
            return None
        answer, grant = agreed
        self.compare_grant(answer, grant)
        return grant

    def _change_known(
        self,
        grant: OracleGrant,
        call: Callable[[], metering.CreditGrant],
        expect: Callable[[], None],
    ) -> None:
        def expected(_: str) -> OracleGrant:
            expect()
            return grant

        self._change(call, expected)

    def _agree(
        self, call: Callable[[], Answer], expect: Callable[[Answer | None], Expected]
    ) -> tuple[Answer, Expected] | None:
        """Call the store and then the oracle; both answer, or both refuse."""
        answer = _attempt(call)
        accepted = None if isinstance(answer, metering.MeteringError) else answer
        try:
            expected = expect(accepted)
        except RefusedError as error:
            reason, names = error.reason, error.names
            assert isinstance(answer, metering.InvalidRequestError), reason
            assert set(getattr(answer, "fields", ())) == names
            self.reached[f"refused: {reason}"] += 1
            self.compare_position()
            return None
        assert not isinstance(answer, metering.MeteringError), answer
        self.compare_position()
        return answer, expected

    def _told(self, movement: Movement) -> Told:
        asked = self.oracle.grants[movement.grant].asked
        return Told(
            kind=movement.kind,
            created=movement.instant,
            grant=movement.grant,
            currency=asked.currency,
            amount=movement.amount,
            invoice=movement.invoice,
            line=movement.line,
        )


def _attempt(call: Callable[[], Answer]) -> Answer | metering.MeteringError:
    try:
        return call()
    except metering.MeteringError as error:
        return error
