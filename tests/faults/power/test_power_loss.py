"""The power goes: what was acknowledged is there, once, and on it goes."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable
from multiprocessing.context import ForkServerContext

import pytest

from ledger.database.sqlite import SQLiteDatabase
from tests.faults.histories import HISTORIES, deliveries_to
from tests.faults.power.losing import Losses, Part, lose_power
from tests.figures import Figures
from tests.profiles import PROFILE, budget, taken
from tests.webhook_receiver import running_receiver

pytestmark = [pytest.mark.slow, pytest.mark.sweep]
# The states of those that take a process longer are fewer.
STATES = {
    "events one by one": 3_300,
    "events in rows": 2_800,
    "events of threads": 3_700,
    "sealing": 1_400,
    "keeping": 400,
    "recording in a spool": 4_200,
    "credits": 1_500,
    "making a store": 1_500,
    "migrating": 1_500,
}
# A sweep of more states is so many tests, which run beside each other.
STATES_AT_ONCE = 1_500 if PROFILE.is_thorough else max(STATES.values())
PARTS = [
    Part(name, number, count)
    for name, states in STATES.items()
    for count in [-(-states // STATES_AT_ONCE)]
    for number in range(count)
]
FINDINGS_MAX = 3
# A canary is found out long before.
TRIES_MAX = 1_000


@pytest.mark.parametrize("part", taken(PARTS), ids=str)
def test_a_power_loss_at_any_moment_loses_and_doubles_nothing(
    interposed: ForkServerContext, figures: Figures, part: Part
) -> None:
    """What was acknowledged is there once, whatever a power loss leaves of the rest."""
    tries = budget(STATES[part.history] // part.count)

    losses = lose_power(HISTORIES[part.history], interposed, tries, part)

    assert_nothing_lost(losses, figures)


def test_a_power_loss_while_webhooks_are_delivered_loses_and_doubles_nothing(
    interposed: ForkServerContext, figures: Figures
) -> None:
    """After a power loss, what happened is delivered, and what was delivered is not again."""
    with running_receiver() as receiver:
        history = deliveries_to(receiver.url)
        losses = lose_power(history, interposed, budget(600), Part("webhooks"))

        assert_nothing_lost(losses, figures)


def assert_nothing_lost(losses: Iterable[Losses], figures: Figures) -> None:
    findings = list[str]()
    for each in losses:
        figures.add("states", each.states, lost=each.lost, doubled=each.doubled)
        findings += each.findings
        # They are alike, and there may be thousands.
        if len(findings) > FINDINGS_MAX:
            break
    assert not findings, "\n".join(findings)


# The canaries: this harness must find what is wrong with each of these products.


def commits_without_sync() -> None:
    """Let SQLite bring commits to disk at the next checkpoint."""
    set_up = SQLiteDatabase._set_up  # noqa: SLF001  # it is the product that is changed

    def changed(self: SQLiteDatabase, driver: sqlite3.Connection, mode: str) -> None:
        set_up(self, driver, mode)
        driver.execute("PRAGMA synchronous=NORMAL").fetchone()

    pytest.MonkeyPatch().setattr(SQLiteDatabase, "_set_up", changed)


def names_without_sync() -> None:
    """Bring no directory to disk, as if a file brought its name there."""
    sync = os.fsync

    def changed(descriptor: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            sync(descriptor)

    pytest.MonkeyPatch().setattr(os, "fsync", changed)


def files_without_sync() -> None:
    """Acknowledge what was written before it is on the disk."""
    pytest.MonkeyPatch().setattr(os, "fsync", lambda _: None)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("events one by one", commits_without_sync),
        ("recording in a spool", names_without_sync),
        ("recording in a spool", files_without_sync),
        ("sealing", names_without_sync),
    ],
)
def test_a_product_that_brings_less_to_disk_is_found_out(
    interposed: ForkServerContext, name: str, changed: Callable[[], None]
) -> None:
    losses = lose_power(HISTORIES[name], interposed, TRIES_MAX, Part(name), changed)

    assert any(each.lost for each in losses)
