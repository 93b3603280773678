"""No password in an address is ever shown, however it is spelled."""

import logging
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

import metering
from ledger.database.addresses import open_database
from ledger.database.postgresql import PostgreSQLDatabase
from ledger.database.shown_addresses import shown_address, shown_text
from metering.cli.app import app

# Characters that end a part of a URL, too: in all of them stands `hunter2`.
SECRET = "hunter2"
ADDRESSES = [
    "postgresql://me:hunter2@127.0.0.1:1/usage",
    "postgresql://:hunter2@127.0.0.1:1/usage",
    "postgresql+psycopg://me:hunter2@127.0.0.1:1/usage",
    "postgres://me:hunter2@[::1]:1/usage",
    "POSTGRESQL://me:hunter2@127.0.0.1:1/usage",
    "postgresql://me:a%40hunter2@127.0.0.1:1/usage",
    "postgresql://me:a@hunter2@127.0.0.1:1/usage",
    "postgresql://me:hunter2@hunter2@127.0.0.1:1/usage",
    "postgresql://me:a/hunter2@127.0.0.1:1/usage",
    "postgresql://me:a?hunter2@127.0.0.1:1/usage",
    "postgresql://me:a#hunter2@127.0.0.1:1/usage",
    "postgresql://me:a:hunter2@127.0.0.1:1/usage",
    "postgresql://me:hunter2@127.0.0.1:port/usage",
    "postgresql://me:hunter2@127.0.0.1:1:hunter2/usage",
    "postgresql://me:hunter2@/usage?host=127.0.0.1&port=1",
    "postgresql://127.0.0.1:1/usage?password=hunter2",
    "postgresql://127.0.0.1:1/usage?user=me&password=hunter2&connect_timeout=1",
    "postgresql://127.0.0.1:1/usage?%70assword=hunter2",
    "postgresql://127.0.0.1:1/usage?PASSWORD=hunter2",
    "postgresql://127.0.0.1:1/usage?pasword=hunter2",
    "postgresql://127.0.0.1:1/usage?user=a@b&password=hunter2",
    "postgresql://127.0.0.1:1/usage?password=a&password=hunter2",
    "postgresql://127.0.0.1:1/usage?password=a:b@hunter2",
    "postgresql://127.0.0.1:1/usage?sslpassword=hunter2&sslmode=disable",
    "postgresql://127.0.0.1:1/usage?oauth_client_secret=hunter2",
    "postgresql://me:hunter2@127.0.0.1:1/usage?schema=No+Name",
    "postgresql://me:hunter2@127.0.0.1:1/us\0age",
    "host=127.0.0.1 port=1 user=me password=hunter2",
    "password = 'a hunter2' host=127.0.0.1",
    "postgresql:me:hunter2@127.0.0.1/usage",
    "postgresql:/me:hunter2@127.0.0.1/usage",
    "mysql://me:hunter2@127.0.0.1/usage",
    "mysql://127.0.0.1/usage?password=hunter2",
    "https://me:hunter2@example.com/usage?token=hunter2",
    "sqlite:///usage.db?key=hunter2",
    "://me:hunter2@127.0.0.1/usage",
    "postgresql://[me:hunter2@127.0.0.1/usage",
]
SEGMENTS = [
    "s3://AKIA:hunter2@bucket/usage",
    "s3://bucket/usage?secret_key=hunter2",
    "s3://bucket/usage?%73ecret_key=hunter2",
    "s3://bucket/usage?endpoint_override=http://a:hunter2@127.0.0.1:1",
    "gs://bucket/usage?access_token=hunter2",
    "abfs://container@account.dfs.core.windows.net/usage?sv=1&sig=hunter2",
    "abfs://account:hunter2@account.dfs.core.windows.net/usage",
    "az://container/usage?connection_string=AccountKey=hunter2",
    "az://container/usage?credential=hunter2",
    "az://container/usage?sas=hunter2",
    "simplecache::s3://AKIA:hunter2@bucket/usage",
    "ftp://me:hunter2@127.0.0.1:1/usage",
    "sftp://me:hunter2@[127.0.0.1/usage",
    "github://me:hunter2@owner:name/usage",
    "ftp://me:hunter2@127.0.0.1:port/usage",
    "file://me:hunter2@example.com/usage",
    "file:///usage?password=hunter2",
]


def opened_as_target(address: str) -> object:
    return metering.connect(address)


def opened_as_segments(address: str) -> object:
    return metering.connect(":memory:", segments=address)


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        *((each, opened_as_target) for each in ADDRESSES),
        *((each, opened_as_segments) for each in SEGMENTS),
    ],
)
def test_no_error_shows_a_password(
    address: str,
    opened: Callable[[str], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)

    with pytest.raises(metering.MeteringError) as raised:
        opened(address)

    error = raised.value
    shown = [str(error), repr(error), error.message, str(vars(error)), caplog.text]
    shown += traceback.format_exception(error)
    assert not [line for line in shown if SECRET in line]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(
    "words",
    [
        ["meters", "--store"],
        ["--store"],
        ["meters"],
        ["meters", "list"],
        ["seal", "--store", "usage", "--segments"],
        ["--store", "here", "seal", "--store"],
        ["ingest", "--store", "usage"],
    ],
)
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_command_shows_a_password(
    address: str,
    words: list[str],
    as_json: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, [*words, address, *as_json])

    assert result.exit_code != 0
    assert SECRET not in result.output + result.stderr


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("usage", "usage"),
        ("/data/a@b:c", "/data/a@b:c"),
        (":memory:", ":memory:"),
        ("postgresql://me@db:5432/usage", "postgresql://me@db:5432/usage"),
        ("postgresql://me:x@db/usage", "postgresql://me:***@db/usage"),
        (
            "postgresql://me:x@/usage?host=/run&schema=a&password=x&sslmode=require",
            "postgresql://me:***@/usage?host=/run&schema=a&sslmode=require",
        ),
        ("abfs://container@account/x", "abfs://container@account/x"),
        ("host=db password=x", "…"),
    ],
)
def test_what_holds_no_secret_is_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_addresses_in_a_message_are_shown_without_passwords() -> None:
    said = "No such file: 'postgresql://me:x@db/usage?password=x', password=x host=db"

    assert shown_text(said) == (
        "No such file: 'postgresql://me:***@db/usage', password=*** host=db"
    )


def test_an_open_database_shows_no_password(postgresql_url: str) -> None:
    url = make_url(postgresql_url).update_query_dict({"sslpassword": SECRET})
    url = url.set(password=url.password or SECRET)

    database = open_database(url.render_as_string(hide_password=False), creates=True)

    assert isinstance(database, PostgreSQLDatabase)
    with database.read() as connection:
        shown = [repr(connection.engine), str(connection.engine.url)]
    database.close()
    for each in [database.address, *shown]:
        assert SECRET not in each
        assert not re.search("password=", each)
