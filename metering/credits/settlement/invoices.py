"""The rules of an invoice over columns: many are checked as fast as a few.

An invoice passes by columns only where they show that `metering.credits.invoices` would
accept it with the same result. Every other invoice is checked alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.facts.credits.grants import InvoiceLine
from metering.arguments.arrow_types import texts_of
from metering.arguments.columns import plain_words
from metering.arguments.currencies import amount_step, currency_of
from metering.arguments.strings import LONGEST_ID, LONGEST_TEXT
from metering.arguments.time_columns import plain_timestamps, times_of
from metering.arguments.times import ARGUMENT
from metering.credits.invoices import Invoice, check_invoice
from metering.credits.requests import AMOUNT_MAX
from metering.credits.settlement.receipts import InvoiceRejection
from metering.credits.settlement.sources import InvoicePortion
from metering.credits.settlement.words import CodedWords
from metering.errors import InvalidRequestError, shown
from projections.windows import END


@dataclass(slots=True, kw_only=True)
class InvoiceBatch:
    """Invoices that obey the rules, in the order of the source, and those that do not.

    Attributes:
        rows: number in the source of the first row of each invoice (int64).
        ids, customers, currencies: of each invoice; the ids are mostly different.
        period_ends: of each invoice (int64).
        first_line: of each invoice, and the number of lines behind the last (int64).
        line_ids, prices: of the lines of all invoices, one behind the other.
        amounts: of the lines (int64).
        rejections: the invoices that break a rule.
    """

    rows: np.ndarray
    ids: list[str]
    customers: CodedWords[str]
    currencies: CodedWords[str]
    period_ends: np.ndarray
    first_line: np.ndarray
    line_ids: CodedWords[str]
    amounts: np.ndarray
    prices: CodedWords[str | None]
    rejections: Sequence[InvoiceRejection]

    def __len__(self) -> int:
        """Count the invoices that obey the rules."""
        return len(self.ids)

    def invoice(self, at: int) -> Invoice:
        """Return one invoice."""
        lines = slice(*self.first_line[at : at + 2].tolist())
        return Invoice(
            id=self.ids[at],
            customer=self.customers[at],
            currency=self.currencies[at],
            period_end=int(self.period_ends[at]),
            lines=tuple(
                map(
                    InvoiceLine,
                    self.line_ids.at(lines),
                    self.amounts[lines].tolist(),
                    self.prices.at(lines),
                )
            ),
        )


def check_invoices(portion: InvoicePortion) -> InvoiceBatch:
    """Check the invoices of a portion of a source."""
    table = portion.rows
    columns = _InvoiceColumns(table)
    firsts = np.flatnonzero(np.diff(portion.begins, prepend=-1))
    bounds = np.append(firsts, table.num_rows)
    names = _Texts(table.column("invoice").take(pa.array(firsts)), LONGEST_ID)
    is_plain = names.is_plain & columns.plain_invoices(firsts)
    period_ends = columns.period_end[firsts]
    batch = InvoiceBatch(
        rows=portion.begins[firsts],
        ids=names.at(np.arange(len(firsts))),
        customers=CodedWords(columns.customer.names, columns.customer.codes[firsts]),
        currencies=columns.currencies(firsts),
        period_ends=period_ends,
        first_line=bounds,
        line_ids=CodedWords(columns.line.names, columns.line.codes),
        amounts=columns.amount,
        prices=columns.prices(),
        rejections=[],
    )
    if is_plain.all():
        return batch
    accepted: dict[int, Invoice] = {}
    rejections = []
    for at in np.flatnonzero(~is_plain).tolist():
        rows = table.slice(bounds[at], bounds[at + 1] - bounds[at])
        try:
            accepted[at] = _check_one_by_one(rows)
        except InvalidRequestError as error:
            name = texts_of(rows.column("invoice").combine_chunks())[0]
            shown = None if name is None else name.encode(errors="replace").decode()
            rejections.append(
                InvoiceRejection(
                    int(batch.rows[at]),
                    shown and shown[:LONGEST_ID],
                    error.code,
                    error.message,
                )
            )
    return _passed(batch, is_plain, accepted, rejections)


def _passed(
    batch: InvoiceBatch,
    is_plain: np.ndarray,
    accepted: dict[int, Invoice],
    rejections: Sequence[InvoiceRejection],
) -> InvoiceBatch:
    """Return the invoices that passed by their columns or alone, in order."""
    kept = [at for at in range(len(batch)) if is_plain[at] or at in accepted]
    invoices = [accepted.get(at) or batch.invoice(at) for at in kept]
    counts = [0, *(len(each.lines) for each in invoices)]
    lines = [line for each in invoices for line in each.lines]
    return InvoiceBatch(
        rows=batch.rows[kept],
        ids=[each.id for each in invoices],
        customers=CodedWords.of([each.customer for each in invoices]),
        currencies=CodedWords.of([each.currency for each in invoices]),
        period_ends=np.array([each.period_end for each in invoices], np.int64),
        first_line=np.cumsum(counts),
        line_ids=CodedWords.of([line.id for line in lines]),
        amounts=np.array([line.amount for line in lines], np.int64),
        prices=CodedWords.of([line.price for line in lines]),
        rejections=rejections,
    )


class _Texts:
    """A column of strings, as codes of the different ones.

    Attributes:
        codes: of each row (int64).
        names: of each code, empty for null.
        is_plain: which rows have a string of a good length (bool).
    """

    def __init__(self, column: pa.ChunkedArray, longest: int) -> None:
        encoded, self.is_plain = plain_words(column.combine_chunks(), longest)
        self.codes = encoded.indices.to_numpy().astype(np.int64)
        self.names: list[str] = (
            encoded.dictionary.to_numpy(zero_copy_only=False).tolist()
            if self.is_plain.all()
            else [name or "" for name in texts_of(encoded.dictionary)]
        )

    def at(self, rows: np.ndarray) -> list[str]:
        """Return the strings of some rows, empty where there is none."""
        return [self.names[code] for code in self.codes[rows].tolist()]


class _InvoiceColumns:
    """The columns of a portion, and which of their values are plain."""

    def __init__(self, portion: pa.Table) -> None:
        self.customer = _Texts(portion.column("customer"), LONGEST_TEXT)
        self.line = _Texts(portion.column("line"), LONGEST_ID)
        self.currency = _Texts(portion.column("currency"), LONGEST_ID)
        self.price = _Texts(portion.column("price"), LONGEST_ID)
        period_end = portion.column("period_end").combine_chunks()
        self.period_end, has_time = plain_timestamps(period_end, 0, END - 1, ARGUMENT)
        self.amount, has_amount = _amounts(portion.column("amount").combine_chunks())
        names = self.currency.names
        is_known = np.array([_is_currency(each) for each in names], bool)
        steps = np.array([amount_step(each.lower()) for each in names], np.int64)
        has_price = portion.column("price").is_valid().to_numpy()
        self.is_plain = (
            self.customer.is_plain
            & self.line.is_plain
            & is_known[self.currency.codes]
            & (self.price.is_plain | ~has_price)
            & has_time
            & has_amount
            & (self.amount % steps[self.currency.codes] == 0)
        )
        self._has_price = has_price

    def currencies(self, firsts: np.ndarray) -> CodedWords[str]:
        """Return the currencies of invoices, as they are recorded."""
        names = [name.lower() for name in self.currency.names]
        return CodedWords(names, self.currency.codes[firsts])

    def prices(self) -> CodedWords[str | None]:
        """Return the prices of all lines, None where there is none."""
        names = [*self.price.names, None]
        codes = np.where(self._has_price, self.price.codes, len(names) - 1)
        return CodedWords(names, codes)

    def plain_invoices(self, firsts: np.ndarray) -> np.ndarray:
        """Return (bool) which invoices plainly obey the rules."""
        counts = np.diff(np.append(firsts, len(self.amount)))
        of_row = np.repeat(np.arange(len(firsts)), counts)
        first = firsts[of_row]
        is_alike = self.is_plain.copy()
        for column in (self.customer.codes, self.currency.codes, self.period_end):
            is_alike &= column == column[first]
        keys = np.sort(of_row * max(len(self.line.names), 1) + self.line.codes)
        repeated = keys[1:][keys[1:] == keys[:-1]] // max(len(self.line.names), 1)
        are_plain: np.ndarray = np.logical_and.reduceat(is_alike, firsts)
        are_plain[repeated] = False
        return are_plain


def _amounts(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    amounts = column.cast(pa.int64(), safe=False).fill_null(-1).to_numpy()
    return amounts, (amounts >= 0) & (amounts <= AMOUNT_MAX)


def _is_currency(code: str) -> bool:
    try:
        currency_of(code, "currency")
    except InvalidRequestError:
        return False
    return True


def _check_one_by_one(rows: pa.Table) -> Invoice:
    """Check the rows of one invoice alone."""
    texts = {
        name: texts_of(rows.column(name).combine_chunks())
        for name in ("invoice", "customer", "line", "currency", "price")
    }
    times = times_of(rows.column("period_end").combine_chunks())
    lines = [
        {"id": line, "amount": amount, "currency": currency, "price": price}
        for line, amount, currency, price in zip(
            texts["line"],
            rows.column("amount").to_pylist(),
            texts["currency"],
            texts["price"],
            strict=True,
        )
    ]
    checked = check_invoice(
        invoice=texts["invoice"][0],
        customer=texts["customer"][0],
        period_end=times[0],
        lines=lines,
    )
    for name, values in (("customer", texts["customer"]), ("period_end", times)):
        others = [value for value in values if value != values[0]]
        if others:
            raise InvalidRequestError(
                f"Invalid {name}: the rows of invoice {checked.id} have different ones,"
                f" {shown(values[0])} and {shown(others[0])}",
                param=name,
            )
    return checked
