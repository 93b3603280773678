"""Usage cells: the fold of a stretch of the log, with its own dictionaries.

Keys have the codes of the stretch's event names and customers, which are in byte order.
So equal usage has equal cells, however the log was cut.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.adjustments import AdjustmentFact, signed_position
from ledger.usage.columns import numbers_of
from projections.kernels.usage.dictionaries import merged_words, sorted_words
from projections.kernels.usage.folding import (
    Coded,
    cancellation_batch,
    fold_cancellations,
    fold_events,
    restored_of,
)
from projections.kernels.usage.keys import customers_of, meters_of, recode
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import CellShape
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations


class UsageCells(msgspec.Struct, frozen=True, kw_only=True):
    """Cells, the words for their codes, and the cancellations.

    Attributes:
        names: event names, in byte order; the index is the code of the meter.
        customers: in byte order; the index is the code of the customer.
        totals: one a key, sorted by key.
        lasts: one a key, sorted by key.
        cancellations: recorded in the stretch.
    """

    names: pa.Array
    customers: pa.Array
    totals: Totals
    lasts: Lasts
    cancellations: Cancellations

    @classmethod
    def in_byte_order(
        cls,
        *,
        names: pa.Array,
        customers: pa.Array,
        totals: Totals,
        lasts: Lasts,
        cancellations: Cancellations,
    ) -> "UsageCells":
        """Return cells whose words were in any order, and not all used."""
        keys = np.concatenate([totals.key, lasts.key])
        names, meters = sorted_words(names, meters_of(keys))
        customers, codes = sorted_words(customers, customers_of(keys))
        return cls(
            names=names,
            customers=customers,
            totals=Totals.combine([totals.with_key(recode(totals.key, meters, codes))]),
            lasts=Lasts.combine([lasts.with_key(recode(lasts.key, meters, codes))]),
            cancellations=cancellations,
        )

    @classmethod
    def merge(cls, parts: Sequence["UsageCells"]) -> "UsageCells":
        """Return the cells of at least one stretch, added up."""
        if len(parts) == 1:
            return parts[0]
        names, meters = merged_words([part.names for part in parts])
        customers, codes = merged_words([part.customers for part in parts])
        totals, lasts = [], []
        for part, *coding in zip(parts, meters, codes, strict=True):
            key = recode(part.totals.key, *coding)
            totals.append(part.totals.with_key(key))
            key = recode(part.lasts.key, *coding)
            lasts.append(part.lasts.with_key(key))
        return cls(
            names=names,
            customers=customers,
            totals=Totals.combine(totals),
            lasts=Lasts.combine(lasts),
            cancellations=Cancellations.together([p.cancellations for p in parts]),
        )

    def equals(self, other: "UsageCells") -> bool:
        """Whether both hold the same, to the last digit."""
        return bool(
            self.names.equals(other.names)
            and self.customers.equals(other.customers)
            and self.totals.equals(other.totals)
            and self.lasts.equals(other.lasts)
            and self.cancellations.equals(other.cancellations)
        )


def cells_of_events(
    batch: pa.RecordBatch,
    shapes: Mapping[str, CellShape],
    positions: Callable[[], np.ndarray],
) -> UsageCells:
    """Fold events.

    Args:
        batch: columns event_name, customer, timestamp and value of usage.
        shapes: of the cells of each event name.
        positions: returns the events' positions (int64), if they matter.
    """
    names, customers, coded = _coded(batch, shapes)
    totals, lasts = fold_events(coded, positions)
    return UsageCells(
        names=names,
        customers=customers,
        totals=totals,
        lasts=lasts,
        cancellations=Cancellations.of(()),
    )


def cells_of_cancellations(
    cancelled: Mapping[int, AdjustmentFact], shapes: Mapping[str, CellShape]
) -> UsageCells:
    """Fold cancellations, by their positions in log order."""
    facts = list(cancelled.values())
    batch = cancellation_batch(facts)
    names, customers, coded = _coded(batch, shapes)
    totals, lasts = fold_cancellations(coded, restored_of(facts))
    return UsageCells(
        names=names,
        customers=customers,
        totals=totals,
        lasts=lasts,
        cancellations=Cancellations.of(
            (fact.event_position, signed_position(position, fact))
            for position, fact in cancelled.items()
        ),
    )


def _coded(
    batch: pa.RecordBatch, shapes: Mapping[str, CellShape]
) -> tuple[pa.Array, pa.Array, Coded]:
    """Return the used words of events or cancellations, and the keys of their cells."""
    event_names, customers = batch.column("event_name"), batch.column("customer")
    used_names, meters = _used(event_names)
    used_customers, codes = _used(customers)
    by_name = [shapes[name] for name in event_names.dictionary.to_pylist()]
    return used_names, used_customers, Coded.of(batch, by_name, meters, codes)


def _used(encoded: pa.DictionaryArray) -> tuple[pa.Array, np.ndarray]:
    return sorted_words(encoded.dictionary, numbers_of(encoded.indices))
