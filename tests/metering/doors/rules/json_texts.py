"""Own the cells of JSON: one parser, that keeps no last key and guesses nothing."""

from tests.metering.doors.cells import Case, Rule
from tests.metering.doors.doors import BY_NAME, CLOUD_EVENTS
from tests.metering.doors.sending import Event, Json, Refused, Right, Wire

NO_JSON = "it takes values, columns, cells or a form, not JSON"
READERS = (
    "ndjson",
    "command",
    "v2",
    "stream",
    "bulk-ndjson",
    *CLOUD_EVENTS,
)
BOM = Wire(pack=b"\xef\xbb\xbf".__add__)


def in_utf_16(content: bytes) -> bytes:
    """Write a text as a spreadsheet's "Unicode text" does."""
    return content.decode().encode("utf-16")


RULE = Rule(
    "JSON is read by one parser",
    (
        Case(
            name="an object that names a key twice",
            events=(Event(payload={"a": Json('"1","a":"2"')}),),
            source=Refused("", "twice"),
        ),
        Case(
            name="a text that is nested without end",
            events=(Event(payload={"a": Json("[" * 5_000 + "]" * 5_000)}),),
            source=Refused("", "deep"),
        ),
        Case(
            name="half a surrogate pair",
            events=(Event(payload={"a": Json('"\\ud800"')}),),
            source=Refused("", "surrogate"),
        ),
        Case(
            name="no number",
            events=(Event(payload={"a": Json("NaN")}),),
            source=Refused("", "NaN"),
        ),
        Case(
            name="a byte order mark",
            wire=BOM,
            right=(Right(),),
            empty={"v1": "a form has no such mark"},
        ),
        Case(
            name="UTF-16",
            wire=Wire(pack=in_utf_16),
            source=Refused("", "UTF-16"),
            empty={"v1": "a form is ASCII"},
        ),
    ),
    nowhere={name: NO_JSON for name in BY_NAME if name not in READERS},
)
