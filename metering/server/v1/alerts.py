"""Routes of alerts.

Source: https://docs.stripe.com/api/billing/alert
"""

from metering.alerts.requests import AlertCreate, AlertList
from metering.alerts.resources import Alert
from metering.bodies import body_of
from metering.connection import Metering
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1

ALERTS = "/v1/billing/alerts"
_ALERT = ALERTS + "/{id}"
_EXPANSIONS = {"usage_threshold.meter": "meter"}


def _create(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.create(**call.given)))


def _retrieve(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.retrieve(call.ids["id"])))


def _list_alerts(call: Call) -> Answer:
    return Answer(body=page_of(call.m.alerts.list, call.given, ALERTS))


def _activate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.activate(call.ids["id"])))


def _deactivate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.deactivate(call.ids["id"])))


def _archive(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.archive(call.ids["id"])))


def _recover(m: Metering, alert_id: str) -> Alert:
    return m.alerts.retrieve(alert_id)


ROUTES = (
    Route(
        method="POST",
        dialect=V1,
        path=ALERTS,
        scope="admin",
        summary="Create an alert.",
        handler=_create,
        expansions=_EXPANSIONS,
        recover=_recover,
        takes=AlertCreate,
        needs=frozenset({"alert_type"}),
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_ALERT,
        scope="read",
        summary="Retrieve an alert, including an archived one.",
        handler=_retrieve,
        expansions=_EXPANSIONS,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=ALERTS,
        scope="read",
        summary="List the alerts that are not archived.",
        handler=_list_alerts,
        expansions=_EXPANSIONS,
        is_list=True,
        takes=AlertList,
    ),
    *(
        Route(
            method="POST",
            dialect=V1,
            path=f"{_ALERT}/{verb}",
            scope="admin",
            summary=summary,
            handler=handler,
            expansions=_EXPANSIONS,
            recover=_recover,
        )
        for verb, handler, summary in (
            ("activate", _activate, "Activate an alert, so that it can trigger again."),
            (
                "deactivate",
                _deactivate,
                "Deactivate an alert, so that it does not trigger.",
            ),
            (
                "archive",
                _archive,
                "Archive an alert: it never triggers again and no list shows it.",
            ),
        )
    ),
)
