"""Traffic of a language-model API, made from a seed: what the demo meters.

Every event is a pure function of its number, so that the same traffic can be made again,
in pieces of any size, after an interruption or on another day. A request makes four
events under one identifier: that it happened, its input tokens, its output tokens (or,
where it stores embeddings, the size of the store) and its GPU seconds. Customers follow
Zipf's law within three regions, each of which has its own day and night; some events
arrive hours late, and every hundredth row repeats an earlier one, as a client does
that saw no answer. A few of these repetitions claim other usage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from metering.arguments.clock import at_microseconds

HOURS: Final = 36
EVENT_NAMES: Final = (
    "requests",
    "input_tokens",
    "output_tokens",
    "gpu_seconds",
    "storage_gb",
)
MODELS: Final = ("atlas-large", "atlas-small", "atlas-embed")
REGIONS: Final = ("us-east", "eu-west", "ap-south")

_SCHEMA: Final = pa.schema(
    [
        pa.field("event_name", pa.dictionary(pa.int32(), pa.string())),
        pa.field("identifier", pa.string()),
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("stripe_customer_id", pa.dictionary(pa.int32(), pa.string())),
        pa.field("value", pa.decimal128(18, 3)),
        pa.field("model", pa.dictionary(pa.int32(), pa.string())),
        pa.field("region", pa.dictionary(pa.int32(), pa.string())),
    ]
)
_REQUESTS, _INPUT, _OUTPUT, _GPU, _STORAGE = range(5)
_LARGE, _SMALL, _EMBED = range(3)
_EVENTS_PER_REQUEST: Final = 4
_ROWS_PER_REPETITION: Final = 100
_REPETITIONS_PER_CONFLICT: Final = 2_000
_LATE_SHARE: Final = 0.02
_LATE_HOURS_MAX: Final = 6
_CUSTOMERS_PER_REGION: Final = 300
_ZIPF_EXPONENT: Final = 1.1
_BUSIEST_UTC_HOURS: Final = np.array([[19.0], [12.0], [6.0]])
_NIGHT_SHARE: Final = 0.1
_HOUR: Final = 3_600_000_000
_STEPS_PER_HOUR: Final = 12
_GOLDEN_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_DIGITS: Final = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", np.uint8)
_NAMES: Final = [
    "amber",
    "ash",
    "birch",
    "cedar",
    "cobalt",
    "coral",
    "delta",
    "ember",
    "fern",
    "flint",
    "garnet",
    "harbor",
    "hazel",
    "iris",
    "juniper",
    "lark",
    "linden",
    "maple",
    "marble",
    "mesa",
    "north",
    "onyx",
    "opal",
    "pine",
    "quartz",
    "river",
    "sage",
    "slate",
    "summit",
    "thistle",
]
# By rank, and within a rank by region.
_CUSTOMERS: Final = tuple(
    f"cus_{_NAMES[number % 30]}_{number // 30}"
    if number >= 30
    else f"cus_{_NAMES[number]}"
    for number in range(_CUSTOMERS_PER_REGION * len(REGIONS))
)

_Integers = npt.NDArray[np.int64]
_Fractions = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """Where an event of the traffic is found."""

    event_name: str
    identifier: str
    customer: str
    timestamp: datetime


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A reproducible day and a half of usage.

    Attributes:
        rows: how many rows are sent, repetitions among them; at least 1.
        end: a whole hour in UTC, before which everything happens.
        seed: other seeds make other events.
    """

    rows: int
    end: datetime
    seed: int

    def __post_init__(self) -> None:
        """Check what every formula below takes for granted."""
        assert self.rows > 0, "there is something to send"
        assert self.end == floor_hour(self.end), "hours are shown whole"

    @property
    def start(self) -> datetime:
        """Tell when the first event can have happened."""
        return self.end - timedelta(hours=HOURS)

    @property
    def heaviest_customers(self) -> list[str]:
        """Name a dozen customers, who have the most requests on the whole."""
        return list(_CUSTOMERS[:12])

    def batches(self, rows_at_a_time: int) -> Iterator[pa.RecordBatch]:
        """Make all rows, in the order in which they are sent."""
        for start in range(0, self.rows, rows_at_a_time):
            stop = min(self.rows, start + rows_at_a_time)
            yield self._batch(np.arange(start, stop))

    def failed_events(self, count: int) -> list[SentEvent]:
        """Name the output tokens, or the stored size, of requests that failed.

        None is of the customer of `disputed_event`.
        """
        requests = self._whole_requests
        customer, _ = self._senders(requests)
        requests = requests[customer != 0]
        chosen = np.argsort(self._draw(requests, 9), kind="stable")[:count]
        return self._sent(requests[chosen], _OUTPUT)

    def disputed_event(self) -> SentEvent | None:
        """Name the largest input of the heaviest customer, if any was sent."""
        requests = self._whole_requests
        customer, _ = self._senders(requests)
        requests = requests[customer == 0]
        largest = np.argsort(-self._input_tokens(requests), kind="stable")[:1]
        return next(iter(self._sent(requests[largest], _INPUT)), None)

    @property
    def _events(self) -> int:
        return self.rows - self.rows // _ROWS_PER_REPETITION

    @property
    def _requests(self) -> int:
        return -(-self._events // _EVENTS_PER_REQUEST)

    @property
    def _whole_requests(self) -> _Integers:
        return np.arange(self._events // _EVENTS_PER_REQUEST)

    def _sent(self, requests: _Integers, kind: int) -> list[SentEvent]:
        customer, _ = self._senders(requests)
        is_embedding = self._models(requests) == _EMBED
        kinds = np.where(is_embedding & (kind == _OUTPUT), _STORAGE, kind)
        identifiers = _identifiers(self._draw(requests, 0)).to_pylist()
        times = self._times(requests).tolist()
        return [
            SentEvent(
                event_name=EVENT_NAMES[kinds[at]],
                identifier=identifiers[at],
                customer=_CUSTOMERS[customer[at]],
                timestamp=at_microseconds(times[at]),
            )
            for at in range(len(requests))
        ]

    def _batch(self, rows: _Integers) -> pa.RecordBatch:
        numbers, is_conflict = self._numbers(rows)
        requests, kind = np.divmod(numbers, _EVENTS_PER_REQUEST)
        customer, region = self._senders(requests)
        model = self._models(requests)
        kind[(kind == _OUTPUT) & (model == _EMBED)] = _STORAGE
        thousandths = self._thousandths(requests, kind, customer, model)
        thousandths[is_conflict] += 1_000
        columns = [
            _words(kind, EVENT_NAMES),
            _identifiers(self._draw(requests, 0)),
            pa.array(self._times(requests)).view(_SCHEMA.field("timestamp").type),
            _words(customer, _CUSTOMERS),
            _decimals(thousandths, is_null=kind == _REQUESTS),
            _words(model, MODELS),
            _words(region, REGIONS),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    def _numbers(self, rows: _Integers) -> tuple[_Integers, npt.NDArray[np.bool_]]:
        """Number the event of each row, and tell which rows contradict theirs."""
        repetition, place = np.divmod(rows, _ROWS_PER_REPETITION)
        is_repetition = place == _ROWS_PER_REPETITION - 1
        chance = self._draw(rows, 1)
        # Never a multiple of a hundred: what is repeated is no repetition itself.
        near = 1 + (chance % np.uint64(_ROWS_PER_REPETITION - 2)).astype(np.int64)
        far = (chance >> np.uint64(32)).astype(np.int64) % 400 * _ROWS_PER_REPETITION
        back = np.where(near + far <= rows, near + far, near)
        sent = np.where(is_repetition, rows - back, rows)
        numbers = sent - sent // _ROWS_PER_REPETITION
        is_conflict = is_repetition & (repetition % _REPETITIONS_PER_CONFLICT == 7)
        # The input tokens of the request before, which were sent long ago.
        before = np.maximum(numbers // _EVENTS_PER_REQUEST - 1, 0)
        contradicted = before * _EVENTS_PER_REQUEST + _INPUT
        return np.where(is_conflict, contradicted, numbers), is_conflict

    def _senders(self, requests: _Integers) -> tuple[_Integers, _Integers]:
        """Choose customer and region of requests."""
        at, _, shares = self._curve
        hour = np.interp(self._places(requests), self._curve[1], at)
        chance = self._fraction(requests, 2)
        region = np.zeros(len(requests), np.int64)
        for share in shares[:-1]:
            region += chance >= np.interp(hour, at, share)
        weights = 1 / np.arange(1, _CUSTOMERS_PER_REGION + 1) ** _ZIPF_EXPONENT
        cumulated = weights.cumsum() / weights.sum()
        rank = np.searchsorted(cumulated, self._fraction(requests, 3), "right")
        rank = np.minimum(rank, _CUSTOMERS_PER_REGION - 1)
        return rank * len(REGIONS) + region, region

    def _times(self, requests: _Integers) -> _Integers:
        """Tell when requests happened: in their order, but for those that are late."""
        at, cumulated, _ = self._curve
        hours = np.interp(self._places(requests), cumulated, at)
        delays = self._fraction(requests, 4) * _LATE_HOURS_MAX
        hours -= np.where(self._is_late(requests), np.minimum(delays, hours), 0)
        start = int(self.start.timestamp()) * 1_000_000
        return start + (hours * _HOUR).astype(np.int64)

    def _is_late(self, requests: _Integers) -> npt.NDArray[np.bool_]:
        is_late: npt.NDArray[np.bool_] = self._fraction(requests, 5) < _LATE_SHARE
        return is_late

    def _models(self, requests: _Integers) -> _Integers:
        return np.searchsorted([0.25, 0.8], self._fraction(requests, 6), "right")

    def _input_tokens(self, requests: _Integers) -> _Integers:
        return (50 * 80 ** self._fraction(requests, 7)).astype(np.int64)

    def _thousandths(
        self,
        requests: _Integers,
        kind: _Integers,
        customer: _Integers,
        model: _Integers,
    ) -> _Integers:
        """Make the values, a thousand times as large."""
        input_tokens = self._input_tokens(requests)
        output_tokens = (20 * 40 ** self._fraction(requests, 8)).astype(np.int64)
        work = np.array([9, 3, 0])[model] * output_tokens + input_tokens // 4
        size = (customer * 7_919 + 1_300) % 48_000
        growth = size * requests // (6 * self._requests)
        return np.select(
            [kind == _INPUT, kind == _OUTPUT, kind == _GPU, kind == _STORAGE],
            [input_tokens * 1_000, output_tokens * 1_000, work, size + growth],
            0,
        )

    def _places(self, requests: _Integers) -> _Fractions:
        return (requests + 0.5) / self._requests

    @cached_property
    def _curve(self) -> tuple[_Fractions, _Fractions, _Fractions]:
        """Hours from the start, share of requests before, share up to each region."""
        at = np.arange(HOURS * _STEPS_PER_HOUR + 1) / _STEPS_PER_HOUR
        phase = (self.start.hour + at - _BUSIEST_UTC_HOURS) * (2 * np.pi / 24)
        activity = _NIGHT_SHARE + ((1 + np.cos(phase)) / 2) ** 2
        shares = activity.cumsum(axis=0) / activity.sum(axis=0)
        cumulated = np.concatenate([[0], activity.sum(axis=0)[:-1].cumsum()])
        return at, cumulated / cumulated[-1], shares

    @cached_property
    def _key(self) -> np.uint64:
        identity = np.array([self.seed, self.rows], np.int64).view(np.uint64)
        first, second = _mixed(identity + np.array([1, 2], np.uint64))
        return np.uint64(first ^ second)

    def _draw(self, numbers: _Integers, purpose: int) -> npt.NDArray[np.uint64]:
        """Draw 64 bits for each number, other ones for each purpose."""
        salt = _mixed(np.array([purpose], np.uint64) + self._key)
        return _mixed(numbers.view(np.uint64) * _GOLDEN_GAMMA ^ salt)

    def _fraction(self, numbers: _Integers, purpose: int) -> _Fractions:
        bits = self._draw(numbers, purpose) >> np.uint64(11)
        return bits.astype(np.float64) * 2.0**-53


def floor_hour(time: datetime) -> datetime:
    """Go back to the last whole hour."""
    return time.replace(minute=0, second=0, microsecond=0)


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix bits as SplitMix64 does. Source: https://prng.di.unimi.it/splitmix64.c."""
    bits = bits + _GOLDEN_GAMMA
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _words(codes: _Integers, words: tuple[str, ...]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _identifiers(bits: npt.NDArray[np.uint64]) -> pa.Array:
    """Write 60 of 64 bits as ``req_`` and 12 letters and digits."""
    shifts = np.arange(55, -5, -5, dtype=np.uint64)
    text = np.empty((len(bits), 16), np.uint8)
    text[:, :4] = np.frombuffer(b"req_", np.uint8)
    text[:, 4:] = _DIGITS[(bits[:, None] >> shifts) & np.uint64(31)]
    offsets = np.arange(len(bits) + 1, dtype=np.int32) * 16
    return pa.StringArray.from_buffers(
        len(bits), pa.py_buffer(offsets), pa.py_buffer(text)
    )


def _decimals(thousandths: _Integers, *, is_null: npt.NDArray[np.bool_]) -> pa.Array:
    """Read integers as decimals of three fraction digits."""
    assert (thousandths >= 0).all(), "the upper half of the 128 bits stays empty"
    halves = np.zeros((len(thousandths), 2), np.int64)
    halves[:, 0] = thousandths
    valid = np.packbits(~is_null, bitorder="little")
    return pa.Array.from_buffers(
        _SCHEMA.field("value").type,
        len(thousandths),
        [pa.py_buffer(valid), pa.py_buffer(halves)],
    )
