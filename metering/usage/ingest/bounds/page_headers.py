"""Headers of Parquet's pages: how long each is, decompressed, and how many values it has.

Source: ``PageHeader`` in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
and https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

import enum
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

_DATA_HEADER, _DICTIONARY_HEADER, _DATA_HEADER_2 = 5, 7, 8
_TYPE, _UNPACKED, _PACKED = 1, 2, 3
_VALUES, _ENCODING, _ENCODING_2 = 1, 2, 4
_DEPTH_MAX = 8
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12
_INTEGERS = {4, 5, 6}
_WIDTHS = {_BYTE: 1, _DOUBLE: 8}
_ThriftFields = dict[int, object]


class PageKind(enum.IntEnum):
    """What a page holds, by its code."""

    DATA = 0
    INDEX = 1
    DICTIONARY = 2
    DATA_2 = 3


class PageHeader(NamedTuple):
    """The header of a page.

    Attributes:
        unpacked: bytes of the page, decompressed.
        values: how many it holds, nulls among them.
        encoding: of the values, by its code.
    """

    kind: PageKind
    unpacked: int
    values: int
    encoding: int


def page_headers(body: memoryview, start: int, end: int) -> Iterator[PageHeader]:
    """Read the headers of the pages between two places of a file.

    Raises:
        ArrowInvalid: there are no such pages.
    """
    if not 0 <= start <= end <= len(body):
        raise pa.ArrowInvalid("Its pages are not where its footer says")
    while start < end:
        reading = _ThriftReading(body, start)
        try:
            fields = reading.struct(_DEPTH_MAX)
            header, packed = _header_of(fields)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise pa.ArrowInvalid("The header of a page cannot be read") from error
        if packed < 0 or header.unpacked < 0 or header.values < 0:
            raise pa.ArrowInvalid("A page has less than nothing")
        yield header
        start = reading.at + packed


def _header_of(fields: _ThriftFields) -> tuple[PageHeader, int]:
    """Return a header, and how many bytes follow it."""
    kind = PageKind(_number(fields[_TYPE]))
    inner: object = {}
    encoding = _ENCODING
    match kind:
        case PageKind.DATA:
            inner = fields[_DATA_HEADER]
        case PageKind.DATA_2:
            inner, encoding = fields[_DATA_HEADER_2], _ENCODING_2
        case PageKind.DICTIONARY:
            inner = fields[_DICTIONARY_HEADER]
        case PageKind.INDEX:
            pass
    if not isinstance(inner, dict):
        raise TypeError("a header of values is a struct")
    header = PageHeader(
        kind=kind,
        unpacked=_number(fields[_UNPACKED]),
        values=_number(inner.get(_VALUES, 0)),
        encoding=_number(inner.get(encoding, 0)),
    )
    return header, _number(fields[_PACKED])


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is expected")
    return value


class _ThriftReading:
    """Reads Thrift's compact protocol; strings and lists are passed over."""

    def __init__(self, content: memoryview, at: int) -> None:
        self._content = content
        self.at = at

    def struct(self, depth: int) -> _ThriftFields:
        """Read the fields of a struct by their numbers."""
        if not depth:
            raise ValueError("it is too deep")
        fields: _ThriftFields = {}
        number = 0
        while kind_and_step := self._byte():
            step, kind = kind_and_step >> 4, kind_and_step & 15
            number = number + step if step else self._signed()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in _INTEGERS:
            return self._signed()
        if kind in {_TRUE, _FALSE}:
            return kind == _TRUE
        if kind == _STRUCT:
            return self.struct(depth - 1)
        if kind != _BINARY and kind not in _WIDTHS:
            raise ValueError("the header of a page has no lists and no maps")
        length = self._unsigned() if kind == _BINARY else _WIDTHS[kind]
        self.at += length
        return None

    def _byte(self) -> int:
        byte = self._content[self.at]
        self.at += 1
        return byte

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a number is too long")

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
