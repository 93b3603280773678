"""What PostgreSQL refuses while rows of credits are copied to it is an error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

import metering
from tests.metering.usual_credits import apply, balance, grant, line
from tests.metering.usual_usage import NOW
from tests.segment_places import clear_places_of, places_of

pytestmark = [pytest.mark.postgresql, pytest.mark.dialect]


@pytest.fixture
def store(postgresql_url: str) -> Iterator[metering.Metering]:
    clock, places = metering.FixedClock(NOW), places_of(postgresql_url)
    with metering.connect(postgresql_url, clock=clock, **places) as opened:
        yield opened
    clear_places_of(postgresql_url)


@contextmanager
def doing_on_insert(url: str, table: str, statement: str) -> Iterator[None]:
    """Make every insert into a table do something first."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {statement}; RETURN NEW; END $$".encode()
        )
        connection.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON metering.{table} FOR EACH ROW"
            " EXECUTE FUNCTION refuse()".encode()
        )
        yield
        connection.execute("DROP FUNCTION refuse CASCADE")


FULL = "RAISE EXCEPTION 'no room' USING ERRCODE = '53100'"
END_OF_SESSION = "PERFORM pg_terminate_backend(pg_backend_pid())"


def test_grants_on_a_full_disk_say_so_and_record_nothing(
    store: metering.Metering, postgresql_url: str
) -> None:
    with (
        doing_on_insert(postgresql_url, "credit_grant", FULL),
        pytest.raises(metering.StoreFullError, match="no room"),
    ):
        grant(store, 500)

    assert balance(store) == {}
    grant(store, 200)
    assert balance(store) == {"usd": (200, 200)}


def test_invoices_on_a_full_disk_say_so_and_draw_nothing(
    store: metering.Metering, postgresql_url: str
) -> None:
    grant(store, 500)

    with (
        doing_on_insert(postgresql_url, "credit_application", FULL),
        pytest.raises(metering.StoreFullError, match="no room"),
    ):
        apply(store, "in_1", line(100))

    assert balance(store) == {"usd": (500, 500)}
    apply(store, "in_1", line(100))
    assert balance(store) == {"usd": (400, 400)}


def test_a_connection_lost_while_rows_are_copied_is_not_used_again(
    store: metering.Metering, postgresql_url: str
) -> None:
    with (
        doing_on_insert(postgresql_url, "credit_grant", END_OF_SESSION),
        pytest.raises(metering.StoreUnavailableError),
    ):
        grant(store, 500)

    grant(store, 200)
    assert balance(store) == {"usd": (200, 200)}
