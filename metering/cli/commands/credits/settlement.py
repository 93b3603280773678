"""``metering credits apply`` and ``reinstate``: billing runs, and their undoing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.errors import OutputFileError
from metering.cli.invoice_files import read_invoices
from metering.cli.options import FieldOption, argument, option
from metering.cli.screens.arrow_tables import check_output, write_table
from metering.cli.screens.billing import print_outcome, show_outcome
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import show
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.credits.requests import InvoiceApply
from metering.credits.settlement.receipts import (
    CreditsReceipt,
    ReinstatementReceipt,
)

_SAFE = "Interrupted; what was recorded stays, and running it again does nothing twice"


def apply(
    target: StoreTarget,
    file: Annotated[
        Path,
        argument(
            "FILE",
            ".parquet, .arrow, .csv, .ndjson or .jsonl, the last three also in .gz or"
            " .zst.",
        ),
    ],
    *,
    replace: Annotated[bool, FieldOption(InvoiceApply)] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Show what would be drawn at this instant, and record nothing.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        option("FILE", "Write the transactions to a .parquet or .csv file."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Apply credits to the invoices of a billing run.

    A row is a line of an invoice, with the columns invoice, customer, period_end, line,
    amount (in minor units, such as cents), currency and price. The rows may come in any
    order. Applying a file again draws nothing twice.

    A grant must be effective and not expired both at period_end and now, when the
    invoice is applied. So a preview and a later run can differ.
    """
    check_output(output)
    invoices = read_invoices(file)
    with (
        saying_what_is_safe(_SAFE),
        target.open() as m,
        progress_bar("Settling") as advance,
    ):
        receipt = (
            m.credits.preview_many(invoices, replace=replace)
            if preview
            else m.credits.apply_many(
                invoices,
                progress=lambda each: advance(each.rows, each.total_rows),
                replace=replace,
            )
        )
    if output is not None:
        write_table(receipt.transactions, output, OutputFileError)
    is_all_rejected = _tell(
        receipt, ("applied", "replaced", "repeated", "rejected"), "drawn", json=json
    )
    if preview and not json:
        show("This is a preview of this instant; nothing was recorded.", style="dim")
    if is_all_rejected:
        raise typer.Exit(FAILED)


def reinstate(
    target: StoreTarget,
    invoices: Annotated[list[str] | None, argument("INVOICE", "Their ids.")] = None,
    *,
    file: Annotated[
        Path | None,
        option("FILE", "Take the invoices of a file that credits apply takes."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Give back the credits that invoices drew, because they were voided.

    What goes back to a grant that is expired expires at once. Doing it again changes
    nothing. To correct an invoice use credits apply --replace: nothing can be applied
    to one that was reinstated.
    """
    if bool(invoices) == (file is not None):
        raise typer.BadParameter("give invoices, or --file")
    source = invoices if file is None else read_invoices(file)
    with (
        saying_what_is_safe(_SAFE),
        target.open() as m,
        progress_bar("Giving back") as advance,
    ):
        receipt = m.credits.reinstate_many(source, advance)
    if _tell(receipt, ("reinstated", "repeated", "rejected"), "given_back", json=json):
        raise typer.Exit(FAILED)


def _tell(
    receipt: CreditsReceipt | ReinstatementReceipt,
    outcomes: Sequence[str],
    moved: str,
    *,
    json: bool,
) -> bool:
    """Say what became of invoices, and return whether all of them were rejected.

    Args:
        receipt: says it.
        outcomes: the names of its counts.
        moved: what happened to the transactions.
        json: whether a program listens.
    """
    tell = print_outcome if json else show_outcome
    counts: dict[str, int] = {name: getattr(receipt, name) for name in outcomes}
    tell(counts, (moved, receipt.transactions), receipt.rejections)
    return receipt.rejected == sum(counts.values()) > 0
