"""Webhook endpoints and changed resources, as one database transaction sees them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import dropwhile, takewhile

from sqlalchemy import Connection, bindparam, or_, select

from ledger.commits import commit_holding
from ledger.entries import CommitKind
from ledger.facts.alerts import AlertStatus
from ledger.facts.credits import CreditGrantCreated
from ledger.facts.union import decode_facts
from ledger.facts.webhooks import WebhookEndpointCreated, WebhookEndpointUpdated
from ledger.reading import decode_commit, read_facts
from projections.alerts.queries import AlertQueries
from projections.credits.queries import CreditQueries, Page
from projections.credits.tables import (
    HAS_CREDIT,
    MAY_EXPIRE,
    credit_grant,
    grant_of,
)
from projections.kernels.alerts.book import AlertDefinition, changed
from projections.kernels.alerts.book import TransitionFact as AlertTransition
from projections.kernels.credits.grants import Grant, GrantFact, changes, granted
from projections.kernels.endpoints import Endpoint, created, updated
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.meters.tables import read_definitions
from projections.schema import RecordedFact
from projections.webhooks.tables import (
    endpoint_of,
    grant_lapse,
    resource_change,
    webhook_endpoint,
)

_ENDPOINTS = select(webhook_endpoint)
_ENDPOINT = _ENDPOINTS.where(webhook_endpoint.c.endpoint_id == bindparam("endpoint_id"))
_CHANGES = (
    select(resource_change)
    .where(
        resource_change.c.resource_id == bindparam("resource_id"),
        resource_change.c.position <= bindparam("up_to"),
    )
    .order_by(resource_change.c.position)
)

# Expiries are seen in their order, and none begins to be before one that was seen.
_LAST_SEEN = (
    select(credit_grant.c.expires_at)
    .join(grant_lapse, grant_lapse.c.grant_id == credit_grant.c.grant_id)
    .order_by(grant_lapse.c.position.desc())
    .limit(1)
)
_EXPIRED = (
    select(credit_grant)
    .where(
        MAY_EXPIRE,
        credit_grant.c.expires_at.between(bindparam("start"), bindparam("instant")),
        # Of those that expire at the start, the ones that come later.
        or_(
            credit_grant.c.expires_at > bindparam("start"),
            credit_grant.c.position > bindparam("after"),
        ),
        HAS_CREDIT,
        credit_grant.c.grant_id.not_in(select(grant_lapse.c.grant_id)),
    )
    .order_by(credit_grant.c.expires_at, credit_grant.c.position)
    .limit(bindparam("limit"))
)


def last_expiry_seen(connection: Connection) -> int:
    """Tell up to which instant expiries were seen, at least."""
    found = connection.execute(_LAST_SEEN).scalar()
    return -(2**62) if found is None else int(found)


def expired_unseen(
    connection: Connection, start: int, after: int, instant: int, limit: int
) -> list[Grant]:
    """Read grants that time made expire and nobody has seen, the first ones first.

    Args:
        connection: to the tables.
        start: the earliest expiry to look at.
        after: of those that expire then, the position to go on from.
        instant: the latest expiry.
        limit: how many.
    """
    given = {"start": start, "after": after, "instant": instant, "limit": limit}
    return [grant_of(row) for row in connection.execute(_EXPIRED, given)]


class EndpointQueries:
    """Webhook endpoints, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Find an endpoint by its id."""
        row = self.connection.execute(_ENDPOINT, {"endpoint_id": endpoint_id}).first()
        return None if row is None else endpoint_of(row)

    def all_endpoints(self) -> list[Endpoint]:
        """Read every endpoint, in the order of their creation."""
        wanted = _ENDPOINTS.order_by(webhook_endpoint.c.position)
        return [endpoint_of(row) for row in self.connection.execute(wanted)]

    def page(self, page: Page) -> list[Endpoint]:
        """Read some endpoints, newest first."""
        wanted, position = _ENDPOINTS, webhook_endpoint.c.position
        if page.before is not None:
            wanted = wanted.where(position < page.before)
        if page.after is not None:
            wanted = wanted.where(position > page.after).order_by(position)
        else:
            wanted = wanted.order_by(position.desc())
        rows = self.connection.execute(wanted.limit(page.limit))
        found = [endpoint_of(row) for row in rows]
        return found if page.after is None else found[::-1]


class Past:
    """Resources as they were at a position, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def facts(self, after: int, up_to: int) -> Iterator[RecordedFact]:
        """Read the facts after a position, which may lie within a commit."""
        start, row = after, commit_holding(self.connection, after + 1)
        if row is not None and CommitKind(row.kind) is CommitKind.FACTS:
            start = min(after, row.first_position - 1)
        found = dropwhile(
            lambda each: each[0] <= after, read_facts(self.connection, start, up_to)
        )
        # The last commit may go on beyond.
        return takewhile(lambda each: each[0] <= up_to, found)

    def fact(self, position: int) -> RecordedFact | None:
        """Read the fact at a position; None where there is another entry, or none."""
        row = commit_holding(self.connection, position)
        if row is None or CommitKind(row.kind) is not CommitKind.FACTS:
            return None
        commit = decode_commit(row)
        assert isinstance(commit.content, tuple), "its kind was looked at"
        if position > commit.last_position:
            return None
        fact = commit.content[position - commit.first_position]
        return position, commit.recorded_at, fact

    def meter(self, meter_id: str, at: int) -> MeterDefinition:
        """Tell what a meter was after the entry at a position."""
        start = read_definitions(self.connection)[meter_id].position
        made: dict[str, MeterDefinition] = {}
        for position, recorded_at, fact in self._facts_about(meter_id, start, at):
            meter = apply_fact(made, fact, position=position, recorded_at=recorded_at)
            assert meter is not None, "the fact is about a meter"
            made[meter_id] = meter
        return made[meter_id]

    def endpoint(self, endpoint: Endpoint, after: int, up_to: int) -> list[Endpoint]:
        """Tell what an endpoint was, one after the other, between two positions.

        Returns:
            As it was after the entry at the first of them, or once it was created;
            then as it was after each change up to the second, which is excluded.
        """
        if endpoint.changed <= max(after, endpoint.position):
            return [endpoint]
        found: list[Endpoint] = []
        facts = self._facts_about(endpoint.endpoint_id, endpoint.position, up_to - 1)
        for position, recorded_at, fact in facts:
            if isinstance(fact, WebhookEndpointCreated):
                found = [created(fact, position, recorded_at)]
            elif isinstance(fact, WebhookEndpointUpdated):
                kept = found if position > after else []
                found = [*kept, updated(found[-1], fact, position)]
        return found

    def endpoint_at(self, endpoint: Endpoint, instant: int) -> Endpoint | None:
        """Tell what an endpoint was at an instant; None where it was not yet."""
        found = None
        facts = self._facts_about(
            endpoint.endpoint_id, endpoint.position, endpoint.changed
        )
        for position, recorded_at, fact in facts:
            # The log does not go back in time.
            if recorded_at > instant:
                break
            if isinstance(fact, WebhookEndpointCreated):
                found = created(fact, position, recorded_at)
            elif isinstance(fact, WebhookEndpointUpdated):
                assert found is not None, "it was created before"
                found = updated(found, fact, position)
        return found

    def grant(self, grant_id: str, at: int) -> Grant:
        """Tell what a grant was after the entry at a position, but for draws of it."""
        now = CreditQueries(self.connection).grant(grant_id)
        assert now is not None, "grants stay"
        grant = now
        for position, recorded_at, fact in self._facts_about(
            grant_id, now.position, at
        ):
            if isinstance(fact, CreditGrantCreated):
                grant = granted(fact, position, recorded_at)
            elif isinstance(fact, GrantFact):
                grant = replace(grant, **changes(fact, position, recorded_at))
        return grant

    def alert(self, alert_id: str, at: int) -> AlertDefinition:
        """Tell what an alert was after the entry at a position."""
        now = AlertQueries(self.connection).alert(alert_id)
        assert now is not None, "alerts stay"
        alert = replace(now, status=AlertStatus.ACTIVE, period=now.position)
        for position, _, fact in self._changes(alert_id, at):
            assert isinstance(fact, AlertTransition), "only these change an alert"
            alert = changed(alert, fact, position)
        return alert

    def _facts_about(
        self, resource_id: str, start: int, at: int
    ) -> Iterator[RecordedFact]:
        """Read what made a resource, and what changed it up to a position."""
        made = self.fact(start)
        assert made is not None, "a fact created it"
        yield made
        yield from self._changes(resource_id, at)

    def _changes(self, resource_id: str, at: int) -> Iterator[RecordedFact]:
        given = {"resource_id": resource_id, "up_to": at}
        for row in self.connection.execute(_CHANGES, given).all():
            (fact,) = decode_facts(bytes(row.fact))
            yield row.position, row.recorded_at, fact
