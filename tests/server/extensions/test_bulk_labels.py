"""What lies beside the usage in bulk, over HTTP: kept as strings, or left out and counted."""

import json

import pyarrow as pa
import pytest

from tests.server.bulk import (
    ARROW,
    CLOUD_EVENT,
    CLOUD_EVENTS,
    NDJSON,
    arrow_of,
    cloud_event,
    new_event_name,
    numbers_of,
    recorded,
    send,
    table_of,
)
from tests.server.running import Server

OWN = {"stripe_customer_id": "cus_1", "value": "12"}


@pytest.mark.parametrize("kind", [CLOUD_EVENT, CLOUD_EVENTS])
def test_the_data_of_a_gateway_costs_no_usage(server: Server, kind: str) -> None:
    name = new_event_name(server)
    data = {
        "value": 12,
        "model": "m-large",
        "cost": None,
        "stream": True,
        "usage": {"out": 10, "in": 2},
        "temperature": 0.7,
        "messages": ["x" * 500],
    }
    event = cloud_event(name, name, data=data)
    body = json.dumps([event] if kind == CLOUD_EVENTS else event).encode()

    answered = send(server, kind, body)

    assert numbers_of(answered) == (1, 0, 0)
    assert answered.json["left_out"] == {"messages": 1}
    [found] = recorded(server, name)
    assert dict(found.payload) == {
        **OWN,
        "model": "m-large",
        "stream": "true",
        "usage": '{"out":10,"in":2}',
        "temperature": "0.7",
    }
    assert send(server, kind, body).status in {200, 202}
    assert len(recorded(server, name)) == 1


def test_nested_columns_are_recorded_and_counted(server: Server) -> None:
    name = new_event_name(server)
    table = table_of(
        name,
        [12, 12],
        usage=[{"in": 1}, None],
        ratio=[0.5, float("nan")],
        raw=[b"bytes", b"bytes"],
    )

    answered = send(server, ARROW, arrow_of(table), Accept=ARROW)

    receipt = pa.ipc.open_stream(answered.body).schema.metadata
    numbers = json.loads(receipt[b"metering.ingest_receipt"])
    assert numbers["accepted"] == 2
    assert numbers["left_out"] == {"raw": 2, "ratio": 1}
    assert [dict(each.payload) for each in recorded(server, name)] == [
        {**OWN, "usage": '{"in":1}', "ratio": "0.5"},
        OWN,
    ]


def test_only_the_columns_that_are_named_are_kept(server: Server) -> None:
    name = new_event_name(server)
    row = {"event_name": name, **OWN, "model": "large", "prompt": "x" * 501}
    query = "?customer_column=stripe_customer_id&payload_columns[]=value&now=true"

    answered = send(
        server,
        NDJSON,
        json.dumps(row).encode(),
        f"{query}&payload_columns[]=model",
    )

    assert numbers_of(answered) == (1, 0, 0)
    assert answered.json["left_out"] == {}
    [found] = recorded(server, name)
    assert dict(found.payload) == {**OWN, "model": "large"}


@pytest.mark.parametrize(
    ("kind", "query", "param"),
    [
        (NDJSON, "?payload_columns[]=absent", "absent"),
        (NDJSON, "?payload_columns=model", "payload_columns"),
        (CLOUD_EVENTS, "?payload_columns[]=model", "payload_columns"),
    ],
)
def test_columns_that_cannot_be_named_are_refused(
    server: Server, kind: str, query: str, param: str
) -> None:
    name = new_event_name(server)
    row = {"event_name": name, **OWN, "model": "large"}
    body = json.dumps([row] if kind == CLOUD_EVENTS else row).encode()

    answered = send(server, kind, body, query)

    assert answered.status == 400
    assert answered.error["param"] == param
    assert recorded(server, name) == []
