"""Routes of credit pools: their members, their grants, and what is left of them."""

from functools import partial
from typing import Any, Literal

from metering.bodies import Body
from metering.credits.requests import CreditTerms
from metering.credits.resources import CreditGrant
from metering.pools.requests import (
    CreditPoolCreate,
    CreditPoolList,
    CreditPoolUpdate,
    PoolBalanceQuery,
    PoolMemberAdd,
    PoolMemberList,
    PoolMemberRemove,
)
from metering.pools.resources import CreditPool, CreditPoolMember
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Handler, Route
from metering.server.grammar.dialects import EXTENSION
from metering.server.v1.resources import ResourceRoutes

_POOLS = ResourceRoutes(
    path="/metering/v1/credit_pools",
    retrieve=lambda m: m.credit_pools.retrieve,
    dialect=EXTENSION,
    write=CreditPool.to_dict,
)
_ONE = f"{_POOLS.path}/{{id}}"
_MEMBERS = f"{_ONE}/members"
_GRANTS = f"{_ONE}/credit_grants"


def _balance(call: Call) -> Answer:
    found = call.m.credit_pools.balance(call.ids["id"], **call.given)
    return Answer(body=found.to_dict())


def _add_member(call: Call) -> Answer:
    added = call.m.credit_pools.add_member(call.ids["id"], **call.given)
    return Answer(body=added.to_dict())


def _remove_member(call: Call) -> Answer:
    removed = call.m.credit_pools.remove_member(call.ids["id"], **call.given)
    return Answer(body=removed.to_dict())


def _list_members(call: Call) -> Answer:
    fetch = partial(call.m.credit_pools.list_members, call.ids["id"])
    url = _MEMBERS.format_map(call.ids)
    return Answer(body=page_of(fetch, call.given, url, CreditPoolMember.to_dict))


def _grant(call: Call) -> Answer:
    made = call.m.credit_grants.create(pool=call.ids["id"], **call.given)
    return Answer(body=made.to_dict())


def _list_grants(call: Call) -> Answer:
    fetch = partial(call.m.credit_grants.list, pool=call.ids["id"])
    url = _GRANTS.format_map(call.ids)
    return Answer(body=page_of(fetch, call.given, url, CreditGrant.to_dict))


def _member(call: Call, _: str) -> Body:
    """Answer again what a dead process had added or removed."""
    customer = call.given["customer"]
    member = call.m.credit_pools.retrieve_member(call.ids["id"], customer=customer)
    return member.to_dict()


def _granted(call: Call, grant_id: str) -> Body:
    return call.m.credit_grants.retrieve(grant_id).to_dict()


def _route(
    method: Literal["GET", "POST"],
    path: str,
    summary: str,
    handler: Handler,
    **more: Any,
) -> Route:
    return Route(
        method=method,
        dialect=EXTENSION,
        path=path,
        scope="read" if method == "GET" else "admin",
        summary=summary,
        handler=handler,
        **more,
    )


ROUTES = (
    _POOLS.creates(
        "Make a credit pool.", lambda m: m.credit_pools.create, takes=CreditPoolCreate
    ),
    _POOLS.lists("List credit pools.", lambda m: m.credit_pools.list, CreditPoolList),
    _POOLS.retrieves("Retrieve a credit pool."),
    _POOLS.changes(
        "Change a credit pool.", lambda m: m.credit_pools.update, takes=CreditPoolUpdate
    ),
    _POOLS.changes(
        "Close a credit pool: its members leave.",
        lambda m: m.credit_pools.archive,
        verb="archive",
    ),
    _route(
        "GET",
        f"{_ONE}/balance",
        "Add up what is left of a pool, and what of it a member could draw.",
        _balance,
        takes=PoolBalanceQuery,
    ),
    _route(
        "POST",
        _MEMBERS,
        "Let a customer draw from a pool.",
        _add_member,
        takes=PoolMemberAdd,
        recover=_member,
    ),
    _route(
        "GET",
        _MEMBERS,
        "List the members that a pool has now.",
        _list_members,
        is_list=True,
        takes=PoolMemberList,
    ),
    _route(
        "POST",
        f"{_MEMBERS}/remove",
        "Let a customer draw from a pool no more.",
        _remove_member,
        takes=PoolMemberRemove,
        recover=_member,
    ),
    _route(
        "POST",
        _GRANTS,
        "Grant credits that the members of a pool share.",
        _grant,
        takes=CreditTerms,
        recover=_granted,
    ),
    _route(
        "GET",
        _GRANTS,
        "List the grants of a pool.",
        _list_grants,
        is_list=True,
        takes=CreditPoolList,
    ),
)
