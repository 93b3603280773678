"""A project of Django in one file: ``gunicorn django_backend:application``."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

import metering
from metering.integrations.django import usage


def connect() -> metering.Metering:
    m = metering.connect()  # what METERING_STORE names
    for name in ("requests", "tokens"):
        m.meters.ensure(
            display_name=name, event_name=name, default_aggregation={"formula": "sum"}
        )
    return m


def payload_of(request: HttpRequest, status: int) -> dict[str, str] | None:
    customer = request.headers.get("X-Customer")
    if customer is None or status >= 400:
        return None  # not metered
    return {"stripe_customer_id": customer, "value": "1", "path": request.path}


def identifier_of(request: HttpRequest) -> str | None:
    identifier: str | None = request.headers.get("X-Request-Id")
    return identifier  # which the proxy in front sets


def complete(request: HttpRequest) -> JsonResponse:
    event = usage.m.meter_events.create(
        event_name="tokens",
        identifier=identifier_of(request),
        payload={"stripe_customer_id": request.headers["X-Customer"], "value": "250"},
    )
    return JsonResponse({"position": event.position})


def status(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ready"})


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["metering.integrations.django.MeteringConfig"],
    MIDDLEWARE=["metering.integrations.django.MeteringMiddleware"],
    ROOT_URLCONF=__name__,
    METERING={
        "CONNECT": connect,
        "REQUESTS": {
            "event_name": "requests",
            "payload": payload_of,
            "identifier": identifier_of,
        },
    },
)
urlpatterns = [path("completions", complete), path("status", status)]
application = get_wsgi_application()
