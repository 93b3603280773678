"""A checkpoint of alerts that was edited hides nothing for good."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import Table, update

import metering
from ledger.database.addresses import open_database
from projections.alerts.tables import (
    alert_checkpoint,
    burn_down_checkpoint,
    credit_alert_checkpoint,
)
from tests.conftest import Connect
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.alerts.test_alerts_on_credits import fallen, watch
from tests.metering.alerts.test_alerts_triggered import triggered, use
from tests.metering.alerts.test_alerts_with_unbilled_usage import (
    fallen as left_at_falls,
)
from tests.metering.alerts.test_alerts_with_unbilled_usage import (
    watch as watch_usage,
)
from tests.metering.spending.usual_spending import JANUARY, subscribed
from tests.metering.spending.usual_spending import use as use_tokens
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_usage import NOW, create_meter

Edit = Callable[[Table, int], None]


@pytest.fixture
def edit(store_target: str) -> Edit:
    """Move a checkpoint, as somebody may who can write to the database."""

    def move(table: Table, position: int) -> None:
        database = open_database(store_target, creates=False)
        with database.write() as connection:
            connection.execute(update(table).values(position=position))
        database.close()

    return move


@pytest.mark.dialect
def test_a_checkpoint_that_was_moved_ahead_is_found_and_a_rebuild_finds_what_it_hid(
    connect: Connect, edit: Edit
) -> None:
    clock = metering.FixedClock(NOW)
    with connect(clock=clock) as store:
        alert = create_alert(store, create_meter(store), 5)
        reaching = use(store, "7")
        end = use(store, "1")
    edit(alert_checkpoint, end)
    store = connect(clock=clock)

    assert triggered(store) == []
    (problem,) = store.verify().problems
    assert problem == (
        "In table alert_checkpoint, row checkpoint_id = 1, column position: 4 is"
        f" stored, and alert {alert.id} has not triggered for customer cus_1 at position"
        f" {reaching}; run `metering rebuild`"
    )
    store.rebuild()
    assert triggered(store) == [("cus_1", reaching, Decimal(7))]
    assert store.verify().ok


@pytest.mark.parametrize("position", [0, 1, 99, -1])
def test_a_checkpoint_where_no_commit_ends_is_found(
    connect: Connect, edit: Edit, position: int
) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_alert(store, create_meter(store), 5)
    use(store, "7")
    store.catch_up()
    edit(alert_checkpoint, position)

    (problem,) = store.verify().problems

    assert f"column position: {position} is stored, and no commit" in problem
    # An evaluation ends all the same, and doubles nothing.
    reaching = use(store, "7", "cus_2")
    triggered(store)
    store.rebuild()
    assert [customer for customer, _, _ in triggered(store)] == ["cus_1", "cus_2"]
    assert triggered(store)[-1][1] == reaching
    assert store.verify().ok


@pytest.mark.dialect
def test_a_process_that_had_evaluated_hides_nothing_that_a_rebuild_lays_open(
    connect: Connect, edit: Edit
) -> None:
    clock = metering.FixedClock(NOW)
    with connect(clock=clock) as store:
        create_alert(store, create_meter(store), 5)
        reaching = use(store, "7")
        edit(alert_checkpoint, reaching)
    other = connect(clock=clock)
    use(other, "1", "cus_2")
    assert triggered(other) == []
    with connect(clock=clock) as store:
        store.rebuild()

    use(other, "1", "cus_3")

    assert triggered(other) == [("cus_1", reaching, Decimal(7))]


@pytest.mark.dialect
def test_a_checkpoint_of_credits_that_was_moved_ahead_hides_nothing_after_a_rebuild(
    connect: Connect, edit: Edit
) -> None:
    clock = metering.FixedClock(NOW)
    with connect(clock=clock) as store:
        watch(store)
        grant(store, 1_000)
        store.catch_up()
        apply(store, "in_1", line(700))
        end = store.position
    edit(credit_alert_checkpoint, end)
    store = connect(clock=clock)
    assert fallen(store) == []

    store.rebuild()

    assert fallen(store) == [("cus_1", 300, NOW, False)]
    assert store.verify().ok


@pytest.mark.dialect
def test_a_checkpoint_of_unbilled_usage_is_found_where_no_commit_ends(
    connect: Connect, edit: Edit
) -> None:
    clock = metering.FixedClock(JANUARY)
    with connect(clock=clock) as store:
        subscribed(store)
        grant(store, 1_000)
        watch_usage(store)
        use_tokens(store, 60)
        end = store.position
    edit(burn_down_checkpoint, end + 1)
    store = connect(clock=clock)
    assert left_at_falls(store) == []

    (problem,) = store.verify().problems
    store.rebuild()

    assert f"column position: {end + 1} is stored, and no commit" in problem
    assert left_at_falls(store) == [400]
    assert store.verify().ok
