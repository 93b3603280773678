"""JSON for programs: exact numbers with all their digits, times in ISO 8601, UTC."""

import sys

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def print_document(content: object) -> None:
    """Print one JSON document."""
    _write(msgspec.json.format(_ENCODER.encode(content), indent=2))


def print_line(content: object) -> None:
    """Print one JSON document in one line."""
    _write(_ENCODER.encode(content))


def _write(document: bytes) -> None:
    sys.stdout.buffer.write(document + b"\n")
    sys.stdout.flush()
