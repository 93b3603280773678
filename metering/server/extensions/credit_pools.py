"""Routes of credit pools: their members, their grants, and what is left of them."""

from typing import Any, Literal

from metering.arguments.pages import LIMIT
from metering.bodies import Body
from metering.credits.requests import CreditTerms
from metering.pools.requests import (
    CreditPoolCreate,
    CreditPoolList,
    CreditPoolUpdate,
    PoolBalanceQuery,
    PoolMemberAdd,
    PoolMemberList,
    PoolMemberRemove,
)
from metering.server.api.pages import listed
from metering.server.api.routes import Answer, Call, Handler, Route
from metering.server.grammar.dialects import EXTENSION

POOLS = "/metering/v1/credit_pools"
_ONE = f"{POOLS}/{{id}}"
_MEMBERS = f"{_ONE}/members"
_GRANTS = f"{_ONE}/credit_grants"


def _create(call: Call) -> Answer:
    return Answer(body=call.m.credit_pools.create(**call.given).to_dict())


def _list(call: Call) -> Answer:
    page = call.m.credit_pools.list(**{"limit": LIMIT, **call.given})
    data = [each.to_dict() for each in page]
    return Answer(body=listed(data, POOLS, has_more=page.has_more))


def _retrieve(call: Call) -> Answer:
    return Answer(body=call.m.credit_pools.retrieve(call.ids["id"]).to_dict())


def _update(call: Call) -> Answer:
    updated = call.m.credit_pools.update(call.ids["id"], **call.given)
    return Answer(body=updated.to_dict())


def _archive(call: Call) -> Answer:
    return Answer(body=call.m.credit_pools.archive(call.ids["id"]).to_dict())


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
    pool_id = call.ids["id"]
    page = call.m.credit_pools.list_members(pool_id, **{"limit": LIMIT, **call.given})
    data = [each.to_dict() for each in page]
    url = f"{POOLS}/{pool_id}/members"
    return Answer(body=listed(data, url, has_more=page.has_more))


def _grant(call: Call) -> Answer:
    made = call.m.credit_grants.create(pool=call.ids["id"], **call.given)
    return Answer(body=made.to_dict())


def _list_grants(call: Call) -> Answer:
    pool_id = call.ids["id"]
    page = call.m.credit_grants.list(pool=pool_id, **{"limit": LIMIT, **call.given})
    data = [each.to_dict() for each in page]
    url = f"{POOLS}/{pool_id}/credit_grants"
    return Answer(body=listed(data, url, has_more=page.has_more))


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
    _route("POST", POOLS, "Make a credit pool.", _create, takes=CreditPoolCreate),
    _route(
        "GET", POOLS, "List credit pools.", _list, is_list=True, takes=CreditPoolList
    ),
    _route("GET", _ONE, "Retrieve a credit pool.", _retrieve),
    _route("POST", _ONE, "Change a credit pool.", _update, takes=CreditPoolUpdate),
    _route(
        "POST", f"{_ONE}/archive", "Close a credit pool: its members leave.", _archive
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
