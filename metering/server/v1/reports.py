"""Routes of reports and their files.

A file is downloaded with an API key from where its `url` says: the server that answered,
without TLS only where that is this machine.
Source: https://docs.stripe.com/api/reporting/report_run and https://docs.stripe.com/api/files
"""

from itertools import chain

from metering.bodies import Body, body_of
from metering.reporting.requests import ReportRunCreate, ReportRunList
from metering.reporting.resources import ReportFile, ReportRun
from metering.server.api.pages import listed, page_of
from metering.server.api.routes import Answer, Call, Content, Route
from metering.server.grammar.dialects import V1
from metering.server.v1.created import listing_by_creation

_TYPES = "/v1/reporting/report_types"
_RUNS = "/v1/reporting/report_runs"
_FILES = "/v1/files"
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def _list_types(call: Call) -> Answer:
    found = [body_of(each) for each in call.m.reports.types()]
    return Answer(body=listed(found, _TYPES, has_more=False))


def _retrieve_type(call: Call) -> Answer:
    return Answer(body=body_of(call.m.reports.retrieve_type(call.ids["id"])))


def _create(call: Call) -> Answer:
    return Answer(body=_run(call, call.m.reports.create(**call.given)))


def _recover(call: Call, run_id: str) -> Body:
    return _run(call, call.m.reports.retrieve(run_id))


def _retrieve(call: Call) -> Answer:
    return Answer(body=_recover(call, call.ids["id"]))


def _list(call: Call) -> Answer:
    fetch = listing_by_creation(lambda m: m.reports.list)(call.m)
    return Answer(body=page_of(fetch, call.given, _RUNS, lambda each: _run(call, each)))


def _retrieve_file(call: Call) -> Answer:
    return Answer(body=_file(call, call.m.reports.retrieve_file(call.ids["id"])))


def _download(call: Call) -> Answer:
    reports, file_id = call.m.reports, call.ids["id"]
    pieces = reports.open_file(file_id)
    # What is wrong with the first is an error; later ones break the response off.
    first = next(pieces, b"")
    media_type = _MEDIA_TYPES[reports.retrieve_file(file_id).type]
    body = chain((first,), pieces)
    return Answer(content=Content(media_type=media_type, body=body))


def _run(call: Call, run: ReportRun) -> Body:
    body = body_of(run)
    return body if run.result is None else {**body, "result": _file(call, run.result)}


def _file(call: Call, file: ReportFile) -> Body:
    url = None if file.url is None else f"{_origin(call)}{file.url}"
    return {**body_of(file), "url": url}


def _origin(call: Call) -> str:
    """Return where the client found this server.

    A key goes with each download, so only to this machine without TLS.
    """
    name = call.host.rpartition(":")[0] if ":" in call.host else call.host
    is_here = name in _LOOPBACK or call.host in _LOOPBACK
    return f"{'http' if is_here else 'https'}://{call.host}" if call.host else ""


ROUTES = (
    Route(
        method="GET",
        dialect=V1,
        path=_TYPES,
        scope="read",
        summary="List the types of reports.",
        handler=_list_types,
        is_list=True,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_TYPES}/{{id}}",
        scope="read",
        summary="Retrieve a type of report.",
        handler=_retrieve_type,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_RUNS,
        scope="admin",
        summary="Ask for a report, which a worker makes.",
        handler=_create,
        recover=_recover,
        takes=ReportRunCreate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_RUNS,
        scope="read",
        summary="List the reports that were asked for.",
        handler=_list,
        is_list=True,
        takes=ReportRunList,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_RUNS}/{{id}}",
        scope="read",
        summary="Retrieve a report that was asked for.",
        handler=_retrieve,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_FILES}/{{id}}",
        scope="read",
        summary="Retrieve what is known of the file of a report.",
        handler=_retrieve_file,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_FILES}/{{id}}/contents",
        scope="read",
        summary="Download the file of a report.",
        handler=_download,
        answers_in=tuple(_MEDIA_TYPES.values()),
    ),
)
