"""Rejected rows, written to a file, to be mended and sent again."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from metering.cli.errors import RejectionsFileError
from metering.cli.screens.reports import FileReport

_ENDINGS = (".parquet", ".csv", ".ndjson")


def check_rejections_path(path: Path | None) -> None:
    """Check a path ahead of the work whose outcome is to be written there.

    Raises:
        RejectionsFileError: it will not be possible.
    """
    if path is None:
        return
    if path.suffix not in _ENDINGS:
        raise RejectionsFileError(path, f"its name must end in {', '.join(_ENDINGS)}")
    if path.is_dir() or not path.parent.is_dir():
        raise RejectionsFileError(path, "there is no directory for it, or it is one")


def write_rejections(reports: Sequence[FileReport], path: Path | None) -> None:
    """Write columns file, row, identifier, code and message, in order of the rows.

    Raises:
        RejectionsFileError: the file cannot be written.
    """
    if path is None:
        return
    table = pa.concat_tables(
        report.receipt.rejections.add_column(
            0, "file", pa.array([str(report.file)] * report.receipt.rejected, "string")
        )
        for report in reports
    )
    try:
        _write(table, path)
    except OSError as error:
        raise RejectionsFileError(path, error.strerror or str(error)) from error


def _write(table: pa.Table, path: Path) -> None:
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path)
        case ".csv":
            pyarrow.csv.write_csv(table, path)
        case _:
            lines = msgspec.json.Encoder().encode_lines(table.to_pylist())
            path.write_bytes(lines)
