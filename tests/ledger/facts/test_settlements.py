"""Facts of a billing run by columns: the same facts, in fewer bytes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commits import CommitRow
from ledger.errors import LogDamagedError
from ledger.facts.credits.grants import (
    CreditsApplied,
    CreditsReinstated,
    Draw,
    InvoiceLine,
)
from ledger.facts.credits.settlements import (
    InvoiceBlock,
    SettledColumns,
    SettledInvoices,
)
from ledger.facts.union import decode_facts, encode_facts
from ledger.reading import decode_commit
from ledger.usage.digest import facts_digest

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=5)
INVOICES = st.builds(
    CreditsApplied,
    invoice=TEXTS,
    customer=TEXTS,
    currency=TEXTS,
    period_end=NUMBERS,
    lines=st.lists(
        st.builds(InvoiceLine, TEXTS, NUMBERS, st.none() | TEXTS), max_size=3
    ).map(tuple),
    draws=st.lists(st.builds(Draw, NUMBERS, NUMBERS, NUMBERS), max_size=3).map(tuple),
)


def block_of(facts: Sequence[CreditsApplied]) -> InvoiceBlock:
    lines = [line for fact in facts for line in fact.lines]
    draws = [draw for fact in facts for draw in fact.draws]
    return InvoiceBlock.of(
        SettledColumns(
            invoices=[fact.invoice for fact in facts],
            customers=[fact.customer for fact in facts],
            currencies=[fact.currency for fact in facts],
            period_ends=[fact.period_end for fact in facts],
            line_counts=[len(fact.lines) for fact in facts],
            draw_counts=[len(fact.draws) for fact in facts],
            line_ids=[line.id for line in lines],
            line_amounts=[line.amount for line in lines],
            line_prices=[line.price for line in lines],
            draw_lines=[draw.line for draw in draws],
            draw_grants=[draw.grant_position for draw in draws],
            draw_amounts=[draw.amount for draw in draws],
        )
    )


@given(
    given_back=st.lists(TEXTS, max_size=2),
    blocks=st.lists(st.lists(INVOICES, min_size=1, max_size=3), max_size=3),
)
def test_facts_come_back_in_their_order(
    given_back: list[str], blocks: list[list[CreditsApplied]]
) -> None:
    settled = SettledInvoices(tuple(given_back), tuple(map(block_of, blocks)))
    facts = [fact for block in blocks for fact in block]

    decoded = decode_facts(encode_facts(settled))

    assert decoded == settled
    assert len(decoded) == len(given_back) + len(facts)
    assert list(decoded) == [
        *(CreditsReinstated(invoice=invoice) for invoice in given_back),
        *facts,
    ]
    for block, expected in zip(settled.blocks, blocks, strict=True):
        columns = block.columns
        for at, fact in enumerate(expected):
            assert (columns.lines_of(at), columns.draws_of(at)) == (
                fact.lines,
                fact.draws,
            )


INVOICE = CreditsApplied(
    invoice="in_1",
    customer="cus_1",
    currency="usd",
    period_end=0,
    lines=(InvoiceLine("il_1", 5, None),),
    draws=(Draw(0, 1, 5),),
)
BODY = encode_facts(SettledInvoices((), (block_of([INVOICE]),)))


@pytest.mark.parametrize("at", range(len(BODY)))
def test_a_changed_byte_is_damage_and_no_other_invoice(at: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    row = CommitRow(1, 1, "facts", 0, facts_digest(BODY), b"", changed)

    with pytest.raises(LogDamagedError) as caught:
        decode_commit(row)

    assert caught.value.position == 1
