"""What folds the log, as the log sees it: tables for facts, and state in memory."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from ledger.entries import Commit


class FactFold(Protocol):
    """Tables that facts fold into, inside the append's own database transaction."""

    def is_current(self, connection: Connection) -> bool:
        """Tell whether the tables exist and were made by this fold."""

    def rebuild(self, connection: Connection, commits: Iterator[Commit]) -> None:
        """Make the tables anew from all commits of the log."""

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""


class Follower(Protocol):
    """State in memory that follows the log."""

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""

    def rebuilding(self) -> AbstractContextManager[None]:
        """Forget everything and let nobody read, until all commits are taken in."""
