"""Own copies of whole stores, so that one state can be killed in many ways.

A copy has the epoch and the positions of the store that it was made of, with segments
and runs of its own. Nobody may have the original open meanwhile.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.segment_places import clear_places_of, runs_of, segments_of


@contextmanager
def copied(target: str) -> Iterator[str]:
    """Copy a store, and remove the copy afterwards."""
    if "://" in target:
        with _copied_database(target) as copy:
            _copy_directory(segments_of(target), segments_of(copy))
            _copy_directory(runs_of(target), runs_of(copy))
            yield copy
        clear_places_of(copy)
    else:
        with tempfile.TemporaryDirectory(prefix="metering-copy-") as parent:
            copy = str(Path(parent) / "usage")
            _copy_directory(Path(target), Path(copy))
            yield copy


def _copy_directory(original: Path, copy: Path) -> None:
    if original.exists():
        shutil.copytree(original, copy)


@contextmanager
def _copied_database(url: str) -> Iterator[str]:
    original = make_url(url)
    name = f"metering_{uuid.uuid4().hex}"
    maintenance = original.set(database="postgres").difference_update_query(["schema"])
    server = maintenance.render_as_string(hide_password=False)
    names = sql.Identifier(name), sql.Identifier(str(original.database))
    with psycopg.connect(server, autocommit=True) as connection:
        # A process that was killed may not have left the original yet.
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(made.format(*names))
        try:
            yield original.set(database=name).render_as_string(hide_password=False)
        finally:
            dropped = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(dropped.format(names[0]))
