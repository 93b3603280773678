"""Own the neutral form of what is sent, and of what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pyarrow as pa


class Nothing(Enum):
    """What is not written at all; None is written, as a null."""

    ABSENT = "absent"


ABSENT = Nothing.ABSENT
TIME = "2026-03-01T10:00:00Z"
IDENTIFIER = "sender/1"


@dataclass(frozen=True)
class Json:
    """A value as JSON that no encoder writes, such as an object with a key twice."""

    text: str


@dataclass(frozen=True)
class Bare:
    """A cell of CSV that stands without quotes."""

    text: str


@dataclass(frozen=True)
class Typed:
    """A cell of a column of one Arrow type."""

    value: object
    type: pa.DataType


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a sender knows of one event; each door writes it in its own way.

    Attributes:
        event_name: that of the cell's meter, where None.
        identifier: a CloudEvent has it in two parts, source and id.
        time: as text, number or datetime.
        payload: all beside customer and value, of any kind that JSON has.
    """

    event_name: str | None = None
    identifier: object = IDENTIFIER
    time: object = TIME
    customer: object = "cus_1"
    value: object = "1"
    payload: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What is done to the bytes of a text format on their way.

    Attributes:
        pack: makes the bytes that are sent.
        coding: what they are called in a header.
        ending: what a file's name ends in.
    """

    pack: Any
    coding: str | None = None
    ending: str = ""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """Some events on their way through one door.

    Attributes:
        options: of the ingestion, by the names that they have in the library.
        columns: which column holds a role, as the door is told.
        written: which column holds a role, as the source has it.
        headers: of HTTP alone.
    """

    events: tuple[Event, ...] = (Event(),)
    options: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    wire: Wire | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Right:
    """An event that was recorded, and what is stored of it.

    Attributes:
        at: its timestamp, ISO 8601 with all its digits.
        identifier: the one that was sent, where None.
    """

    value: str | None = "1"
    at: str = TIME
    customer: str = "cus_1"
    payload: Mapping[str, str] = field(default_factory=dict)
    identifier: str | None = None


@dataclass(frozen=True)
class Refused:
    """An event or a source that was refused.

    Attributes:
        code: empty where every door has its own.
        words: some of the message.
        v2: the code in v2, where it has another.
        v1: that in v1.
    """

    code: str
    words: str = ""
    v2: str | None = None
    v1: str | None = None


class Repeated(Enum):
    """An event that had been recorded before, and counts once."""

    DUPLICATE = "duplicate"


DUPLICATE = Repeated.DUPLICATE
Fate = Right | Refused | Repeated


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a door said of a sending.

    Attributes:
        refused: by number of the event.
        left_out: how many values of a payload key were left out.
        rounded: how many values were rounded.
        source: why nothing of the source was read.
        statuses: of HTTP, of each request.
    """

    refused: Mapping[int, Refused] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    rounded: int = 0
    source: Refused | None = None
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a sending: the fate of each event, and what the door said of all."""

    events: tuple[Fate, ...]
    taken: Taken
