"""Statements that are final: they never change, and draw their credits once."""

from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import (
    END,
    INSIDE,
    START,
    february,
    priced,
    tiered,
    use,
)
from tests.metering.usual_credits import balance, grant
from tests.metering.usual_usage import NOW, cancel_event


def test_a_statement_is_what_its_preview_said(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    clock.set(START)
    price = priced(m)
    grant(m, 15)
    clock.set(NOW)
    use(m, "2")
    shown = m.statements.preview(**february(price))

    made = m.statements.finalize(id="st_1", **february(price))

    assert (made.lines, made.credits, made.digest) == (
        shown.lines,
        shown.credits,
        shown.digest,
    )
    assert (made.id, made.status, made.created) == ("st_1", "finalized", NOW)
    assert (made.subtotal, made.amount_due) == (20, 5)
    assert balance(m) == {"usd": (0, 0)}
    assert m.verify().problems == ()


def test_a_statement_stays_as_it_is_whatever_is_recorded_later(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    price, other = priced(m), tiered(m)
    event = use(m, "2.5")
    made = m.statements.finalize(id="st_1", **february(price, other))
    written = repr(m.statements.retrieve("st_1"))

    use(m, "7")
    cancel_event(m, event.identifier)
    m.prices.update(price.id, active=False, nickname="old")
    m.seal()
    m.rebuild()

    assert repr(m.statements.retrieve("st_1")) == written == repr(made)
    assert m.statements.finalize(id="st_1", **february(price, other)) == made
    assert m.verify().problems == ()


def test_credits_are_drawn_once_and_come_back_when_it_is_void(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    clock.set(START)
    price = priced(store)
    grant(store, 1_000)
    clock.set(NOW)
    use(store, "30")
    first = store.statements.finalize(id="st_1", **february(price))
    store.statements.finalize(id="st_1", **february(price))
    drawn = balance(store)

    void = store.statements.void("st_1")
    given_back = balance(store)
    assert store.statements.void("st_1") == void
    second = store.statements.finalize(id="st_2", **february(price))

    assert (void.status, void.voided_at) == ("void", NOW)
    assert (drawn, given_back) == ({"usd": (700, 700)}, {"usd": (1_000, 1_000)})
    assert balance(store) == drawn
    assert (second.subtotal, second.credits) == (first.subtotal, first.credits)
    assert store.statements.retrieve("st_1") == void


def test_other_content_under_an_id_is_a_conflict_that_names_it(
    store: metering.Metering,
) -> None:
    price = priced(store)
    store.statements.finalize(id="st_1", **february(price))
    position = store.position

    with refused(
        "statement_conflict",
        "id",
        "differs in customer, start_time",
        kind=metering.StatementConflictError,
    ):
        store.statements.finalize(
            id="st_1", **february(price, customer="cus_2", start_time=INSIDE)
        )

    assert store.position == position


def test_usage_is_stated_once(store: metering.Metering) -> None:
    price, other = priced(store), tiered(store)
    store.statements.finalize(id="st_1", **february(price, end_time=INSIDE))

    with refused("period_already_finalized", "start_time", "Statement st_1 counts"):
        store.statements.finalize(id="st_2", **february(other, price))
    store.statements.finalize(id="rest", **february(price, start_time=INSIDE))
    store.statements.finalize(id="other", **february(other))
    store.statements.finalize(id="whose", **february(price, customer="cus_2"))
    store.statements.void("st_1")
    with refused("statement_void", "id"):
        store.statements.finalize(id="st_1", **february(price, end_time=INSIDE))
    store.statements.finalize(id="st_3", **february(price, end_time=INSIDE))

    assert [each.id for each in store.statements.list()] == [
        "st_3",
        "whose",
        "other",
        "rest",
        "st_1",
    ]


def test_what_a_period_had_after_the_instant_is_stated_by_another(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    price = priced(store)
    clock.set(INSIDE)
    store.statements.finalize(id="st_1", **february(price, at=INSIDE))
    use(store, "5")
    clock.set(NOW)

    with refused("period_already_finalized"):
        store.statements.finalize(id="st_2", **february(price))
    rest = store.statements.finalize(id="st_2", **february(price, start_time=INSIDE))

    assert [line.quantity for line in rest.lines] == [5]


def test_statements_are_listed_by_customer_period_and_status(
    store: metering.Metering,
) -> None:
    price, other = priced(store), tiered(store)
    store.statements.finalize(id="a", **february(price, end_time=INSIDE))
    store.statements.finalize(id="b", **february(price, start_time=INSIDE))
    store.statements.finalize(id="c", **february(other, customer="cus_2"))
    store.statements.void("b")

    def ids(**given: Any) -> list[str | None]:
        return [each.id for each in store.statements.list(**given)]

    assert ids(customer="cus_1") == ["b", "a"]
    assert ids(start_time=INSIDE) == ["b"]
    assert ids(end_time=INSIDE) == ["a"]
    assert ids(status="void") == ["b"]
    assert ids(status="finalized", start_time=START, end_time=END) == ["c", "a"]
    assert ids(limit=1, starting_after="c") == ["b"]
    assert ids(limit=1, ending_before="a") == ["b"]
    [first, *_] = store.statements.list(limit=1).auto_paging_iter()
    assert first.id == "c"
