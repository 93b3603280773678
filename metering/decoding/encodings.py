"""Encodings of text: UTF-8 is taken, and UTF-16 recognised, so that errors can name it."""

import codecs

UTF_16 = "the text is UTF-16; send UTF-8"
"""What is wrong with text of which `is_utf_16` holds."""
LOOKED_AT_BYTES = 4
"""How much of a text tells: its first two characters are ASCII in what is read here."""
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_utf_16(start: bytes) -> bool:
    """Whether text begins as UTF-16 does: with its mark, or with a NUL in each pair.

    Source: RFC 4627, section 3.
    """
    if start.startswith(_BYTE_ORDER_MARKS):
        return True
    start = start[:LOOKED_AT_BYTES]
    halves = start[::2], start[1::2]
    return b"\0" in start and any(start) and not all(map(any, halves))
