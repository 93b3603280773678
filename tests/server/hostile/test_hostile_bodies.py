"""A body with a key takes bounded memory and time, whatever it asks for."""

import sys
import threading
from collections.abc import Iterator

import pytest

from tests.profiles import PROFILE
from tests.server.bulk import NDJSON, ndjson_of, new_event_name, send, table_of
from tests.server.hostile import bodies
from tests.server.hostile.bodies import BODIES, HostileBody
from tests.server.hostile.memory import ProcessMemory
from tests.server.running import Answered, Server, running_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it is read from /proc"),
]

MIB = 1 << 20
AT_ONCE = 4
ALONE_MAX = 300 * MIB
TOGETHER_MAX = 1_000 * MIB
WORST = (
    bodies.arrow_null_rows,
    bodies.arrow_views,
    bodies.arrow_words,
    bodies.json_labels,
    bodies.json_lists,
    bodies.parquet_word,
    bodies.parquet_labels,
)
SENT = (
    BODIES if PROFILE.is_thorough else [each for each in BODIES if each.make in WORST]
)


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has loaded all that it loads for bodies of rows."""
    with running_server(str(tmp_path_factory.mktemp("hostile") / "store")) as server:
        name = new_event_name(server, "warm")
        assert send(server, NDJSON, ndjson_of(table_of(name, [1] * 100))).status == 200
        yield server


def answers_to(server: Server, body: HostileBody, at_once: int) -> list[Answered]:
    content = body.make(new_event_name(server))
    headers = {} if body.coding is None else {"Content_Encoding": body.coding}
    answers: list[Answered] = []

    def post() -> None:
        answers.append(send(server, body.kind, content, **headers))

    threads = [threading.Thread(target=post) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("body", SENT, ids=lambda body: body.name)
def test_a_hostile_body_takes_bounded_memory(
    hostile_server: Server, body: HostileBody
) -> None:
    memory = ProcessMemory(hostile_server.process.pid)
    at_once = AT_ONCE if PROFILE.is_thorough else 1
    before = memory.resident()
    memory.forget_peak()

    answers = answers_to(hostile_server, body, at_once)

    statuses = {each.status for each in answers}
    assert len(answers) == at_once
    assert statuses <= {200, 400, 413}, answers[0].body
    most = TOGETHER_MAX if PROFILE.is_thorough else ALONE_MAX
    assert memory.peak() - before < most
