"""The cells of everyone add up alike, however they are cut into pieces of customers.

Segments, a run of several of them and the tail have other customers each, in other codes.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ledger.usage.columns import UsageRow
from projections.kernels.usage.keys import HOURS, customers_of
from projections.usage.everyone.slots import slots_of_cells
from projections.usage.everyone.sources import WantedCells
from projections.usage.everyone.windowed import (
    CELLS_AT_A_TIME,
    AddedCells,
    added_lasts,
    added_totals,
)
from projections.windows import HOUR
from tests.projections.usage.usage_model import EVENT, METERS, Known, Model
from tests.projections.usage_logs import OpenUsage, created, open_usage

FIRST = EVENT.timestamp // HOUR
# In byte order, and recorded in another.
CUSTOMERS = ["Zoë", "cus_1", "cus_10", "cus_2", "größe", "größer"]


@pytest.fixture(scope="module")
def lived(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[OpenUsage, Model]]:
    """Two segments and a tail, of whose customers some are in each, and a cancellation."""
    directory: Path = tmp_path_factory.mktemp("everyone")
    model = Model()
    with open_usage(directory) as opened:
        opened.record(*(created(name, *kind) for name, kind in METERS.items()))
        for whose in ([5, 0, 3], [3, 1], [4, 2, 0, 3]):
            events = [
                EVENT._replace(
                    event_name=name,
                    customer=CUSTOMERS[rank],
                    timestamp=(FIRST + hour) * HOUR,
                    value=Decimal(f"{rank + 1}.5".ljust(14, "0")),
                )
                for name in ("sum", "last", "sum hourly")
                for rank in whose
                for hour in (0, rank, 30)
            ]
            record(opened, model, events)
            if len(whose) < 4:
                opened.log.seal()
        cancel(opened, model, model.events[0])
        yield opened, model


def record(opened: OpenUsage, model: Model, events: Sequence[UsageRow]) -> None:
    model.record(opened.append(events), events)


def cancel(opened: OpenUsage, model: Model, known: Known) -> None:
    known.cancelled_at = opened.record(known.cancellation())


@pytest.mark.parametrize("at_a_time", [1, 2, 5, CELLS_AT_A_TIME])
@pytest.mark.parametrize("customers", [None, CUSTOMERS[1:4]], ids=["all", "some"])
@pytest.mark.parametrize("name", ["sum", "last", "sum hourly"])
def test_pieces_of_customers_are_all_of_them_in_order(
    lived: tuple[OpenUsage, Model],
    name: str,
    customers: list[str] | None,
    at_a_time: int,
) -> None:
    opened, model = lived
    view = opened.usage.view()
    slots = slots_of_cells(FIRST * HOUR, (FIRST + 30) * HOUR, view.ends())
    wanted = WantedCells(
        meter=name,
        is_windowed=name == "sum hourly",
        slots=slots,
        customers=None if customers is None else frozenset(customers),
        is_narrow=False,
    )

    def told(_: int, added: AddedCells[Any]) -> list[tuple[str, int, int]]:
        whose = added.customers.take(pa.array(customers_of(added.cells.key)))
        hours = slots.starts[(added.cells.key & HOURS).view(np.int64)] // HOUR
        counts = added.cells.count.tolist()
        return list(zip(whose.to_pylist(), hours.tolist(), counts, strict=True))

    add_up = added_totals if name == "sum" else added_lasts
    (pieces,) = add_up(view, [wanted], told, lambda *_: None, at_a_time=at_a_time)

    assert len(pieces) > 1 or at_a_time > 2
    cells = model.totals if name == "sum" else model.lasts
    assert [each for piece in pieces for each in piece] == [
        (customer, hour, cell[0])
        for customer in customers or CUSTOMERS
        for hour, cell in cells(name, customer, range(FIRST, FIRST + 30)).items()
        if cell[0]
    ]
