"""What release 0.1.0 stored is read by this one, with the same answers."""

import importlib
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect

import metering
from ledger import records
from ledger.database.addresses import open_database
from ledger.migrations import BESIDE_THE_LOG
from ledger.records import tables
from ledger.records.requests import Requests
from ledger.schema import FORMAT_VERSION, format_version
from ledger.schema import metadata as schema_of_the_log
from tests.metering.store_0_1_0 import OldStore, answers_of, unpacked
from tests.metering.usual_usage import create_meter
from tests.postgresql_server import fresh_database


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=[pytest.mark.postgresql]),
    ]
)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OldStore]:
    """A store as release 0.1.0 left it, on each database in turn."""
    if request.param == "sqlite":
        yield unpacked(tmp_path, None)
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as url:
        yield unpacked(tmp_path, url)


def test_every_answer_is_the_one_it_gave(old: OldStore) -> None:
    with old.connect() as store:
        answers = answers_of(store, old.secrets)
        report = store.verify()

    for name, expected in old.answers.items():
        assert answers[name] == expected, name
    assert report.ok, report.problems
    assert format_of(old) == FORMAT_VERSION


def test_it_goes_on_where_it_was(old: OldStore) -> None:
    with old.connect() as store:
        before = store.position
        sent = store.meter_events.create(
            event_name="calls",
            payload={"stripe_customer_id": "cus_a"},
            timestamp=old.now,
        )
        receipt = store.deliver()

        assert sent.position == before + 1
        assert receipt.failed == 0
        assert store.seal() == 1
        assert store.verify().ok
    with old.connect() as store:
        assert store.position == before + 1
        assert store.verify().ok


def test_requests_that_were_done_are_known(old: OldStore) -> None:
    with old.connect():
        pass

    with (
        closing(open_database(old.target, creates=False)) as database,
        database.read() as connection,
    ):
        requests = Requests(connection)
        now = int(old.now.timestamp() * 1_000_000)
        known = [
            requests.find(old.secrets["key_id"], f"idem-{number}", lambda: now)
            for number in (1, 2, 3)
        ]

    assert [each.request_id for each in known if each] == ["req_1", "req_2", "req_3"]
    assert known[0] is not None
    assert (known[0].status, known[0].body) == (200, b'{"answered": true}')


def test_its_tables_become_those_of_a_new_store(old: OldStore, tmp_path: Path) -> None:
    target, schema = old.target, None
    if "://" in target:
        schema = "new_one"
    else:
        target = str(tmp_path / "new")
    with old.connect(), metering.connect(target, schema=schema):
        pass

    assert tables_of(old.target) == tables_of(target, schema)


def tables_of(target: str, schema: str | None = None) -> dict[str, object]:
    """What a database says of the tables that are migrated: columns, keys, indexes."""
    with (
        closing(open_database(target, creates=False, schema=schema)) as database,
        database.read() as connection,
    ):
        found = inspect(connection)
        return {
            name: (
                {
                    each["name"]: (str(each["type"]), each["nullable"])
                    for each in found.get_columns(name)
                },
                found.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (str(each["name"]), each["column_names"], each["unique"])
                    for each in found.get_indexes(name)
                ),
                sorted(
                    each["column_names"] for each in found.get_unique_constraints(name)
                ),
                sorted(each["sqltext"] for each in found.get_check_constraints(name)),
            )
            for name in (*schema_of_the_log.tables, *tables.metadata.tables)
        }


def test_every_table_beside_the_log_is_listed() -> None:
    # What is not listed would be in no store.
    for each in pkgutil.iter_modules(records.__path__):
        importlib.import_module(f"ledger.records.{each.name}")

    assert {each.name for each in BESIDE_THE_LOG} == set(tables.metadata.tables)


def test_processes_that_open_it_at_once_bring_it_up_once(old: OldStore) -> None:
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: old.connect(), range(4)))

    assert [each.position for each in opened] == [old.answers["position"]] * 4
    assert all(each.verify().ok for each in opened)
    for each in opened:
        each.close()


def test_it_is_found_where_it_must_exist(old: OldStore) -> None:
    places = dict(old.places)
    with metering.connect(old.target, create=False, **places) as store:
        assert store.position == old.answers["position"]


def format_of(old: OldStore) -> int | None:
    with (
        closing(open_database(old.target, creates=False)) as database,
        database.read() as connection,
    ):
        return format_version(connection)


# In a database that it shares with an application.


@pytest.fixture
def shared(postgresql_url: str, tmp_path: Path) -> OldStore:
    """An old store in `public`, whose `api_key` is the application's."""
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE meter (id integer PRIMARY KEY, name text)")
        connection.execute("INSERT INTO meter VALUES (1, 'water')")
    return OldStore(
        target=postgresql_url,
        places={"segments": tmp_path / "segments", "cache": tmp_path / "cache"},
        now=unpacked(tmp_path, None).now,
        secrets={},
        answers={},
    )


