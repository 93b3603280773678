"""Malformed rows of files: each reported by its number, the rows around it kept."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.usual_usage import (
    identifiers,
    rejections,
    total,
)

ANONYMOUS = b"event_name,stripe_customer_id,value\n" + b"tokens,cus_1,1\n" * 3

ROW = b"tokens,more,cus_1,4,x\n"


def test_malformed_csv_rows_are_rejected_and_the_rows_between_are_kept(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(
        b"event_name,identifier,stripe_customer_id,value\n"
        b"tokens,zero,cus_1,1\n"
        b"tokens,one\n"
        b"tokens,two,cus_1,x\n"
        b"tokens,three,cus_1,4\n"
        b"tokens,four,cus_1,4,4,4\n"
        b"tokens,five,cus_1,8\n"
        b"six\n"
    )

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == [
        (1, None, "row_invalid"),
        (2, "two", "meter_event_invalid_value"),
        (4, None, "row_invalid"),
        (6, None, "row_invalid"),
    ]
    messages = receipt.rejections["message"].to_pylist()
    assert messages[0] == "Invalid row: expected 4 columns, found 2"
    assert messages[2] == "Invalid row: expected 4 columns, found 6"
    assert identifiers(store) == ["zero", "three", "five"]
    assert total(store, tokens) == 13


@pytest.mark.slow
def test_rows_of_a_large_csv_file_keep_their_numbers_around_malformed_ones(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    # Larger than what is parsed at a time, which is 8 MiB.
    lines = [f"tokens,cus_1,{number},{'x' * 490}".encode() for number in range(40_000)]
    lines[10] = lines[30_000] = lines[39_999] = b"tokens,malformed"
    lines[29_999] = b"tokens,cus_1,x,the row before"
    path = tmp_path / "usage.csv"
    path.write_bytes(
        b"event_name,stripe_customer_id,value,pad\n" + b"\n".join(lines) + b"\n"
    )

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == [
        (10, None, "row_invalid"),
        (29_999, None, "meter_event_invalid_value"),
        (30_000, None, "row_invalid"),
        (39_999, None, "row_invalid"),
    ]
    assert receipt.accepted == 39_996
    # Each value is the number of its row, and so ends the identifier made of it.
    for event in store.meter_events.list():
        assert event.identifier.endswith(f"-{event.payload['value']}")


def test_a_csv_line_longer_than_what_is_parsed_at_a_time_ends_in_one_clear_error(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(ANONYMOUS + b"tokens,cus_1," + b"1" * 20_000_000 + b"\n")

    with pytest.raises(metering.SourceError, match="Cannot read"):
        store.meter_events.ingest(path, now=True)


def test_rows_behind_a_quote_that_is_not_closed_are_not_lost_in_silence(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    header = b"event_name,identifier,stripe_customer_id,value,note\n"
    closed = b'tokens,one,cus_1,1,"two\nlines\n"\n'
    for behind in (b"\n\n\n", b"All lines\n"):
        path.write_bytes(header + closed + behind)
        store.meter_events.ingest(path, now=True)
        assert total(store, tokens) == 1
    path.write_bytes(header + closed + b'tokens,two,cus_1,2,"\n' + ROW * 3)

    with pytest.raises(metering.SourceError, match="'note' is not closed, 4 lines"):
        store.meter_events.ingest(path, now=True)

    path.write_bytes(header + b'tokens,"two,cus_1,2,x\n' + ROW * 3)
    (rejection,) = store.meter_events.ingest(path, now=True).rejections.to_pylist()
    assert rejection["message"].endswith("a quote in it goes on for 3 more lines")
    assert total(store, tokens) == 1


def test_malformed_json_lines_are_rejected_and_the_lines_between_are_kept(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    good = b'{"event_name": "tokens", "stripe_customer_id": "cus_1", "value": 1}'
    bad = {
        b'{"event_name": "tokens", "stripe_customer_id"': "row_invalid",
        b'{"event_name": "tokens", "value": NaN}': "row_invalid",
        b'{"event_name": "tokens", "value": -Infinity}': "row_invalid",
        b'{"event_name": "tokens", "value": 1, "value": 1}': "row_invalid",
        b'{"event_name": "tokens", "payload": {"a": 1, "a": 2}}': "row_invalid",
        b"[1, 2]": "row_invalid",
        b"5": "row_invalid",
        b"null": "row_invalid",
        b'"text"': "row_invalid",
        b"{'event_name': 'tokens'}": "row_invalid",
        good + b" " + good: "row_invalid",
        good.replace(b"cus_1", b"caf\xe9"): "row_invalid",
        b"[" * 100_000: "row_invalid",
        good.replace(b": 1", b": " + b"1" * 5000): "row_invalid",
        good.replace(b": 1", b": 1e" + b"9" * 20): "row_invalid",
        good.replace(b": 1", b": true"): "payload_invalid",
        good.replace(b": 1", b": null"): "meter_event_invalid_value",
        good.replace(b": 1", b": [1]"): "payload_invalid",
        good.replace(b"cus_1", b"\\ud800"): "invalid_characters",
        good.replace(b"cus_1", b"\\u0000"): "invalid_characters",
    }
    path = tmp_path / "usage.ndjson"
    path.write_bytes(b"".join(good + b"\n" + line + b"\n" for line in bad))

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == [
        (2 * turn + 1, None, code) for turn, code in enumerate(bad.values())
    ]
    assert receipt.accepted == len(bad)
    assert total(store, tokens) == len(bad)


def test_text_of_a_parquet_file_that_is_not_utf8_rejects_its_row_only(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    lengths = pa.array([0, 1, 3, 4], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(
        pa.string(), 3, [None, lengths, pa.py_buffer(b"a\xff\xfeb")]
    )
    path = tmp_path / "usage.parquet"
    pq.write_table(
        pa.table(
            {
                "event_name": ["tokens"] * 3,
                "identifier": texts,
                "stripe_customer_id": ["cus_1"] * 3,
                "value": ["1"] * 3,
            }
        ),
        path,
    )

    receipt = store.meter_events.ingest(path, now=True)

    assert [(row, code) for row, _, code in rejections(receipt)] == [
        (1, "invalid_characters")
    ]
    assert identifiers(store) == ["a", "b"]


def test_a_payload_in_json_that_has_no_one_meaning_is_rejected_with_the_reason(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    good = '{""stripe_customer_id"":""cus_1"",""value"":1}'
    payloads = {
        good: None,
        good.replace("1}", '1,""value"":2}'): "an object names the key 'value' twice",
        good.replace("cus_1", "\\ud800"): "has half a surrogate pair",
        good.replace("1}", '{""a"":[{""b"":1,""b"":1}]}}'): "value[a][0] names the key",
        good[:-1]: "Expecting ',' delimiter",
    }
    path = tmp_path / "usage.csv"
    lines = [f'tokens,"{each}"' for each in payloads]
    path.write_text("\n".join(["event_name,payload", *lines]))

    receipt = store.meter_events.ingest(path, now=True)

    assert (receipt.accepted, receipt.rejected) == (1, 4)
    for reason, message in zip(
        filter(None, payloads.values()),
        receipt.rejections["message"].to_pylist(),
        strict=True,
    ):
        assert message.startswith("Invalid payload: it cannot be read as JSON: ")
        assert reason in message
