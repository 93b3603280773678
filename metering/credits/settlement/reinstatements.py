"""Giving back the credits of many invoices, in commits of some thousand invoices.

Each commit stays if the next one fails. Where all is repeated, the invoices that gave
back already are answered and change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from msgspec.structs import replace

from ledger.facts.credits.grants import CreditsReinstated
from ledger.sealing import StepCallback
from ledger.usage.columns import rows_table
from metering.credits.invoices import (
    SETTLED_INVOICE,
    check_invoice_id,
    check_is_no_statement,
)
from metering.credits.settlement.receipts import (
    REINSTATED,
    InvoiceRejection,
    ReinstatementReceipt,
    rejections_table,
)
from metering.credits.settlement.sources import read_names
from metering.credits.transactions import id_of
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.store.engine import Engine
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.timeline import (
    TransactionKind,
    reinstated_transactions,
)
from projections.statements.queries import StatementQueries

_INVOICES_AT_A_TIME = 50_000
_TYPES = {
    TransactionKind.REINSTATED: "credits_application_invoice_voided",
    TransactionKind.EXPIRED_AGAIN: "credits_expired",
}


@dataclass(slots=True)
class _ReinstatementTally:
    """A receipt in the making."""

    reinstated: int = 0
    repeated: int = 0
    transactions: list[pa.Table] = field(default_factory=list)
    rejections: list[InvoiceRejection] = field(default_factory=list)

    def reject(self, row: int, name: object, error: InvalidRequestError) -> None:
        shown = name if isinstance(name, str) else None
        shown = shown and shown.encode(errors="replace").decode()
        rejection = InvoiceRejection(row, shown, error.code, error.message)
        self.rejections.append(rejection)

    def receipt(self) -> ReinstatementReceipt:
        return ReinstatementReceipt(
            reinstated=self.reinstated,
            repeated=self.repeated,
            rejected=len(self.rejections),
            transactions=pa.concat_tables(
                [REINSTATED.empty_table(), *self.transactions]
            ),
            rejections=rejections_table(self.rejections),
        )


def reinstate_invoices(
    engine: Engine, source: object, progress: StepCallback | None
) -> ReinstatementReceipt:
    """Give back the credits of invoices; see `CreditApplications.reinstate_many`."""
    tally = _ReinstatementTally()
    first_rows: dict[str, int] = {}
    for row, name in enumerate(read_names(source)):
        # Rows are lines, as a rule: the same name comes again and again.
        if isinstance(name, str) and name in first_rows:
            continue
        try:
            first_rows[check_invoice_id(name)] = row
        except InvalidRequestError as error:
            tally.reject(row, name, error)
    invoices = [*first_rows]
    for start in range(0, len(invoices), _INVOICES_AT_A_TIME):
        portion = invoices[start : start + _INVOICES_AT_A_TIME]
        _commit(engine, portion, first_rows, tally)
        if progress is not None:
            progress(start + len(portion), len(invoices))
    return tally.receipt()


def _commit(
    engine: Engine,
    invoices: Sequence[str],
    rows: dict[str, int],
    tally: _ReinstatementTally,
) -> None:
    with engine.writing_credits(
        lambda seen: {each.customer for each in seen.applications_to(invoices).values()}
    ) as (writing, seen):
        known, now = seen.applications_to(invoices), writing.now
        held = [name for name in invoices if name in known and _is_held(known[name])]
        statements = StatementQueries(writing.connection).known_among(held)
        held = [name for name in held if name not in statements]
        for name in statements:
            del known[name]
        writing.record([CreditsReinstated(invoice=name) for name in held])
        drawn = {draw.grant_position for each in known.values() for draw in each.draws}
        grants = seen.grants_at(sorted(drawn))
    if commit := writing.commit:
        for position, name in enumerate(held, commit.last_position + 1 - len(held)):
            known[name] = replace(
                known[name],
                reinstated_at=now,
                reinstated_position=position,
            )
    tally.reinstated += len(held)
    tally.repeated += len(known) - len(held)
    made: list[tuple[object, ...]] = []
    for name in invoices:
        if name in known:
            livemode = engine.settings.livemode
            made += _transactions(known[name], grants, livemode=livemode)
            continue
        try:
            check_is_no_statement(statements, name)
            raise ResourceMissingError(SETTLED_INVOICE, name, param="invoice")
        except InvalidRequestError as error:
            tally.reject(rows[name], name, error)
    tally.transactions.append(rows_table(made, REINSTATED))


def _is_held(application: Application) -> bool:
    return application.reinstated_at is None


def _transactions(
    application: Application, grants: dict[int, Grant], *, livemode: bool
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of what an invoice gave back."""
    for made in reinstated_transactions(application, grants):
        assert made.line is not None, "a line of the invoice drew it"
        yield (
            id_of(made, livemode=livemode),
            application.invoice,
            made.line.id,
            made.grant.grant_id,
            application.customer,
            application.currency,
            made.amount,
            _TYPES[made.kind],
        )
