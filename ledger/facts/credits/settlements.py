"""What a portion of a billing run records, by columns: blocks of settled invoices.

The facts of a portion are tens of thousands, and alike. As objects, each of them costs
more to make and to write than all that it says. A block holds consecutive invoices; its
encoded form is a part of the commit's body, and can be kept and read by itself.

An invoice that is settled anew gives back first what it had drawn, so a portion begins
with those.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec
import pyarrow as pa

from ledger.facts.credits.grants import (
    CreditsApplied,
    CreditsReinstated,
    Draw,
    InvoiceLine,
)

INVOICES_IN_A_BLOCK: Final = 256
"""Few enough that one of them is read in some ten microseconds."""
BODY_BY_COLUMNS: Final = b"\x01"
"""How an encoded portion begins, and no JSON does."""

_CODEC: Final = "zstd"
_SIZE: Final = struct.Struct("<I")
# More than the longest lines of a block come to, and less than memory.
_BLOCK_BYTES_MAX: Final = 1 << 30


class SettledColumns(msgspec.Struct, frozen=True, array_like=True):
    """Settled invoices, one behind the other, and the lines and draws of all.

    Attributes:
        invoices, customers, currencies, period_ends: of each invoice.
        line_counts, draw_counts: how many of the lines and draws are each invoice's.
        line_ids, line_amounts, line_prices: see `InvoiceLine`.
        draw_lines, draw_grants, draw_amounts: see `Draw`.
    """

    invoices: list[str]
    customers: list[str]
    currencies: list[str]
    period_ends: list[int]
    line_counts: list[int]
    draw_counts: list[int]
    line_ids: list[str]
    line_amounts: list[int]
    line_prices: list[str | None]
    draw_lines: list[int]
    draw_grants: list[int]
    draw_amounts: list[int]

    def are_whole(self) -> bool:
        """Whether the columns have the lengths that belong together."""
        invoices, lines, draws = (
            len(self.invoices),
            len(self.line_ids),
            len(self.draw_lines),
        )
        return (
            invoices > 0
            and invoices == len(self.customers) == len(self.currencies)
            and invoices == len(self.period_ends)
            and invoices == len(self.line_counts) == len(self.draw_counts)
            and lines == len(self.line_amounts) == len(self.line_prices)
            and draws == len(self.draw_grants) == len(self.draw_amounts)
            and min(self.line_counts) >= 0
            and min(self.draw_counts) >= 0
            and lines == sum(self.line_counts)
            and draws == sum(self.draw_counts)
        )

    def lines_of(self, at: int) -> tuple[InvoiceLine, ...]:
        """Return the lines of one invoice."""
        first = sum(self.line_counts[:at])
        own = slice(first, first + self.line_counts[at])
        return tuple(
            map(
                InvoiceLine,
                self.line_ids[own],
                self.line_amounts[own],
                self.line_prices[own],
            )
        )

    def draws_of(self, at: int) -> tuple[Draw, ...]:
        """Return the draws of one invoice."""
        first = sum(self.draw_counts[:at])
        own = slice(first, first + self.draw_counts[at])
        return tuple(
            map(
                Draw,
                self.draw_lines[own],
                self.draw_grants[own],
                self.draw_amounts[own],
            )
        )

    def facts(self) -> Iterator[CreditsApplied]:
        """Yield the facts that the invoices drew credits, in their order."""
        lines = map(InvoiceLine, self.line_ids, self.line_amounts, self.line_prices)
        draws = map(Draw, self.draw_lines, self.draw_grants, self.draw_amounts)
        for invoice, customer, currency, period_end, line_count, draw_count in zip(
            self.invoices,
            self.customers,
            self.currencies,
            self.period_ends,
            self.line_counts,
            self.draw_counts,
            strict=True,
        ):
            yield CreditsApplied(
                invoice=invoice,
                customer=customer,
                currency=currency,
                period_end=period_end,
                lines=tuple(islice(lines, line_count)),
                draws=tuple(islice(draws, draw_count)),
            )


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(SettledColumns)
_PORTION = msgspec.msgpack.Decoder(tuple[list[str], list[bytes]])


class InvoiceBlock(msgspec.Struct, frozen=True):
    """Consecutive invoices of a portion.

    Attributes:
        columns: of the invoices; at least one.
        encoded: the same, as they are stored.
    """

    columns: SettledColumns
    encoded: bytes

    @classmethod
    def of(cls, columns: SettledColumns) -> "InvoiceBlock":
        """Encode the columns of a block."""
        assert columns.are_whole(), "the columns belong together"
        plain = _ENCODER.encode(columns)
        packed = pa.compress(plain, codec=_CODEC, asbytes=True)
        return cls(columns, _SIZE.pack(len(plain)) + packed)

    @classmethod
    def decoded(cls, encoded: bytes) -> "InvoiceBlock":
        """Decode a block.

        Raises:
            ValueError: the bytes are none.
        """
        size = int.from_bytes(encoded[: _SIZE.size], "little")
        if size > _BLOCK_BYTES_MAX:
            raise ValueError(f"a block of {size} bytes is none")
        packed = memoryview(encoded)[_SIZE.size :]
        try:
            plain = pa.decompress(packed, size, codec=_CODEC, asbytes=True)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"a block cannot be unpacked: {error}") from error
        columns = _DECODER.decode(plain)
        if not columns.are_whole():
            raise ValueError("the columns of a block do not belong together")
        return cls(columns, encoded)

    def __len__(self) -> int:
        """Count the invoices."""
        return len(self.columns.invoices)


class SettledInvoices(msgspec.Struct, frozen=True):
    """The facts of a portion of a billing run, by columns.

    Attributes:
        given_back: the invoices that give back what they had drawn; these facts come
            first.
        blocks: the invoices that draw credits, in their order.
    """

    given_back: tuple[str, ...]
    blocks: tuple[InvoiceBlock, ...]

    def __len__(self) -> int:
        """Count the facts."""
        return len(self.given_back) + sum(map(len, self.blocks))

    def __iter__(self) -> Iterator[CreditsReinstated | CreditsApplied]:
        """Iterate over the facts, in their order."""
        for invoice in self.given_back:
            yield CreditsReinstated(invoice=invoice)
        for block in self.blocks:
            yield from block.columns.facts()


def encode_settled(settled: SettledInvoices) -> bytes:
    """Encode a portion."""
    blocks = [block.encoded for block in settled.blocks]
    return BODY_BY_COLUMNS + _ENCODER.encode((settled.given_back, blocks))


def decode_settled(body: bytes) -> SettledInvoices:
    """Decode what `encode_settled` wrote.

    Raises:
        ValueError: the bytes are something else.
    """
    given_back, blocks = _PORTION.decode(memoryview(body)[len(BODY_BY_COLUMNS) :])
    return SettledInvoices(tuple(given_back), tuple(map(InvoiceBlock.decoded, blocks)))