@pytest.mark.postgresql
@pytest.mark.dialect
def test_tables_of_the_application_are_neither_used_nor_touched(
    shared: OldStore,
) -> None:
    with shared.connect() as store:
        create_meter(store, "calls", "count")

    with psycopg.connect(shared.target) as connection:
        assert connection.execute("SELECT * FROM meter").fetchall() == [(1, "water")]
        there = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public'"
        ).fetchall()
    assert there == [("meter",)]


@pytest.mark.postgresql
@pytest.mark.dialect
def test_a_search_path_to_another_store_is_not_ignored(postgresql_url: str) -> None:
    for schema in ("metering", "one"):
        metering.connect(postgresql_url, schema=schema).close()
    separator = "&" if "?" in postgresql_url else "?"
    with_path = f"{postgresql_url}{separator}options=-csearch_path%3Done"

    with pytest.raises(metering.StoreUnavailableError) as caught:
        metering.connect(with_path)
    metering.connect(with_path, schema="one").close()
    metering.connect(postgresql_url).close()

    assert caught.value.message.endswith(
        " cannot be used: its search path leads to a store in the schema one, and the"
        " schema metering has another one; say which by ?schema="
    )


@pytest.mark.postgresql
@pytest.mark.dialect
def test_a_table_of_another_shape_is_left_where_it_is(
    postgresql_url: str, tmp_path: Path
) -> None:
    old = unpacked(tmp_path, postgresql_url)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("DROP TABLE api_key")
        connection.execute("CREATE TABLE api_key (id integer, secret text)")
        connection.execute("INSERT INTO api_key VALUES (7, 'theirs')")

    with old.connect() as store:
        assert store.verify().ok
        assert store.api_keys.list() == []

    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SELECT * FROM public.api_key").fetchall() == [
            (7, "theirs")
        ]
        left = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
    assert left == [("api_key",)]


@pytest.mark.postgresql
@pytest.mark.dialect
@pytest.mark.parametrize(
    "change",
    [
        # As a store has it that began at format 1.
        """
        ALTER TABLE log_head DROP COLUMN sealed_position;
        ALTER TABLE log_head ADD COLUMN sealed_position bigint NOT NULL DEFAULT 0;
        UPDATE log_head SET sealed_position =
            (SELECT coalesce(max(up_to), 0) FROM log_segment)
        """,
        "ALTER TABLE log_commit ADD COLUMN note text",
        "ALTER TABLE credit_grant ADD COLUMN note text",
        # A table of the application, where a projection would be.
        "DROP TABLE meter; CREATE TABLE meter (id integer, name text)",
    ],
)
def test_a_store_moves_though_its_tables_were_altered(
    postgresql_url: str, tmp_path: Path, change: str
) -> None:
    old = unpacked(tmp_path, postgresql_url)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(change.encode())

    with old.connect() as store:
        assert store.position == old.answers["position"]
        assert [each.id for each in store.meters.list()] == [
            each["id"] for each in old.answers["meters"]
        ]
        assert store.verify().ok


@pytest.mark.postgresql
@pytest.mark.dialect
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("log_head", "ALTER TABLE log_head DROP COLUMN facts_position"),
        ("log_commit", "ALTER TABLE log_commit DROP COLUMN kind"),
        ("log_commit", "DROP TABLE log_commit"),
    ],
)
def test_no_store_is_begun_beside_one_that_cannot_be_moved(
    postgresql_url: str, tmp_path: Path, table: str, change: str
) -> None:
    old = unpacked(tmp_path, postgresql_url)
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(change.encode())

    with pytest.raises(
        metering.StoreUnavailableError, match=f"schema public .* table {table}"
    ):
        old.connect()

    with psycopg.connect(postgresql_url) as connection:
        began = connection.execute("SELECT to_regclass('metering.log_head')")
        assert began.fetchone() == (None,)


@pytest.mark.postgresql
@pytest.mark.dialect
def test_a_process_of_the_earlier_release_is_refused_after_the_move(
    postgresql_url: str, tmp_path: Path
) -> None:
    old = unpacked(tmp_path, postgresql_url)
    with old.connect():
        pass

    # What that release reads first, along its search path.
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("SELECT format_version FROM log_head").fetchall()
    # The first format with a schema, which it refuses as it would a later one.
    assert found == [(3,)]


@pytest.mark.postgresql
@pytest.mark.dialect
def test_another_schema_begins_a_store_of_its_own(
    postgresql_url: str, tmp_path: Path
) -> None:
    old = unpacked(tmp_path, postgresql_url)

    with metering.connect(old.target, schema="second", **old.places) as second:
        assert second.position == 0
        with old.connect() as first:
            assert first.position == old.answers["position"]
            create_meter(second, "calls", "count")
            assert first.position == old.answers["position"]
            assert [each.event_name for each in second.meters.list()] == ["calls"]


@pytest.mark.postgresql
@pytest.mark.dialect
def test_stores_in_two_schemas_do_not_wait_for_each_other(postgresql_url: str) -> None:
    with (
        metering.connect(postgresql_url),
        metering.connect(f"{postgresql_url}&schema=second") as second,
        closing(open_database(postgresql_url, creates=False)) as first,
        first.write(),
    ):
        create_meter(second, "calls", "count")

        assert [each.event_name for each in second.meters.list()] == ["calls"]
