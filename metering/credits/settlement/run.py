"""A billing run: portions of a source checked, settled and tallied, one after another.

Each portion is one commit, at one instant, and stays if the run breaks off. A repeated
run draws nothing for invoices that are settled.
"""

from collections.abc import Sequence

import pyarrow as pa

from metering.credits.settlement.columns import facts_of
from metering.credits.settlement.commits import Replacing, Settled, settle
from metering.credits.settlement.invoices import InvoiceBatch, check_invoices
from metering.credits.settlement.receipts import (
    CreditsProgressCallback,
    CreditsReceipt,
    SettlementTally,
)
from metering.credits.settlement.sources import open_invoices, together
from metering.credits.settlement.transactions import ids_of, transactions_of
from metering.store.customer_time import present_of, shared_time
from metering.store.engine import Engine
from projections.credits.spendable import Spendable


def run_billing(
    engine: Engine,
    source: object,
    progress: CreditsProgressCallback | None,
    *,
    replaces: bool,
) -> CreditsReceipt:
    """Settle all invoices of a source; see `CreditApplications.apply_many`."""
    opened = open_invoices(source)
    tally, spendable = SettlementTally(), Spendable(with_used_up=replaces)
    replacing = Replacing(replaces)
    for portion in opened.portions:
        batch = check_invoices(portion)
        tally.rejections.extend(batch.rejections)
        if len(batch):
            _commit(engine, batch, spendable, tally, replacing)
        tally.rows += portion.rows.num_rows
        if progress is not None:
            progress(tally.progress(opened.total_rows))
    return tally.receipt()


def preview_billing(
    engine: Engine, source: object, *, replaces: bool
) -> CreditsReceipt:
    """Answer what a run would; see `CreditApplications.preview_many`.

    All is one portion: no commit between two would make a repetition known.
    """
    tally, spendable = SettlementTally(), Spendable(with_used_up=replaces)
    portion = together(open_invoices(source).portions)
    if portion is None:
        return tally.receipt()
    batch = check_invoices(portion)
    tally.rejections.extend(batch.rejections)
    if len(batch):
        whose = batch.customers.names
        with engine.credits() as (seen, now):
            shared_time(seen.clocked, whose)
            at = present_of(seen.clocked, whose, now)
            settled = settle(batch, spendable, seen, at, Replacing(replaces))
        ids = [f"cbtxn_tmp_{n}" for n in range(1, len(settled.draws.amount) + 1)]
        _count(engine, batch, spendable, settled, ids, tally)
    return tally.receipt()


def _commit(
    engine: Engine,
    batch: InvoiceBatch,
    spendable: Spendable,
    tally: SettlementTally,
    replacing: Replacing,
) -> None:
    with engine.writing_credits(lambda _: batch.customers.names) as (writing, seen):
        settled = settle(batch, spendable, seen, writing.now, replacing)
        if len(settled.new):
            writing.record(facts_of(batch, settled, spendable))
    first_position, commit = 0, writing.commit
    if commit is not None:
        # What a test clock shows may come first.
        first_position = commit.last_position + 1 - len(settled.new)
        replacing.own.append(range(first_position, commit.last_position + 1))
        spendable.recorded(commit.last_position)
    ids = ids_of(settled.draws, first_position, livemode=engine.settings.livemode)
    _count(engine, batch, spendable, settled, ids, tally)


def _count(
    engine: Engine,
    batch: InvoiceBatch,
    spendable: Spendable,
    settled: Settled,
    ids: Sequence[str] | pa.Array,
    tally: SettlementTally,
) -> None:
    tally.applied += len(settled.new) - len(settled.given_back)
    tally.replaced += len(settled.given_back)
    tally.repeated += len(settled.repeated) + len(settled.copies)
    tally.rejections.extend(settled.rejections)
    livemode = engine.settings.livemode
    tally.transactions.append(
        transactions_of(batch, settled, spendable, ids, livemode=livemode)
    )
