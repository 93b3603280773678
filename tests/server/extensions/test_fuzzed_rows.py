"""Whatever bytes come as rows, they are taken, or refused without a fault."""

import io
import json
from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.server.bulk import (
    ARROW,
    CLOUD_EVENT,
    CLOUD_EVENTS,
    NDJSON,
    PARQUET,
    PATH,
    arrow_of,
    cloud_event,
    ndjson_of,
    table_of,
)
from tests.server.usage import create_meter
from tests.server.witness import Witness, check_error, witnessed_server

pytestmark = pytest.mark.slow

NAME = "tokens"
TABLE = table_of(NAME, [1, 2, 3])


def parquet_of(table: pa.Table) -> bytes:
    """Its texts can be found and replaced in it."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()


WHOLE = {
    ARROW: arrow_of(TABLE, rows_per_batch=2),
    PARQUET: parquet_of(TABLE),
    NDJSON: ndjson_of(TABLE),
    CLOUD_EVENT: json.dumps(cloud_event(NAME, "tokens-a")).encode(),
    CLOUD_EVENTS: json.dumps(
        [cloud_event(NAME, f"tokens-{each}") for each in "ab"]
    ).encode(),
}
TOKENS = [
    *(b"", b"\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80"),
    *(b"\n", b"\n\n", b'"\\ud800"', b"\xef\xbb\xbf"),
    *(b'{"a":' * 3_000, b"[" * 3_000, b"9" * 5_000),
    *b"{ ] 1e400 NaN null PAR1".split(),
]


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A media type, and what is mostly of it, with some bytes that are not."""
    media_type = draw(st.sampled_from(list(WHOLE)))
    other = draw(st.sampled_from(list(WHOLE)))
    body = WHOLE[draw(st.sampled_from([media_type] * 9 + [other]))]
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 5, 20]))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.sampled_from([0, 1, 1, 4, 8, 40])))
        token = draw(
            st.sampled_from(TOKENS)
            | st.binary(min_size=end - start, max_size=end - start)
            | st.just(body[start:end] * 2)
        )
        body = body[:start] + token + body[end:]
    if draw(st.integers(0, 19)) == 0:
        body = draw(st.binary(max_size=40))
    return media_type, body


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    with witnessed_server(tmp_path_factory.mktemp("server")) as running:
        create_meter(running.server.client(), event_name=NAME)
        yield running


numbers = count()


@settings(max_examples=10 * settings().max_examples)
@given(sent=bodies(), query=st.sampled_from(["", "?backfill=true", "?value_column=a"]))
@example(
    sent=(ARROW, WHOLE[ARROW].replace(b"value", b"\x80alue")), query=""
)  # The name of a column is no text.
@example(
    sent=(NDJSON, WHOLE[NDJSON].replace(b'"1.', b'1e99999999999999999999,"a": "1.')),
    query="",
)  # The exponent of a number is endless.
def test_any_rows_are_taken_or_refused(
    witness: Witness, sent: tuple[str, bytes], query: str
) -> None:
    media_type, body = sent
    # Rows that are not there yet, so that to take one of them is seen.
    body = body.replace(b"tokens-", b"%06d-" % next(numbers))
    before = witness.look()

    answered = witness.server.ask("POST", PATH + query, body, Content_Type=media_type)

    assert answered.status < 500, answered.body
    if answered.status >= 400:
        check_error(answered, PATH)
        # What was whole before the fault may be kept, which is then told.
        if "were taken before that" not in answered.error["message"]:
            assert witness.look().head == before.head
