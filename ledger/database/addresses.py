"""Which database an address means."""

import re
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ledger.database.directories import LOG_FILE, make_directory
from ledger.database.settings import DEFAULT_SETTINGS, DatabaseSettings
from ledger.database.shown_addresses import is_connection_string, shown_address
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.store import Database
from ledger.errors import StoreMissingError, StoreUnavailableError

_OF_FILE_SYSTEM = "lost+found"
# No name that would need quotes, nor one that PostgreSQL keeps for itself.
_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


def open_database(
    address: str | Path,
    *,
    creates: bool,
    schema: str | None = None,
    settings: DatabaseSettings = DEFAULT_SETTINGS,
) -> Database:
    """Open the database at an address.

    Args:
        address: a directory, the URL of a PostgreSQL database, or ``:memory:`` for a
            store that is gone when it is closed.
        schema: of a PostgreSQL database, for the tables; None is what the URL says as
            ``?schema=``, else ``metering``.
        creates: whether to make the file, and its directory, where it is absent.
        settings: how long to wait, and with how many connections.

    Raises:
        StoreMissingError: the file is absent, and was not to be made.
        StoreUnavailableError: there is no such database, or it cannot be used.
    """
    if str(address) == ":memory:":
        return _TemporaryDatabase(settings)
    if not str(address):
        raise StoreUnavailableError("''", "its address is empty")
    if is_connection_string(str(address)):
        reason = (
            "its address is no URL; give postgresql://user@host:port/database, and the"
            " password in PGPASSWORD or a password file"
        )
        raise StoreUnavailableError(shown_address(str(address)), reason)
    if "://" in str(address):
        # The dialect takes long to load, and stores on a disk do without.
        from ledger.database.postgresql import PostgreSQLDatabase

        url = _postgresql_url(str(address))
        return PostgreSQLDatabase(
            url.difference_update_query(["schema"]), _schema(url, schema), settings
        )
    if schema is not None:
        raise StoreUnavailableError(str(address), "only PostgreSQL has schemas")
    file = Path(address) / LOG_FILE
    if not creates and not file.is_file():
        raise StoreMissingError(str(address))
    _make_directory(Path(address))
    return SQLiteDatabase(file, settings)


def open_beside(url: str, database: Database) -> Database:
    """Open a database on a server, with the secrets of another one that is there.

    Raises:
        StoreUnavailableError: it cannot be used.
    """
    from ledger.database.postgresql import PostgreSQLDatabase

    if isinstance(database, PostgreSQLDatabase):
        named = database.with_secrets(_postgresql_url(url))
        url = named.render_as_string(hide_password=False)
    return open_database(url, creates=False)


def _make_directory(directory: Path) -> None:
    """Make the directory of a store where it is absent.

    One that holds something else is more likely a mistyped path than a place for a
    store, whose first events would be recorded where nobody looks for them.
    """
    try:
        make_directory(directory)
        others = sorted(each.name for each in directory.iterdir() if _is_other(each))
    except (OSError, ValueError) as error:
        reason = f"its directory cannot be made: {error}"
        raise StoreUnavailableError(str(directory), reason) from error
    # The file is the first of what a store makes: looked for afterwards, it is there.
    if others and not (directory / LOG_FILE).exists():
        reason = (
            f"its directory holds {others[0]!r} and no store; give an empty directory or"
            " one that is to be made"
        )
        raise StoreUnavailableError(str(directory), reason)


def _is_other(path: Path) -> bool:
    """Whether a path in a directory belongs neither to a store nor to a file system."""
    return not path.name.startswith((LOG_FILE, ".")) and path.name != _OF_FILE_SYSTEM


def _postgresql_url(address: str) -> URL:
    url = None
    with suppress(ArgumentError, ValueError):
        url = make_url(address)
    if url is None or _is_misread(address, url):
        # Neither what failed nor the address is shown, as either may hold a password.
        scheme = address.partition("://")[0]
        reason = (
            "its URL cannot be read; give postgresql://user@host:port/database, with"
            " what is not a letter or digit percent-encoded in a password"
        )
        raise StoreUnavailableError(f"{scheme}://…", reason)
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        reason = "give a directory, a postgresql:// URL or :memory:"
        raise StoreUnavailableError(shown_address(address), reason)
    return url


def _is_misread(address: str, url: URL) -> bool:
    """Whether a part of a password may have become that of a host, or the other way."""
    before = address.rpartition("@")[0]
    return "@" in (url.host or "") or (url.password is not None and "?" in before)


def _schema(url: URL, given: str | None) -> str | None:
    schema = url.query.get("schema") if given is None else given
    if schema is None:
        return None
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
        reason = (
            f"its schema {schema!r} is no name; give 1 to 63 lower-case letters, digits"
            " and underscores"
        )
        address = url.render_as_string(hide_password=False)
        raise StoreUnavailableError(shown_address(address), reason)
    return schema


class _TemporaryDatabase(SQLiteDatabase):
    """A SQLite database in a directory of its own, removed when it is closed."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._temporary = ExitStack()
        try:
            path = self._temporary.enter_context(
                tempfile.TemporaryDirectory(prefix="metering-")
            )
        except OSError as error:
            reason = f"no temporary directory can be made: {error}"
            raise StoreUnavailableError(":memory:", reason) from error
        super().__init__(Path(path) / LOG_FILE, settings, is_durable=False)

    def close(self) -> None:
        super().close()
        self._temporary.close()
