"""What is to be sent follows from the log, whatever somebody writes beside it."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

import metering
from ledger.database.addresses import open_database
from tests.conftest import Connect
from tests.metering.usual_usage import NOW, create_meter
from tests.metering.usual_webhooks import add_endpoint, bodies
from tests.webhook_receiver import Receiver

Edit = Callable[[str], None]


@pytest.fixture
def edit(store_target: str) -> Edit:
    """Run a statement, as somebody may who can write to the database."""

    def run(statement: str) -> None:
        database = open_database(store_target, creates=False)
        with database.write() as connection:
            assert connection.execute(text(statement)).rowcount > 0
        database.close()

    return run


@pytest.fixture
def store(connect: Connect) -> metering.Metering:
    return connect(clock=metering.FixedClock(NOW), allow_private_webhooks=True)


def sent(receiver: Receiver) -> list[str]:
    """The event names of the meters that events were received of."""
    return [each["data"]["object"]["event_name"] for each in bodies(receiver)]


@pytest.mark.dialect
def test_a_cursor_that_was_moved_ahead_is_found_and_what_it_left_out_is_sent(
    store: metering.Metering, receiver: Receiver, edit: Edit
) -> None:
    endpoint = add_endpoint(store, receiver)
    create_meter(store, "before")
    store.deliver()
    create_meter(store, "hidden")
    edit(f"UPDATE webhook_outbox SET position = {store.position}")
    create_meter(store, "after")
    store.deliver()
    assert sent(receiver) == ["before", "after"]

    (problem,) = store.verify().problems
    assert problem == (
        f"In table webhook_delivery, the row with endpoint_id = '{endpoint.id}',"
        " position = 3, number = 0 is missing; run `metering rebuild`"
    )
    store.rebuild()
    assert store.verify().ok
    store.deliver()

    assert sent(receiver) == ["before", "after", "hidden"]


@pytest.mark.dialect
@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_a_cursor_that_was_moved_back_sends_nothing_twice(
    store: metering.Metering, receiver: Receiver, edit: Edit, *, is_rebuilt: bool
) -> None:
    add_endpoint(store, receiver)
    create_meter(store, "before")
    store.deliver()
    edit("UPDATE webhook_outbox SET position = 0")
    (problem,) = store.verify().problems
    assert "column position: 0 is stored; its deliveries go up to 2" in problem

    create_meter(store, "after")
    if is_rebuilt:
        store.rebuild()
    store.deliver()

    assert sent(receiver) == ["before", "after"]
    assert store.verify().ok


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "DELETE FROM webhook_outbox",
            "In table webhook_outbox, the row with endpoint_id",
        ),
        (
            "DELETE FROM webhook_delivery",
            "In table webhook_delivery, the row with endpoint_id",
        ),
        ("DELETE FROM webhook_event", "In table webhook_event, the row with event_id"),
        (
            "UPDATE webhook_outbox SET position = 99",
            "column position: 99 is stored; its deliveries go up to 2, and the log to 2",
        ),
    ],
)
def test_what_was_deleted_is_found_and_made_again(
    store: metering.Metering,
    receiver: Receiver,
    edit: Edit,
    statement: str,
    named: str,
) -> None:
    add_endpoint(store, receiver)
    create_meter(store, "only")
    store.deliver()
    edit(statement)

    assert any(named in problem for problem in store.verify().problems)
    store.rebuild()
    store.deliver()

    assert sent(receiver) == ["only"]
    assert store.verify().ok


@pytest.mark.dialect
def test_a_url_that_was_edited_is_found_and_made_what_it_was(
    store: metering.Metering, receiver: Receiver, edit: Edit
) -> None:
    endpoint = add_endpoint(store, receiver, "/right")
    edit(f"UPDATE webhook_endpoint SET url = '{receiver.url}/wrong'")

    (problem,) = store.verify().problems
    store.rebuild()
    create_meter(store)
    store.deliver()

    assert problem.startswith("In table webhook_endpoint, row position = 1, column")
    assert "/wrong' is stored, the log says" in problem
    assert store.webhook_endpoints.retrieve(endpoint.id).url == f"{receiver.url}/right"
    assert not receiver.at("/wrong")
    assert len(receiver.at("/right")) == 1
    assert store.verify().ok
