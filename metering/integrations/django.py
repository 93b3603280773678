"""Django: the store that the settings name, an app that checks them, and middleware.

::

    INSTALLED_APPS = ["metering.integrations.django.MeteringConfig", …]
    MIDDLEWARE = ["metering.integrations.django.MeteringMiddleware", …]
    METERING = {
        "CONNECT": "shop.metering.connect",  # by default, what the environment names
        "REQUESTS": {"event_name": "requests", "payload": "shop.metering.payload_of"},
    }

Functions stand there as they are, or by their paths.

Source: https://docs.djangoproject.com/en/5.2/topics/http/middleware/
"""

from asyncio import iscoroutinefunction
from collections.abc import Awaitable, Callable
from typing import Any

from metering.connection import Metering
from metering.integrations.extras import needing
from metering.integrations.processes import ProcessStore
from metering.integrations.requests import RequestMetering
from metering.opening import connect

with needing("django"):
    from asgiref.sync import markcoroutinefunction
    from django.apps import AppConfig
    from django.conf import settings
    from django.core import checks
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpRequest, HttpResponseBase
    from django.utils.module_loading import import_string

_SECTIONS = {"CONNECT", "REQUESTS"}
_FUNCTIONS = ("payload", "identifier", "failed")


def _given(name: str, default: Any) -> Any:
    given: Any = getattr(settings, "METERING", {}).get(name, default)
    return given


def _function(given: Any) -> Any:
    return import_string(given) if isinstance(given, str) else given


def _open() -> Metering:
    m: Metering = _function(_given("CONNECT", connect))()
    return m


def _requests() -> RequestMetering[HttpRequest]:
    given = dict(_given("REQUESTS", {}))
    given |= {name: _function(given[name]) for name in _FUNCTIONS if name in given}
    try:
        return RequestMetering(**given)
    except TypeError as error:
        raise ImproperlyConfigured(f"METERING['REQUESTS']: {error}") from error


usage = ProcessStore(_open)
"""The store of the project: ``usage.m`` is the connection of this process."""


class MeteringConfig(AppConfig):  # type: ignore[misc]  # Django ships no types
    """The app: ``manage.py check`` finds what is wrong with the settings."""

    name = "metering.integrations.django"
    label = "metering"

    def ready(self) -> None:
        """Register the check."""
        checks.register(_check_settings)


def _check_settings(**_: Any) -> list[Any]:
    unknown = sorted(set(getattr(settings, "METERING", {})) - _SECTIONS)
    problems = [f"METERING has no section {name!r}" for name in unknown]
    try:
        _function(_given("CONNECT", connect))
        if _given("REQUESTS", {}):
            _requests()
    except (ImproperlyConfigured, ImportError) as error:
        problems.append(str(error))
    return [checks.Error(problem, id="metering.E001") for problem in problems]


class MeteringMiddleware:
    """Middleware that meters requests, as ``METERING["REQUESTS"]`` says."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._requests = _requests()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request, and meter it."""
        if self._is_async:
            return self._awaited(request)
        response: HttpResponseBase = self._get_response(request)
        self._requests.record(usage, request, response.status_code)
        return response

    async def _awaited(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._get_response(request)
        await self._requests.record_awaited(usage, request, response.status_code)
        return response
