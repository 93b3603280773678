"""Segments as one Arrow dataset, for a query engine."""

from collections.abc import Callable, Sequence

import pyarrow.dataset as pads

from ledger.segments.entry import Segment
from ledger.segments.layout import STORED
from ledger.segments.reader import SegmentReader


def dataset_of(
    reader: SegmentReader, segments: Sequence[Segment], go_on: Callable[[], None]
) -> pads.Dataset:
    """Return segments as a dataset with plain strings; local files are checked first.

    Args:
        reader: reads them.
        segments: any.
        go_on: is called before each is checked, and may raise.
    """
    # A local file was checked once; bits may have flipped since.
    scanning = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = pads.ParquetFileFormat(default_fragment_scan_options=scanning)
    fragments = []
    for segment in segments:
        go_on()
        fragments.append(form.make_fragment(reader.source(segment)))
    return pads.FileSystemDataset(fragments, STORED, form)
