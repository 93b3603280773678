"""A fingerprint is that of an event, and of no other."""

import numpy as np
import pyarrow as pa
from hypothesis import given

from ledger.usage.columns import (
    UsageRow,
    concatenate,
    empty_batch,
    take_rows,
    usage_batch,
)
from ledger.usage.fingerprints import fingerprints
from tests.ledger.drafts import NOW, row, rows
from tests.ledger.usage_rows import batches


@given(batches())
def test_events_have_one_fingerprint_if_and_only_if_they_are_equal(
    events: list[UsageRow],
) -> None:
    made = fingerprints(usage_batch(events)).tolist()

    for one, its in zip(events, made, strict=True):
        for other, others in zip(events, made, strict=True):
            assert (one == other) == (its == others)


def test_every_field_and_every_entry_counts() -> None:
    first = row("a", payload=(("model", "large"), ("region", "eu")))
    others = [
        row("b", payload=first.payload),
        first._replace(event_name="requests"),
        first._replace(customer="a"),
        first._replace(timestamp=NOW + 1),
        first._replace(value=None),
        row("a", value="0", payload=first.payload),
        row("a", value="-1", payload=first.payload),
        first._replace(payload=()),
        first._replace(payload=(("model", "large"),)),
        first._replace(payload=(("model", "eu"), ("region", "large"))),
        first._replace(payload=(("large", "model"), ("region", "eu"))),
    ]

    made = fingerprints(usage_batch([first, *others]))

    assert len(set(made.tolist())) == 1 + len(others)


def test_no_events_have_no_fingerprints() -> None:
    assert fingerprints(empty_batch()).tolist() == []
    assert fingerprints(usage_batch(rows(3)).slice(3)).tolist() == []


def test_fingerprints_do_not_depend_on_how_columns_are_laid_out() -> None:
    events = [
        each._replace(value=None) if n % 3 else each for n, each in enumerate(rows(900))
    ]
    batch = usage_batch(events)
    made = fingerprints(batch)
    backwards = np.arange(900)[::-1].copy()

    assert np.array_equal(fingerprints(batch.slice(7, 400)), made[7:407])
    # So few that each word is hashed where it stands.
    assert np.array_equal(fingerprints(batch.slice(5, 2)), made[5:7])
    assert np.array_equal(fingerprints(batch.take(pa.array(backwards))), made[::-1])
    assert np.array_equal(fingerprints(take_rows(batch, backwards)), made[::-1])
    together = concatenate([batch.slice(500), batch.slice(0, 500)])
    assert np.array_equal(fingerprints(together), np.roll(made, -500))
