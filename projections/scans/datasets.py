"""Segments as one Arrow dataset, for a query engine."""

from collections.abc import Sequence

import pyarrow.dataset as pads

from ledger.segments.entry import Segment
from ledger.segments.layout import STORED
from ledger.segments.reader import SegmentReader


def dataset_of(reader: SegmentReader, segments: Sequence[Segment]) -> pads.Dataset:
    """Return segments as a dataset with plain strings; local files are checked first."""
    # A local file was checked once; bits may have flipped since.
    scanning = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = pads.ParquetFileFormat(default_fragment_scan_options=scanning)
    fragments = [form.make_fragment(reader.source(segment)) for segment in segments]
    return pads.FileSystemDataset(fragments, STORED, form)
