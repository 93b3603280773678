"""Statements have events: finalised, and void with what they were before."""

import metering
from tests.conftest import Connect
from tests.metering.statements.usual_statements import february, priced, use


def test_a_statement_has_events(connect: Connect, clock: metering.FixedClock) -> None:
    m = connect(clock=clock)
    price = priced(m)
    use(m)
    made = m.statements.finalize(id="st_1", **february(price))
    void = m.statements.void("st_1")

    told = [each for each in m.events.list(limit=100) if "statement" in each.type]

    assert [(each.type, each.data.object) for each in told] == [
        ("metering.statement.voided", void),
        ("metering.statement.finalized", made),
    ]
    assert [each.data.previous_attributes for each in told] == [
        {"status": "finalized", "voided_at": None},
        None,
    ]
    assert m.events.retrieve(told[1].id) == told[1]


def test_what_becomes_of_a_pool_of_the_same_id_is_no_end_of_a_statement(
    store: metering.Metering,
) -> None:
    store.credit_pools.create(id="st_1")
    store.credit_pools.update("st_1", name="Team")
    made = store.statements.finalize(id="st_1", **february(priced(store)))
    store.statements.void("st_1")

    [told] = store.events.list("metering.statement.finalized")

    assert told.data.object == made


def test_lines_are_exported_as_a_table(store: metering.Metering) -> None:
    price, other = priced(store), priced(store, "calls")
    use(store, "2.5")
    made = store.statements.finalize(id="st_1", **february(price, other))
    store.statements.finalize(id="st_2", **february(price, customer="cus_2"))
    store.statements.void("st_2")

    table = store.statements.to_table(status="finalized")
    everything = store.statements.to_table()

    assert everything["statement"].to_pylist() == ["st_1", "st_1", "st_2"]
    first, second = table.to_pylist()
    assert (first["price"], first["quantity"], first["amount"]) == (
        price.id,
        made.lines[0].quantity,
        25,
    )
    assert (second["price"], second["amount_due"]) == (other.id, 0)
    assert (first["digest"], first["position"]) == (made.digest, made.position)
