"""The format of a store: one number, and the numbered steps that lead up to it.

`log_head.format_version` numbers the log's own tables and the tables beside it
together, so that a release understands all of a store or refuses it. Projections are
not covered: each has a version of its own, and is made anew where that differs.

To change a table, change its definition, and append the step that brings the tables of
the version before up to it. A step runs under the write lock,
in the database transaction that writes its number: a process that is killed leaves the
version before or the version after. A new table needs no step of its own. What a store
lacks is created by the last step, as it is defined now; a step that needs a new table
before that creates it.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import CreateColumn

from ledger.commits import insert_head, read_head
from ledger.database.store import Database
from ledger.entries import genesis_head
from ledger.errors import StoreMissingError, StoreVersionError
from ledger.records import tables
from ledger.records.audits.passes import audit_pass
from ledger.records.keys import api_key
from ledger.records.outbox_tables import (
    undelivered_index,
    webhook_attempt,
    webhook_delivery,
    webhook_event,
    webhook_outbox,
)
from ledger.records.refusals import error_report, stream_error
from ledger.records.requests import idempotent_request
from ledger.records.sessions import meter_event_session
from ledger.records.signing_secrets import webhook_secret
from ledger.schema import (
    FORMAT_VERSION,
    format_version,
    log_commit,
    log_head,
    log_upgrade,
    metadata,
)

Migration = Callable[[Connection], None]

FORMAT_OF_ROW_NAMES = 7
"""From this format on, identifiers of rows of files are made as they are now."""

_SECRET_IN_ANSWER = re.compile(rb'(?P<name>"secret":")(?P<secret>whsec_[^"]+)')

BESIDE_THE_LOG = (
    audit_pass,
    api_key,
    idempotent_request,
    meter_event_session,
    stream_error,
    error_report,
    webhook_outbox,
    webhook_secret,
    webhook_event,
    webhook_delivery,
    webhook_attempt,
)
"""Every table of `ledger.records`."""


def bring_up(database: Database, epoch: str | None, steps: Sequence[Migration]) -> None:
    """Create a store, or bring one up to the format that the last step leads to.

    Args:
        database: of the store.
        epoch: identity for a new log; None where there must be one.
        steps: from version 1 on, each to the next version.

    Raises:
        StoreMissingError: there is no store, and no epoch for a new one.
        StoreVersionError: it was written by a later release.
    """
    while not _is_brought_up(database, epoch, steps):
        pass


def _is_brought_up(
    database: Database, epoch: str | None, steps: Sequence[Migration]
) -> bool:
    """Take one step, unless another process was faster, and say whether it was the last."""
    latest = len(steps) + 1
    with database.write() as connection:
        if format_version(connection) is None:
            database.make_place(connection)
        version = format_version(connection)
        if version is None:
            if epoch is None:
                raise StoreMissingError(database.address)
            create_absent_tables(connection)
            insert_head(connection, genesis_head(epoch), latest)
        elif not 1 <= version <= latest:
            raise StoreVersionError(database.address, version, latest)
        elif version < latest:
            steps[version - 1](connection)
            if version + 1 == latest:
                create_absent_tables(connection)
            connection.execute(update(log_head).values(format_version=version + 1))
            return version + 1 == latest
    return True


def create_absent_tables(connection: Connection) -> None:
    """Create the tables that a store lacks, as they are defined now."""
    metadata.create_all(connection)
    tables.metadata.create_all(connection, BESIDE_THE_LOG)


def add_column(
    connection: Connection, column: Column[int] | Column[str], default: str | None
) -> None:
    """Add a column to its table, where the store has the table already.

    Args:
        connection: holds the write lock.
        column: as it is defined now.
        default: SQL for its value in the rows that are there; None is null.
    """
    if inspect(connection).has_table(column.table.name):
        quoted = connection.dialect.identifier_preparer.format_table(column.table)
        added = str(CreateColumn(column).compile(dialect=connection.dialect))
        ending = "" if default is None else f" DEFAULT {default}"
        statement = f"ALTER TABLE {quoted} ADD COLUMN {added}{ending}"
        connection.exec_driver_sql(statement)


def _add_sealing(connection: Connection) -> None:
    """Format 1 knew no segments."""
    add_column(connection, log_head.c.sealed_position, "0")


def _keep(connection: Connection) -> None:
    """Change nothing: the number alone keeps out releases of the format before."""
    del connection


def _index_deliveries(connection: Connection) -> None:
    """Format 4 had no index of what is not delivered."""
    if inspect(connection).has_table(webhook_delivery.name):
        undelivered_index.create(connection, checkfirst=True)


def _note_position(connection: Connection) -> None:
    """Format 6 had rows of files whose identifiers were made in another way."""
    log_upgrade.create(connection, checkfirst=True)
    position = read_head(connection).position
    values = {"format_version": FORMAT_OF_ROW_NAMES, "position": position}
    connection.execute(insert(log_upgrade).values(values))


def _keep_commits_by_position(connection: Connection) -> None:
    """Format 7 kept commits in a SQLite file by a number of their own, with an index."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("ALTER TABLE log_commit RENAME TO former_commit")
        log_commit.create(connection)
        former = Table(
            "former_commit", MetaData(), *(Column(c.name, c.type) for c in log_commit.c)
        )
        connection.execute(
            insert(log_commit).from_select(
                former.c.keys(), select(former).order_by(former.c.first_position)
            )
        )
        connection.exec_driver_sql("DROP TABLE former_commit")


