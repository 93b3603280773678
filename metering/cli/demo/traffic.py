"""Usage of a language-model API, made from a seed: what the demo and benchmarks meter.

Each event is a pure function of its number, so that any batch, any past event to repeat
and any expected sum is computed directly: nothing has to be remembered, and expected
answers come from the numbers and not from a store.

Customers follow Zipf's law. Timestamps move forward, some events are hours late, and a
known share of the events repeats an earlier one exactly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from metering.arguments.clock import MICROSECOND, microseconds

VALUE_TYPE: Final = pa.decimal128(18, 3)
SCHEMA: Final = pa.schema(
    [
        pa.field("event_name", pa.string(), nullable=False),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("stripe_customer_id", pa.string(), nullable=False),
        pa.field("value", VALUE_TYPE, nullable=False),
        pa.field("model", pa.string(), nullable=False),
    ]
)
EVENT_NAMES: Final = ("input_tokens", "output_tokens", "compute_seconds")
MODELS: Final = ("small-2025-01", "medium-2025-01", "large-2025-01", "embed-2")
CUSTOMERS: Final = 10_000
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
END: Final = START + timedelta(days=30)

_ZIPF_EXPONENT: Final = 1.1
_LATE_SHARE: Final = 0.02
_LATE_HOURS_MAX: Final = 6
_RECENT_EVENTS: Final = 10_000
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_NIGHT: Final = 3 * _HOUR
# The busiest hour of a day has four times the events of the quietest.
_NIGHT_DEPTH: Final = 0.6
_GOLDEN_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_HEXADECIMAL: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_DASHES: Final = (8, 13, 18, 23)
_DIGIT_PLACES: Final = np.array([i for i in range(36) if i not in _DASHES])

Integers = npt.NDArray[np.int64]


def customer_id(rank: int) -> str:
    """Name the customer of a rank, 0 the heaviest."""
    return f"cus_{rank:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Some events of a traffic as parallel arrays, in order of number.

    Attributes:
        meter: Index into `EVENT_NAMES`.
        customer: Rank of the customer, 0 the heaviest.
        timestamp: Microseconds since 1970-01-01 UTC.
        thousandths: The value times a thousand.
    """

    meter: Integers
    customer: Integers
    timestamp: Integers
    thousandths: Integers


