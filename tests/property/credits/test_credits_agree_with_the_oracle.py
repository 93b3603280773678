"""A real store and the naive oracle of credits live through the same calls.

Two connections grant, apply, give back, void, expire, reopen and rebuild in turn while
time passes, or goes back; after each call balances and transactions are compared, at
the present and at instants before and after it. A literal history shows that the
comparison meets every outcome, and the last tests that it is able to fail.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import StoreTargets
from tests.oracles.credits import (
    Balance,
    CreditsOracle,
    Invoice,
    Line,
    NewGrant,
    OracleGrant,
    Wanted,
)
from tests.property.credits.invariants import assert_conserved, assert_drawn_in_order
from tests.property.credits.runs import granted, long_run
from tests.property.credits.side_by_side import UNUSED_AT_MOST, CreditsSideBySide
from tests.property.credits.strategies import (
    CUSTOMERS,
    HOUR,
    MICROSECOND,
    START,
    Again,
    GrantDraft,
    InvoiceDraft,
    agains,
    attempts,
    changed,
    customers,
    distances,
    grant_drafts,
    invoice_drafts,
)
from tests.strategies import SHARES, WRONG_BY

CONNECTIONS = st.integers(0, 1)
RECENT = st.integers(0, 7)
DAY = timedelta(days=1)
STEPS = 30
STRIDE = 5

EVERY_OUTCOME = {
    "applied", "applied again", "previewed", "reinstated", "reinstated again",
    "many applied", "many repeated", "many rejected", "rejected: conflict",
    "replaced", "many replaced", "many reinstated",
    "rejected: currencies", "rejected: reinstated", "refused: conflict",
    "refused: currencies", "refused: reinstated", "refused: unknown",
    "refused: expires_at", "refused: expired", "refused: voided", "refused: used",
    "refused: too many unused grants", "time corrected",
}  # fmt: skip


class CreditsMachine(RuleBasedStateMachine):
    """Anything that can happen to the credits of two customers."""

    targets: StoreTargets

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        target = self.stack.enter_context(self.targets())
        self.both = self.stack.enter_context(CreditsSideBySide(target))
        self.named = 0
        self.steps = 0

    def teardown(self) -> None:
        with self.stack:
            self.both.compare_everything(0, STRIDE)
            self.both.keep_up(1, "rebuild")
            self.both.compare_everything(1, STRIDE)
            assert self.both.connections[0].verify().problems == ()
            for outcome in self.both.reached:
                event(outcome)

    @initialize(drafts=st.lists(grant_drafts(), min_size=1, max_size=4))
    def begin(self, drafts: list[GrantDraft]) -> None:
        for draft in drafts:
            self.both.create(0, draft.at(self.both.now))

    @rule(
        connection=CONNECTIONS,
        drafts=st.lists(grant_drafts(), min_size=1, max_size=3),
    )
    def create(self, connection: int, drafts: list[GrantDraft]) -> None:
        for draft in drafts:
            self.both.create(connection, draft.at(self.both.now))

    @rule(connection=CONNECTIONS, draft=invoice_drafts())
    def apply(self, connection: int, draft: InvoiceDraft) -> None:
        invoice = draft.at(self._name(), self.both.now)
        self.both.preview(1 - connection, invoice)

        answer = self.both.apply(connection, invoice)

        if answer is not None:
            store = self.both.connections[connection]
            assert_drawn_in_order(store, invoice, self.both.present, answer)

    @rule(
        connection=CONNECTIONS,
        attempts=st.lists(attempts(), max_size=6),
        replaces=st.booleans(),
    )
    def apply_many(
        self, connection: int, attempts: list[InvoiceDraft | Again], *, replaces: bool
    ) -> None:
        invoices: dict[str, Invoice] = {}
        for attempt in attempts:
            invoice = self._invoice(attempt)
            if invoice is not None:
                invoices.setdefault(invoice.id, invoice)
        sent = list(invoices.values())
        self.both.apply_many(connection, sent, replaces=replaces)

    @rule(connection=CONNECTIONS, again=agains(), replaces=st.booleans())
    def apply_again(self, connection: int, again: Again, *, replaces: bool) -> None:
        invoice = self._invoice(again)
        if invoice is not None:
            self.both.preview(connection, invoice, replaces=replaces)

            answer = self.both.apply(connection, invoice, replaces=replaces)

            if answer is not None:
                store = self.both.connections[connection]
                assert_drawn_in_order(store, invoice, self.both.present, answer)

    @rule(connection=CONNECTIONS, backs=st.lists(RECENT, max_size=4))
    def reinstate_many(self, connection: int, backs: list[int]) -> None:
        known = [*self.both.oracle.invoices, "in_unknown"]
        names = [known[-1 - back % len(known)] for back in backs]
        self.both.reinstate_many(connection, names)

    @rule(connection=CONNECTIONS, back=RECENT)
    def reinstate(self, connection: int, back: int) -> None:
        known = list(self.both.oracle.invoices)
        if known:
            self.both.reinstate(connection, known[-1 - back % len(known)])

    @rule(connection=CONNECTIONS, draft=invoice_drafts())
    def apply_and_reinstate(self, connection: int, draft: InvoiceDraft) -> None:
        """Together they leave each balance as it was, now and for ever."""
        present = self.both.present
        turns = self.both.instants(draft.customer)
        instants = [present, *(turn for turn in turns if turn > present)]
        before = self._balances(draft.customer, instants)
        invoice = draft.at(self._name(), self.both.now)
        if self.both.apply(connection, invoice) is not None:
            self.both.reinstate(1 - connection, invoice.id)

            assert self._balances(draft.customer, instants) == before

    @rule(connection=CONNECTIONS, back=RECENT, expires=st.none() | distances())
    def expires_later(
        self, connection: int, back: int, expires: timedelta | None
    ) -> None:
        grant = self._grant(back)
        if grant is not None:
            at = None if expires is None else self.both.now + expires
            self.both.expires_later(connection, grant, at)

    @rule(connection=CONNECTIONS, back=RECENT, value=st.sampled_from(["", "a", "b"]))
    def annotate(self, connection: int, back: int, value: str) -> None:
        grant = self._grant(back)
        if grant is not None:
            self.both.annotate(connection, grant, value)

    @rule(connection=CONNECTIONS, back=RECENT, voids=st.booleans())
    def end(self, connection: int, back: int, *, voids: bool) -> None:
        grant = self._grant(back)
        if grant is not None:
            end = self.both.void if voids else self.both.expire
            end(connection, grant)

    @rule(by=st.sampled_from([MICROSECOND, HOUR, HOUR, 2 * HOUR, -MICROSECOND, -HOUR]))
    def move_the_clock(self, by: timedelta) -> None:
        self.both.advance(by)

    @rule(by=WRONG_BY)
    def let_a_clock_be_wrong(self, by: timedelta) -> None:
        """What is recorded next is by a wrong time."""
        self.both.let_the_clock_be_wrong(by)
        self.both.create(0, NewGrant(customer=CUSTOMERS[0], currency="usd", amount=1))

    @rule(connection=CONNECTIONS, share=SHARES)
    def correct_the_time(self, connection: int, share: Fraction) -> None:
        self.both.bring_time_back(connection, share)

    @rule(connection=CONNECTIONS, rebuilds=st.booleans())
    def restart(self, connection: int, *, rebuilds: bool) -> None:
        self.both.keep_up(connection, "rebuild" if rebuilds else "reopen")

    @rule(connection=CONNECTIONS, customer=customers(), by=distances())
    def ask(self, connection: int, customer: str, by: timedelta) -> None:
        self.both.compare_balances(connection, customer, self.both.now + by)

    @invariant()
    def agree(self) -> None:
        self.steps += 1
        connection = self.steps % 2
        for customer in CUSTOMERS:
            self.both.compare_now(connection, customer)
            # Few of the instants that matter, others at each step.
            every = self.both.instants(customer)
            instants = [every[self.steps * prime % len(every)] for prime in (3, 7)]
            store = self.both.connections[connection]
            assert_conserved(store, customer, self.both.present, instants)
            for instant in instants:
                self.both.compare_balances(connection, customer, instant)

    def _balances(self, customer: str, instants: list[datetime]) -> list[list[Balance]]:
        return [self.both.balances(0, customer, at, Wanted()) for at in instants]

    def _invoice(self, attempt: InvoiceDraft | Again) -> Invoice | None:
        if isinstance(attempt, InvoiceDraft):
            return attempt.at(self._name(), self.both.now)
        known = list(self.both.oracle.invoices.values())
        if not known:
            return None
        invoice = known[-1 - attempt.back % len(known)]
        return invoice if attempt.change is None else changed(invoice, attempt.change)

    def _grant(self, back: int) -> OracleGrant | None:
        known = list(self.both.oracle.grants.values())
        return known[-1 - back % len(known)] if known else None

    def _name(self) -> str:
        self.named += 1
        return f"in_{self.named}"


def test_credits_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
) -> None:
    """At every step, per grant, customer and currency, at the present and any instant.

    Source: https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits.
    """

    class Machine(CreditsMachine):
        targets = staticmethod(store_targets)

    # A history asks a thousand questions: half as many as of other laws.
    half = settings(
        max_examples=settings().max_examples // 2, stateful_step_count=STEPS
    )
    run_state_machine_as_test(Machine, settings=half)


@given(st.integers(0, 2**32))
def test_a_long_billing_run_draws_what_the_oracle_draws(seed: int) -> None:
    """Order and eligibility where many grants compete, at once and one by one.

    Source: https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits.
    """
    run = long_run(seed)
    with granted(run) as bulk, granted(run) as single:
        drawn = bulk.apply_many(run.invoices)

        assert drawn == bulk.settled_by_oracle(run)
        assert [each for invoice in run.invoices for each in single.apply(invoice)] == (
            drawn
        )
        assert bulk.balances() == single.balances()


def test_a_history_of_every_outcome_agrees_with_the_oracle(
    store_targets: StoreTargets,
) -> None:
    with store_targets() as target, CreditsSideBySide(target) as both:
        live_through_every_outcome(both)

        both.compare_everything(0)
        both.keep_up(1, "rebuild")
        both.compare_everything(1)
        assert both.connections[0].verify().problems == ()

    assert set(both.reached) >= EVERY_OUTCOME


def live_through_every_outcome(both: CreditsSideBySide) -> None:
    """Two grants paid an invoice; one runs out before the invoice is voided."""
    short = created(both, amount=5, expires_at=START + HOUR)
    lasting = created(both, amount=9)
    pending = created(both, amount=3, effective_at=START + 9 * HOUR)
    first = invoice_of("in_1", 2, 6)
    both.preview(0, first)
    both.apply(0, first)
    both.apply(1, first)
    both.apply(1, changed(first, "amount"))
    both.void(0, short)
    both.advance(HOUR)
    both.reinstate(1, "in_1")
    both.reinstate(0, "in_1")
    both.reinstate(0, "in_unknown")
    both.apply(0, first)
    both.expire(0, short)
    both.expires_later(1, lasting, START)
    both.expires_later(1, lasting, both.now)
    both.expires_later(1, lasting, START + 3 * HOUR)
    both.void(1, pending)
    both.expire(1, pending)
    second, third, fourth = (invoice_of(f"in_{n}", n, 1) for n in (2, 3, 4))
    mixed = replace(
        fourth, lines=(Line(id="il", amount=1, currency="eur"), *fourth.lines)
    )
    both.apply(0, mixed)
    both.apply_many(0, [second, first, mixed, third])
    both.apply_many(1, [changed(third, "line"), second, fourth])
    both.apply(0, changed(second, "amount"), replaces=True)
    both.apply(0, changed(first, "amount"), replaces=True)
    both.apply_many(
        1,
        [changed(third, "line"), second, changed(fourth, "period_end")],
        replaces=True,
    )
    both.apply_many(0, [changed(third, "customer")], replaces=True)
    both.reinstate_many(1, ["in_3", "in_1", "in_3", "in_unknown", "in_4"])
    both.expire(0, lasting)
    for _ in range(UNUSED_AT_MOST + 1):
        both.create(0, NewGrant(customer=CUSTOMERS[0], currency="jpy", amount=1))
    live_through_a_wrong_time(both)


def live_through_a_wrong_time(both: CreditsSideBySide) -> None:
    """An invoice draws nothing by a clock that is ahead, and is settled anew."""
    other, expires_at = CUSTOMERS[1], both.now + DAY
    both.create(
        0, NewGrant(customer=other, currency="usd", amount=7, expires_at=expires_at)
    )
    invoice = replace(invoice_of("in_5", 2), customer=other)
    both.let_the_clock_be_wrong(400 * DAY)
    both.apply(0, invoice)
    both.bring_time_back(1, Fraction(1, 2))
    both.apply(1, invoice, replaces=True)
    both.apply(0, invoice, replaces=True)


def created(
    both: CreditsSideBySide,
    amount: int,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> OracleGrant:
    asked = NewGrant(
        customer=CUSTOMERS[0],
        currency="usd",
        amount=amount,
        effective_at=effective_at,
        expires_at=expires_at,
    )
    grant = both.create(0, asked)
    assert grant is not None
    return grant


def invoice_of(name: str, *amounts: int) -> Invoice:
    return Invoice(
        id=name,
        customer=CUSTOMERS[0],
        period_end=START,
        lines=tuple(
            Line(id=f"il_{number}", amount=amount, currency="usd")
            for number, amount in enumerate(amounts)
        ),
    )


def take_a_cent(oracle: CreditsOracle) -> None:
    last = oracle.happened[-1]
    oracle.happened[-1] = replace(last, amount=last.amount - 1)


def move_a_draw(oracle: CreditsOracle) -> None:
    last = oracle.happened[-1]
    oracle.happened[-1] = replace(last, grant=oracle.happened[0].grant)


def delay(oracle: CreditsOracle) -> None:
    last = oracle.happened[-1]
    oracle.happened[-1] = replace(last, instant=last.instant + MICROSECOND)


def let_expire(oracle: CreditsOracle) -> None:
    [grant, _] = oracle.grants.values()
    grant.expires_at = START + HOUR


def forget_a_call(oracle: CreditsOracle) -> None:
    oracle.time.instants.pop()


@pytest.mark.parametrize(
    "damage", [take_a_cent, move_a_draw, delay, let_expire, forget_a_call]
)
def test_the_comparison_of_credits_sees_the_smallest_disagreement(
    tmp_path: Path, damage: Callable[[CreditsOracle], None]
) -> None:
    with CreditsSideBySide(str(tmp_path / "usage")) as both:
        created(both, amount=5)
        created(both, amount=5)
        both.apply(0, invoice_of("in_1", 4, 4))
        both.compare_everything(0)

        damage(both.oracle)

        with pytest.raises(AssertionError):
            both.compare_everything(0)