def _hide_secrets_in_answers(connection: Connection) -> None:
    """Format 9 kept the secret of a new webhook endpoint in the answer to its creation."""
    if not inspect(connection).has_table(idempotent_request.name):
        return
    request = idempotent_request.c
    answers = connection.execute(
        select(request.key_id, request.idempotency_key, request.body)
        .where(
            request.resource_id.like("we\\_%", escape="\\"), request.body.is_not(None)
        )
        .order_by(request.key_id, request.idempotency_key)
    ).all()
    for key_id, idempotency_key, body in answers:
        connection.execute(
            update(idempotent_request)
            .where(request.key_id == key_id, request.idempotency_key == idempotency_key)
            .values(body=_SECRET_IN_ANSWER.sub(_hashed, body))
        )


def _hashed(found: re.Match[bytes]) -> bytes:
    digest = hashlib.sha256(found["secret"]).hexdigest()
    return found["name"] + f"sha256:{digest}".encode()


STEPS: tuple[Migration, ...] = (
    _add_sealing,
    # Format 2 could lack tables beside the log; on PostgreSQL, it had no schema.
    _keep,
    # Format 3 had no table for segments; a release that knew none of it finds none.
    _keep,
    _index_deliveries,
    # Format 5 settled an invoice once; a release that does cannot fold a second time.
    _keep,
    _note_position,
    _keep_commits_by_position,
    # Format 8 had a log whose time never goes back; a release of it cannot read one.
    _keep,
    _hide_secrets_in_answers,
    # Format 10 had no products and prices; a release of it cannot read facts about them.
    _keep,
    # Format 11 knew no facts by columns; a release of it cannot read a billing run.
    _keep,
    # Format 12 had no statements; a release of it cannot read facts about them.
    _keep,
    # Format 13 had no customers and subscriptions; a release of it cannot read them.
    _keep,
    # Format 14 had no product that was deleted; a release of it cannot read of one.
    _keep,
    # Format 15 had no alert at a percentage, whose threshold a release of it misreads.
    _keep,
    # Format 16 had no alerts on spend; a release of it cannot read facts about them.
    _keep,
    # Format 17 had no holds; a release of it would draw what one keeps.
    _keep,
    # Format 18 had no alert on billing periods; a release of it cannot read one.
    _keep,
    # Format 19 had no spend limits; a release of it would hold beyond one.
    _keep,
    # Format 20 had no schedules; a release of it would not grant what falls due.
    _keep,
    # Format 21 had no pools; a release of it would give a pool's grant to a customer.
    _keep,
    # Format 22 had no holds given in usage; a release of it would forget what they were.
    _keep,
    # Format 23 had no prices of usage records; a release of it cannot state what they cost.
    _keep,
    # Format 24 had no features of products; a release of it cannot read facts about them.
    _keep,
    # Format 25 had no reports; a release of it cannot read facts about them.
    _keep,
    # Format 26 had no test clocks; a release of it would go by the log's time alone.
    _keep,
    # Format 27 had no branches; a release of it would not find where the chain of one begins.
    _keep,
    # Format 28 had no alerts on credits with unbilled usage; a release of it misreads one.
    _keep,
    # Format 29 had no corrections; a release of it would not count what is restored.
    _keep,
    # Format 30 had no audits; a release of it cannot read facts about them.
    _keep,
)
"""The step at index n leads from version n + 1 to version n + 2."""
assert len(STEPS) + 1 == FORMAT_VERSION, "the last step leads to it"
