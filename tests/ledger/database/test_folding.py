"""The write-ahead log of a file is folded into it, also while large commits come."""

import threading
from contextlib import closing
from pathlib import Path

from ledger.database.sqlite import SQLiteDatabase

LARGE = 2 << 20


def test_the_write_ahead_log_stays_short_while_large_commits_come(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    with closing(SQLiteDatabase(path)) as database:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE kept (body BLOB)")
        for _ in range(12):
            with database.write(LARGE) as connection:
                connection.exec_driver_sql(
                    "INSERT INTO kept VALUES (randomblob(?))", (LARGE,)
                )
        length = path.with_name("log.db-wal").stat().st_size

    assert length < 6 * LARGE
    assert path.stat().st_size > 12 * LARGE
    folding = [
        each for each in threading.enumerate() if each.name == "metering-folding"
    ]
    assert folding == []
