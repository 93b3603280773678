"""Routes of alerts.

Source: https://docs.stripe.com/api/billing/alert
"""

from metering.alerts.resources import Alert
from metering.bodies import body_of
from metering.connection import Metering
from metering.server.api.pages import PAGING, page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1
from metering.server.grammar.parameters import (
    Choice,
    Integer,
    Items,
    Shape,
    Text,
    optional,
    required,
)

ALERTS = "/v1/billing/alerts"
_ALERT = ALERTS + "/{id}"
_EXPANSIONS = {"usage_threshold.meter": "meter"}
_GTE_MAX = 999_999_999_999_999_999
_TYPES = ("usage_threshold", "credit_balance_threshold")
_RECURRENCES = ("one_time", "calendar_month", "calendar_day")


def _create(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.create(**call.given)))


def _retrieve(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.retrieve(call.ids["id"])))


def _list_alerts(call: Call) -> Answer:
    filters = {
        name: call.given[name] for name in ("alert_type", "meter") if name in call.given
    }
    return Answer(body=page_of(call.m.alerts.list, call.given, ALERTS, **filters))


def _activate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.activate(call.ids["id"])))


def _deactivate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.deactivate(call.ids["id"])))


def _archive(call: Call) -> Answer:
    return Answer(body=body_of(call.m.alerts.archive(call.ids["id"])))


def _recover(m: Metering, alert_id: str) -> Alert:
    return m.alerts.retrieve(alert_id)


_FILTER = Shape(
    {
        "customer": optional(Text(longest=500)),
        "type": required(Choice(words=("customer",))),
    }
)
_CREDIT_THRESHOLD = Shape(
    {
        "filters": optional(Items(_FILTER)),
        "lte": required(
            Shape(
                {
                    "balance_type": required(Choice(words=("monetary",))),
                    "monetary": optional(
                        Shape(
                            {
                                "currency": required(Text(longest=3)),
                                "value": required(Integer(least=0, most=_GTE_MAX)),
                            }
                        )
                    ),
                }
            )
        ),
    }
)
_THRESHOLD = Shape(
    {
        "filters": optional(Items(_FILTER)),
        "gte": required(Integer(least=1, most=_GTE_MAX)),
        "meter": required(Text()),
        "recurrence": required(Choice(words=_RECURRENCES)),
    }
)

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
        parameters={
            "alert_type": required(Choice(words=_TYPES)),
            "title": required(Text(longest=256)),
            "credit_balance_threshold": optional(_CREDIT_THRESHOLD),
            "usage_threshold": optional(_THRESHOLD),
        },
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
        parameters={
            "alert_type": optional(Choice(words=_TYPES)),
            "meter": optional(Text()),
            **PAGING,
        },
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
