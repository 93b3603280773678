"""Rows in bulk that are sent again: each counts once, whatever became of the answer."""

import http.client
import signal
import threading
from dataclasses import replace

import pytest

import metering
from tests.server.bulk import (
    ARROW,
    NDJSON,
    PARQUET,
    arrow_of,
    ndjson_of,
    new_event_name,
    numbers_of,
    parquet_of,
    recorded,
    send,
    table_of,
    with_fault,
)
from tests.server.running import Answered, Server, running_server
from tests.server.usage import unique
from tests.waiting import eventually

pytestmark = pytest.mark.slow

OPTIONS = ("--rate-limit=0", "--no-worker")


def test_rows_that_carry_identifiers_count_once(server: Server) -> None:
    table = table_of(new_event_name(server), [1, 2])

    assert numbers_of(send(server, ARROW, arrow_of(table))) == (2, 0, 0)
    assert numbers_of(send(server, PARQUET, parquet_of(table))) == (0, 2, 0)


def test_rows_without_identifiers_count_once_under_an_idempotency_key(
    server: Server,
) -> None:
    name, key = new_event_name(server), unique("key")
    body = arrow_of(table_of(name, [1, 1, 1]).drop_columns("identifier"))

    first = send(server, ARROW, body, Idempotency_Key=key)
    again = send(server, ARROW, body, Idempotency_Key=key)
    other = send(server, ARROW, body, Idempotency_Key=unique("key"))
    unnamed = send(server, ARROW, body)

    assert numbers_of(first) == (3, 0, 0)
    assert numbers_of(again) == (0, 3, 0)
    assert numbers_of(other) == (3, 0, 0)
    assert numbers_of(unnamed) == (3, 0, 0)
    assert len(recorded(server, name)) == 9


def test_rows_kept_before_a_fault_count_once_when_it_is_mended(server: Server) -> None:
    name, key = new_event_name(server), unique("key")
    customers = ["cus_1"] * 119_999 + ["cus_2"]
    table = table_of(name, [1] * 120_000, stripe_customer_id=customers)
    whole = arrow_of(table.drop_columns("identifier"), rows_per_batch=40_000)

    broken = send(server, ARROW, with_fault(whole), Idempotency_Key=key)
    mended = send(server, ARROW, whole, Idempotency_Key=key)

    assert broken.status == 400
    assert numbers_of(mended) == (70_000, 50_000, 0)


def test_another_body_under_the_same_key_is_refused(server: Server) -> None:
    name, key = new_event_name(server), unique("key")
    bodies = [
        ndjson_of(table_of(name, values).drop_columns("identifier"))
        for values in ([1], [2])
    ]

    first, other = [send(server, NDJSON, each, Idempotency_Key=key) for each in bodies]

    assert numbers_of(first) == (1, 0, 0)
    assert other.status == 400
    assert other.error["type"] == "idempotency_error"
    assert len(recorded(server, name)) == 1


def test_another_body_is_refused_row_by_row_where_the_server_forgot_the_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    target = str(tmp_path_factory.mktemp("forgetful") / "usage")
    answers: list[Answered] = []
    key = ""
    for values in ([1, 2], [1, 3]):
        with running_server(target, *OPTIONS) as server:
            key = key or server.key
            name = "tokens" if answers else new_event_name(server, "tokens")
            body = ndjson_of(table_of(name, values).drop_columns("identifier"))
            same = replace(server, key=key)
            answers.append(send(same, NDJSON, body, Idempotency_Key="once"))

    assert [numbers_of(each) for each in answers] == [(2, 0, 0), (0, 1, 1)]
    (rejection,) = answers[1].json["rejections"]
    assert (rejection["row"], rejection["code"]) == (1, "identifier_conflict")


class Sender(threading.Thread):
    """Sends one body, and keeps the answer, if there is one."""

    def __init__(self, server: Server, body: bytes) -> None:
        super().__init__()
        self.numbers: tuple[int, int, int] | None = None
        self._server = server
        self._body = body

    def run(self) -> None:
        try:
            answered = send(self._server, ARROW, self._body, Idempotency_Key="once")
        except (OSError, http.client.HTTPException):
            return
        self.numbers = numbers_of(answered)


@pytest.mark.dialect
def test_either_database_takes_rows_in_bulk(store_target: str) -> None:
    with running_server(store_target, *OPTIONS) as server:
        body = arrow_of(table_of(new_event_name(server, "tokens"), [1, 2]))

        assert numbers_of(send(server, ARROW, body)) == (2, 0, 0)
        assert numbers_of(send(server, ARROW, body)) == (0, 2, 0)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_body_counts_once_when_the_server_was_stopped_amid_it(
    tmp_path_factory: pytest.TempPathFactory, stop: signal.Signals
) -> None:
    target = str(tmp_path_factory.mktemp("stopped") / "usage")
    rows = 150_000
    with running_server(target, *OPTIONS) as server:
        name, key = new_event_name(server, "tokens"), server.key
        body = arrow_of(table_of(name, [1] * rows).drop_columns("identifier"))
        sender = Sender(server, body)
        with metering.connect(target) as store:
            before = store.position
            sender.start()
            eventually(lambda: store.position > before)
            server.process.send_signal(stop)
        sender.join()
        server.process.wait()

    with running_server(target, *OPTIONS) as restarted:
        again = send(replace(restarted, key=key), ARROW, body, Idempotency_Key="once")

    accepted, duplicates, rejected = numbers_of(again)
    assert duplicates > 0
    assert (accepted + duplicates, rejected) == (rows, 0)
    if sender.numbers is not None:
        assert sender.numbers == (rows, 0, 0)
        assert duplicates == rows
    with metering.connect(target) as store:
        (summary,) = store.reaggregate().to_pylist()
        assert summary["event_count"] == rows
        assert summary["value"] == rows
