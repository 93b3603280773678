"""Webhook endpoints: where events are sent. Decides what may be done to them.

Thin events go only to endpoints that name their types: ``*`` leaves them out, as with
Stripe, since the receiver of other events could not parse them.
Source: https://docs.stripe.com/api/webhook_endpoints/object
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import msgspec
from msgspec import UNSET, UnsetType

from ledger.facts.webhooks import (
    EndpointStatus,
    SignatureScheme,
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointSecretRotated,
    WebhookEndpointUpdated,
)
from ledger.records.deliveries import Deliveries
from ledger.records.outbox import Outbox
from ledger.records.signing_secrets import SigningSecrets, encrypt_secrets
from metering.arguments.clock import MICROSECOND, at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import (
    LIMIT,
    ListObject,
    PageRequest,
    check_cursors,
    listed,
    page_of,
)
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from metering.stream.resources import REPORT_TYPES
from metering.webhooks.addresses import check_url
from metering.webhooks.event_rules import EVENT_TYPES, by_resource
from metering.webhooks.requests import (
    OVERLAP,
    OVERLAP_MAX,
    SignatureName,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from metering.webhooks.resources import (
    WebhookDelivery,
    WebhookEndpoint,
    delivery_resource,
)
from metering.webhooks.signatures import new_secret
from projections.kernels.endpoints import EVERY_EVENT, Endpoint
from projections.webhooks.queries import EndpointQueries

ENDPOINTS_MAX = 16


class WebhookEndpoints:
    """The webhook endpoints of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keys = engine.settings.secret_keys

    def create(  # the attributes of an endpoint have names
        self,
        *,
        url: str,
        enabled_events: Sequence[str],
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        signature: SignatureName = "stripe",
    ) -> WebhookEndpoint:
        """Create an endpoint: events are sent to its URL from now on.

        Args:
            url: where they are sent to, over https.
            enabled_events: the types to send, or ``["*"]`` for every type but those of
                thin events.
            description: for people.
            metadata: up to 50 strings of the caller's own.
            signature: how deliveries are signed: ``stripe``, in the header that
                Stripe's libraries verify; or ``standard``, by Standard Webhooks.

        Returns:
            The endpoint with its secret, which no other call returns.

        Raises:
            InvalidRequestError: an argument is malformed, nothing may be sent to the
                URL, or there are too many endpoints.
            SecretError: other secrets are encrypted, and this process has no key.
        """
        check_url(url, allow_private=self._engine.settings.allow_private_webhooks)
        asked = checked(
            WebhookEndpointCreate,
            url=url,
            enabled_events=_check_events(enabled_events),
            description=description or None,
            metadata=metadata,
            signature=signature,
        )
        created = WebhookEndpointCreated(
            endpoint_id=self._engine.ids.resource("we"),
            url=url,
            enabled_events=tuple(asked.enabled_events),
            description=asked.description or None,
            metadata=merge_metadata({}, asked.metadata or None),
            signature=SignatureScheme(asked.signature),
        )
        secret = new_secret()

        with self._engine.writing() as writing:
            count = len(EndpointQueries(writing.connection).all_endpoints())
            if count >= ENDPOINTS_MAX:
                raise InvalidRequestError(
                    f"There are {count} webhook endpoints; must be at most"
                    f" {ENDPOINTS_MAX}, so delete one first",
                    code="webhook_endpoint_limit_reached",
                )
            connection, endpoint_id = writing.connection, created.endpoint_id
            Outbox(connection).open(endpoint_id)
            secrets = SigningSecrets(connection, endpoint_id, self._keys)
            secrets.add(secret, writing.real_now)
            writing.record([created])
        endpoint = self.retrieve(created.endpoint_id)
        return msgspec.structs.replace(endpoint, secret=secret)

    def update(  # the attributes of an endpoint have names
        self,
        endpoint_id: str,
        *,
        url: str | UnsetType = UNSET,
        enabled_events: Sequence[str] | UnsetType = UNSET,
        description: str | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
        disabled: bool | UnsetType = UNSET,
    ) -> WebhookEndpoint:
        """Change an endpoint. Pending deliveries go to its new URL.

        Args:
            endpoint_id: of the endpoint.
            url: as for `create`.
            enabled_events: as for `create`, for events from now on.
            description: as for `create`; None or ``""`` removes it.
            metadata: is merged into the endpoint's own: an empty string removes its
                key, and None or ``""`` removes every pair.
            disabled: whether to send nothing for now. Pending deliveries are sent once
                the endpoint is enabled again; events that happen while it is disabled
                are never sent to it.

        Raises:
            ResourceMissingError: there is no such endpoint.
            InvalidRequestError: an argument is malformed, or nothing may be sent to the
                URL.
        """
        changed: dict[str, object] = {}
        if not isinstance(url, UnsetType):
            allow_private = self._engine.settings.allow_private_webhooks
            check_url(url, allow_private=allow_private)
            changed["url"] = url
        if not isinstance(enabled_events, UnsetType):
            changed["enabled_events"] = _check_events(enabled_events)
        asked = checked(
            WebhookEndpointUpdate,
            description=description,
            metadata=metadata,
            disabled=disabled,
        )
        if not isinstance(asked.description, UnsetType):
            changed["description"] = asked.description
        if not isinstance(asked.disabled, UnsetType):
            changed["status"] = _STATUSES[asked.disabled]
        pairs = asked.metadata

        with self._engine.writing() as writing:
            endpoint = endpoint_of(EndpointQueries(writing.connection), endpoint_id)
            known = as_it_is(endpoint)
            updated = msgspec.structs.replace(known, **changed)
            if not isinstance(pairs, UnsetType):
                merged = merge_metadata(endpoint.metadata, pairs)
                updated = msgspec.structs.replace(updated, metadata=merged)
            if updated != known:
                writing.record([updated])
        return self.retrieve(endpoint_id)

    def rotate_secret(
        self, endpoint_id: str, *, overlap: timedelta = OVERLAP
    ) -> WebhookEndpoint:
        """Replace the secret of an endpoint.

        Args:
            endpoint_id: of the endpoint.
            overlap: how long deliveries are signed with the earlier secret too, up to
                30 days.

        Returns:
            The endpoint with the new secret, which no other call returns.

        Raises:
            ResourceMissingError: there is no such endpoint.
            InvalidRequestError: the overlap is malformed.
            SecretError: other secrets are encrypted, and this process has no key.
        """
        is_length = isinstance(overlap, timedelta)
        if not is_length or not timedelta(0) <= overlap <= OVERLAP_MAX:
            raise invalid("overlap", overlap, f"a timedelta of up to {OVERLAP_MAX}")
        length = overlap // MICROSECOND
        secret = new_secret()

        with self._engine.writing() as writing:
            endpoint_of(EndpointQueries(writing.connection), endpoint_id)
            ends = writing.real_now + length
            secrets = SigningSecrets(writing.connection, endpoint_id, self._keys)
            secrets.end(ends)
            secrets.add(secret, writing.real_now)
            rotated = WebhookEndpointSecretRotated(
                endpoint_id=endpoint_id, overlap_ends=ends
            )
            writing.record([rotated])
        return msgspec.structs.replace(self.retrieve(endpoint_id), secret=secret)

    def encrypt_secrets(self) -> int:
        """Encrypt the secrets of all endpoints under the secret key that is in use.

        New ones always are. This is for those from before there was a key, and for those
        under a key that is to be replaced: the first key of METERING_SECRET_KEY is in use,
        and the others are read. Repeating it changes nothing.

        Returns:
            How many were in the clear, or under another key.

        Raises:
            SecretError: there is no key, or it cannot read a secret; nothing has changed.
        """
        with self._engine.writing() as writing:
            return encrypt_secrets(writing.connection, self._keys)

    def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint with its deliveries, pending ones among them.

        Raises:
            ResourceMissingError: there is no such endpoint.
        """
        with self._engine.writing() as writing:
            endpoint_of(EndpointQueries(writing.connection), endpoint_id)
            Outbox(writing.connection).remove(endpoint_id)
            SigningSecrets(writing.connection, endpoint_id, self._keys).delete()
            writing.record([WebhookEndpointDeleted(endpoint_id=endpoint_id)])

    def retrieve(self, endpoint_id: str) -> WebhookEndpoint:
        """Return an endpoint by its id, without its secret.

        Raises:
            ResourceMissingError: there is no such endpoint.
        """
        with self._engine.log.read() as connection:
            endpoint = endpoint_of(EndpointQueries(connection), endpoint_id)
        return self._resource(endpoint)

    def list(
        self,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[WebhookEndpoint]:
        """Return endpoints, newest first.

        Args:
            limit: 1 to 100.
            starting_after: id of the endpoint before the first one to list.
            ending_before: id of the endpoint after the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no endpoint.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                PageRequest,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: PageRequest) -> ListObject[WebhookEndpoint]:
        with self._engine.log.read() as connection:
            seen = EndpointQueries(connection)
            page = page_of(asked, lambda each, at: endpoint_of(seen, each, at).position)
            found = seen.page(page)
        return listed(asked, [self._resource(each) for each in found], self._page)

    def deliveries(
        self,
        endpoint_id: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[WebhookDelivery]:
        """Return the deliveries to an endpoint, newest first, with their attempts.

        Args:
            endpoint_id: of the endpoint.
            limit: 1 to 100.
            starting_after: id of the event before the first one to list.
            ending_before: id of the event behind the last one to list.

        Raises:
            ResourceMissingError: there is no such endpoint, or a cursor is the id of no
                event that was to be sent to it.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        asked = checked(
            PageRequest,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._deliveries(endpoint_id, asked)

    def _deliveries(
        self, endpoint_id: str, asked: PageRequest
    ) -> ListObject[WebhookDelivery]:
        check_cursors(asked)
        assert asked.limit is not None, "deliveries are read by pages"
        with self._engine.log.read() as connection:
            endpoint_of(EndpointQueries(connection), endpoint_id)
            seen = Deliveries(connection)

            def place(event_id: str | None, param: str) -> tuple[int, int] | None:
                if event_id is None:
                    return None
                find = partial(seen.place_of, endpoint_id)
                return found_by_id(find, event_id, "event", param)

            found = seen.latest(
                endpoint_id,
                asked.limit + 1,
                before=place(asked.starting_after, "starting_after"),
                after=place(asked.ending_before, "ending_before"),
            )
        return listed(
            asked,
            [delivery_resource(delivery, attempts) for delivery, attempts in found],
            lambda following: self._deliveries(endpoint_id, following),
            id_of=lambda each: each.event,
        )

    def _resource(self, endpoint: Endpoint) -> WebhookEndpoint:
        return WebhookEndpoint(
            id=endpoint.endpoint_id,
            created=at_microseconds(endpoint.created),
            description=endpoint.description,
            enabled_events=endpoint.enabled_events,
            livemode=self._engine.settings.livemode,
            metadata=dict(endpoint.metadata),
            signature=endpoint.signature.value,
            status=endpoint.status.value,
            url=endpoint.url,
        )


def as_it_is(endpoint: Endpoint) -> WebhookEndpointUpdated:
    """Return the fact that leaves an endpoint unchanged."""
    names = WebhookEndpointUpdated.__struct_fields__
    return WebhookEndpointUpdated(**{name: getattr(endpoint, name) for name in names})


def endpoint_of(
    seen: EndpointQueries, endpoint_id: object, param: str = "id"
) -> Endpoint:
    """Return an endpoint by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.endpoint, endpoint_id, "webhook endpoint", param)


def _check_events(enabled_events: Sequence[str]) -> tuple[str, ...]:
    param, allowed = "enabled_events", (EVERY_EVENT, *EVENT_TYPES, *REPORT_TYPES)
    is_list = isinstance(enabled_events, Sequence)
    if not is_list or isinstance(enabled_events, str | bytes) or not enabled_events:
        raise invalid(param, enabled_events, "a list of event types, or of *")
    for each in enabled_events:
        if each not in allowed:
            raise invalid(param, each, f"one of {by_resource(allowed)}")
    return tuple(dict.fromkeys(enabled_events))


_STATUSES = {True: EndpointStatus.DISABLED, False: EndpointStatus.ENABLED}
