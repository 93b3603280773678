"""What of their rate do clients with a key keep in a flood of strangers?

Sixteen connections record one event after another all the time, while strangers come and
go in turns: silent, slow, dripping, endless, guessing keys, or with no request at all.
Clients, strangers and server are processes of their own. Strangers stand for other
machines, so that theirs run at the lowest priority; those that compete with the server
for the processors are shown beside, as are those that come again at once. How much of a
core the server takes, and for an event, is recorded beside the rate. The turns follow
each other on one server, and the best one of each kind counts.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.measures import CLOCK, Parameter, Race, Size, digest, record
from bench.report.targets import (
    FLOOD,
    FLOODED_AT_EQUAL_PRIORITY,
    FLOODED_AT_ONCE,
    NOT_FLOODED,
    PROJECT,
)
from tests.server.flooding import Recorders, Strangers, flooded, held_by
from tests.server.running import Server, running_server

CLIENTS: Final = 16
ROUNDS: Final = Parameter(smoke=1, full=2)
STRANGERS: Final = Parameter(smoke=24, full=2_000)
SECONDS: Final = Parameter(smoke=1, full=30)
_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the clients came to in a turn.

    Attributes:
        seconds: that a thousand events took.
        server_cores: how many the server took.
        server_seconds: of processor time that it took for a thousand events.
        lost: of the acknowledged events, those that are not recorded.
        doubled: how many are recorded more than once.
    """

    seconds: float
    server_cores: float
    server_seconds: float
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooding:
    """A server, its clients, and how long a turn takes."""

    server: Server
    clients: Recorders
    seconds: int

    def turn(self, strangers: Strangers | None) -> Turn:
        """Let the clients record among strangers, or alone."""
        with ExitStack() as stack:
            if strangers is not None:
                stack.enter_context(flooded(self.server.url, strangers))
            self.clients.rate(self.seconds / 10)  # All have come.
            pid = self.server.process.pid
            before = held_by(pid).processor_seconds
            rate = self.clients.rate(self.seconds)
            cores = (held_by(pid).processor_seconds - before) / self.seconds
        acknowledged = set(self.clients.acknowledged)
        with self.server.store() as store:
            recorded = store.sql("SELECT identifier FROM events").column(0).to_pylist()
        return Turn(
            seconds=_EVENTS / rate,
            server_cores=cores,
            server_seconds=cores / rate * _EVENTS,
            lost=len(acknowledged.difference(recorded)),
            doubled=len(recorded) - len(set(recorded)),
        )


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Iterator[Race[Turn]]:
    """Turns with and without strangers, on one server."""
    target = str(tmp_path_factory.mktemp("flood") / "usage")
    count = STRANGERS.at(size)
    with running_server(target, "--rate-limit=0", "--no-worker") as server:
        with server.store() as store:
            store.meters.create(
                display_name="Tokens",
                event_name="tokens",
                default_aggregation={"formula": "sum"},
            )
        with Recorders(server.url, server.key, CLIENTS) as clients:
            turn = Flooding(
                server=server, clients=clients, seconds=SECONDS.at(size)
            ).turn
            yield Race(
                {
                    NOT_FLOODED: partial(turn, None),
                    PROJECT: partial(turn, Strangers(connections=count)),
                    FLOODED_AT_ONCE: partial(
                        turn, Strangers(connections=count, again_seconds=0)
                    ),
                    FLOODED_AT_EQUAL_PRIORITY: partial(
                        turn, Strangers(connections=count, niceness=0)
                    ),
                },
                ROUNDS.at(size),
                attrgetter("seconds"),
            )


@pytest.mark.benchmark(group=FLOOD, timer=CLOCK.now)
@pytest.mark.parametrize(
    "name", [PROJECT, NOT_FLOODED, FLOODED_AT_ONCE, FLOODED_AT_EQUAL_PRIORITY]
)
def test_flood(benchmark: BenchmarkFixture, race: Race[Turn], name: str) -> None:
    """Record events among strangers, and see all that was acknowledged recorded once."""
    rounds = race.report(benchmark, name)

    best = rounds[0]
    assert all((each.lost, each.doubled) == (0, 0) for each in rounds)
    record(
        benchmark,
        name,
        events=_EVENTS,
        digest=digest((best.lost, best.doubled)),
        seconds=best.seconds,
        server_cores=best.server_cores,
        server_seconds=best.server_seconds,
    )
