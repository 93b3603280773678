"""Facts about reports, and how each has always been written."""

from ledger.facts.reports import (
    ReportFileRemoved,
    ReportForm,
    ReportPart,
    ReportRunCreated,
    ReportRunFailed,
    ReportRunSucceeded,
)
from ledger.facts.union import Fact

WRITTEN_REPORTS: list[tuple[Fact, str]] = [
    (
        ReportRunCreated(
            run_id="frr_1",
            report_type="metering.events.1",
            columns=("customer", "value"),
            interval_start=1,
            interval_end=None,
            timezone="Europe/Berlin",
            form=ReportForm.PARQUET,
        ),
        (
            """[{"fact":"report_run.created","run_id":"frr_1","""
            """"report_type":"metering.events.1","columns":["customer","value"],"""
            """"interval_start":1,"interval_end":null,"timezone":"Europe/Berlin","""
            """"form":"parquet"}]"""
        ),
    ),
    (
        ReportRunSucceeded(
            run_id="frr_1",
            file_id="file_1",
            attempt="ab",
            parts=(ReportPart(byte_count=3, sha256="cd"),),
            row_count=2,
            expires_at=9,
        ),
        (
            """[{"fact":"report_run.succeeded","run_id":"frr_1","file_id":"file_1","""
            """"attempt":"ab","parts":[[3,"cd"]],"row_count":2,"expires_at":9}]"""
        ),
    ),
    (
        ReportRunFailed(run_id="frr_1", error="Why"),
        """[{"fact":"report_run.failed","run_id":"frr_1","error":"Why"}]""",
    ),
    (
        ReportFileRemoved(run_id="frr_1"),
        """[{"fact":"report_file.removed","run_id":"frr_1"}]""",
    ),
]