@dataclass(frozen=True)
class Traffic:
    """A reproducible stream of `events` events, `duplicates` of them repeated.

    An event is repeated within the same batch or a later one, half of the time within
    the last ten thousand events; the repetition equals the original in every column.

    Attributes:
        events: how many, repetitions among them.
        batch_events: how many at most in a batch; other sizes repeat other events.
        duplicate_share: how many of a batch repeat an earlier event.
        seed: other seeds make other events.
        start: inclusive, when the first event can have happened.
        end: exclusive.
        has_nights: whether fewer events happen in the night of UTC.
        customers: how many there are.
        customer_of: names the customer of a rank.
    """

    events: int
    batch_events: int
    duplicate_share: float = 0.01
    seed: int = 20250101
    start: datetime = START
    end: datetime = END
    has_nights: bool = False
    customers: int = CUSTOMERS
    customer_of: Callable[[int], str] = customer_id

    @cached_property
    def distinct(self) -> int:
        """Return how many events are left when the repeated ones are dropped."""
        return sum(self._fresh(size) for size in self._batch_sizes())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Make the batches in order, each of `SCHEMA` and at most `batch_events`."""
        first = 0
        for index, size in enumerate(self._batch_sizes()):
            yield self._batch(self._numbers(index, first, size))
            first += self._fresh(size)

    @cached_property
    def _customers(self) -> pa.StringArray:
        return pa.array([self.customer_of(rank) for rank in range(self.customers)])

    @cached_property
    def _cumulative_shares(self) -> npt.NDArray[np.float64]:
        shares = 1.0 / np.arange(1, self.customers + 1) ** _ZIPF_EXPONENT
        cumulative: npt.NDArray[np.float64] = np.cumsum(shares) / shares.sum()
        return cumulative

    def _batch_sizes(self) -> list[int]:
        whole, rest = divmod(self.events, self.batch_events)
        return [self.batch_events] * whole + [rest] * (rest > 0)

    def _fresh(self, size: int) -> int:
        return size - int(size * self.duplicate_share)

    def _numbers(self, index: int, first: int, size: int) -> Integers:
        """Number the events of a batch whose first fresh event is `first`."""
        random = np.random.default_rng((self.seed, index))
        repeated = size - self._fresh(size)
        slots = np.sort(random.choice(np.arange(1, size), repeated, replace=False))
        is_fresh = np.ones(size, dtype=np.bool_)
        is_fresh[slots] = False
        numbers = first + np.cumsum(is_fresh) - 1
        before = numbers[slots] + 1
        reach = np.where(
            random.random(repeated) < 0.5, np.minimum(before, _RECENT_EVENTS), before
        )
        numbers[slots] = before - 1 - (random.random(repeated) * reach).astype(np.int64)
        return numbers.astype(np.int64)

    def usage(self, numbers: Integers) -> Usage:
        """Compute events by their numbers, from 0 to what is distinct."""
        draws = self._uniform(numbers, 1)
        customer = np.searchsorted(self._cumulative_shares, draws, side="right")
        meter = np.searchsorted((0.4, 0.8), self._uniform(numbers, 2), side="right")
        size = self._uniform(numbers, 3)
        tokens = np.floor(np.exp2(size * 13)).astype(np.int64) * 1000
        milliseconds = np.floor(np.exp2(size * 17)).astype(np.int64)
        return Usage(
            meter=meter.astype(np.int64),
            customer=np.minimum(customer, self.customers - 1).astype(np.int64),
            timestamp=self._timestamps(numbers),
            thousandths=np.where(meter == 2, milliseconds, tokens),
        )

    def _timestamps(self, numbers: Integers) -> Integers:
        start, span = microseconds(self.start), (self.end - self.start) // MICROSECOND
        step = span / self.distinct
        offset = ((numbers + self._uniform(numbers, 4)) * step).astype(np.int64)
        if self.has_nights:
            # From the start to the end as without nights, and in the same order.
            at_ends = np.interp(
                offset, (0, span), _night_shift(np.array([start, start + span]))
            )
            offset += (_night_shift(start + offset) - at_ends).astype(np.int64)
        lateness = self._uniform(numbers, 5) / _LATE_SHARE
        late = _LATE_HOURS_MAX * _HOUR * lateness
        offset -= np.where(lateness < 1, late, 0).astype(np.int64)
        return start + np.clip(offset, 0, span - 1)

    def _batch(self, numbers: Integers) -> pa.RecordBatch:
        usage = self.usage(numbers)
        model = (self._uniform(numbers, 6) ** 2 * len(MODELS)).astype(np.int64)
        moments = pa.array(usage.timestamp, type=pa.int64())
        columns = [
            pa.array(EVENT_NAMES).take(pa.array(usage.meter)),
            self._identifiers(numbers),
            moments.cast(SCHEMA.field("timestamp").type),
            self._customers.take(pa.array(usage.customer)),
            decimals(usage.thousandths),
            pa.array(MODELS).take(pa.array(model)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    def _identifiers(self, numbers: Integers) -> pa.StringArray:
        """Write 36-character identifiers in the shape of a random UUID."""
        halves = np.empty((len(numbers), 2), dtype=">u8")
        halves[:, 0] = self._mixed(numbers, 7)
        halves[:, 1] = self._mixed(numbers, 8)
        octets = halves.view(np.uint8).reshape(-1, 16)
        digits = np.stack((octets >> 4, octets & 15), axis=2).reshape(-1, 32)
        digits[:, 12] = 4
        text = np.full((len(numbers), 36), ord("-"), dtype=np.uint8)
        text[:, _DIGIT_PLACES] = _HEXADECIMAL[digits]
        offsets = np.arange(len(numbers) + 1, dtype=np.int32) * 36
        return pa.StringArray.from_buffers(
            len(numbers), pa.py_buffer(offsets), pa.py_buffer(text)
        )

    def _uniform(self, numbers: Integers, stream: int) -> npt.NDArray[np.float64]:
        """Draw one number of [0, 1) for each event, independent of other streams."""
        draws = (self._mixed(numbers, stream) >> np.uint64(11)).astype(np.float64)
        return draws * np.float64(2.0**-53)

    def _mixed(self, numbers: Integers, stream: int) -> npt.NDArray[np.uint64]:
        """Hash event numbers; SplitMix64 (Steele et al., OOPSLA 2014)."""
        start = np.uint64(((self.seed * 16 + stream) << 32) % 2**64)
        mixed = (numbers.astype(np.uint64) + start) * _GOLDEN_GAMMA
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def decimals(thousandths: Integers) -> pa.Decimal128Array:
    """Lay integers out as decimals; Arrow has no cast that keeps the scale."""
    words = np.zeros((len(thousandths), 2), dtype=np.int64)
    words[:, 0] = thousandths
    return pa.Decimal128Array.from_buffers(
        VALUE_TYPE, len(thousandths), [None, pa.py_buffer(words)]
    )


def _night_shift(moments: Integers) -> npt.NDArray[np.float64]:
    """Move what is spread evenly away from the night, in microseconds."""
    angles = (moments - _NIGHT) % _DAY * (2 * np.pi / _DAY)
    shifts: npt.NDArray[np.float64] = np.sin(angles) * (
        _NIGHT_DEPTH * _DAY / (2 * np.pi)
    )
    return shifts
