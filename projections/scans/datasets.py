"""Segments as one Arrow dataset, for an engine that scans.

A module of its own, because loading Arrow's datasets takes time that only scans need.
"""

from collections.abc import Sequence

import pyarrow.dataset as pads

from ledger.segments.entry import Segment
from ledger.segments.layout import STORED
from ledger.segments.reader import SegmentReader


def dataset_of(reader: SegmentReader, segments: Sequence[Segment]) -> pads.Dataset:
    """Give segments to an engine, with texts for words; local files are checked first."""
    # A local file was checked once; bits may have flipped since.
    scanning = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = pads.ParquetFileFormat(default_fragment_scan_options=scanning)
    fragments = [form.make_fragment(reader.source(segment)) for segment in segments]
    return pads.FileSystemDataset(fragments, STORED, form)
