"""Routes of credit holds: reserved, settled, released.

A call that is repeated answers as the first time, with or without an idempotency key.
"""

from metering.holds.requests import (
    CreditHoldCreate,
    CreditHoldList,
    CreditHoldSettle,
    CreditHoldsSettle,
)
from metering.holds.resources import CreditHold
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION

HOLDS = "/metering/v1/credit_holds"
_ONE = f"{HOLDS}/{{id}}"


def _create(call: Call) -> Answer:
    return Answer(body=call.m.credit_holds.create(**call.given).to_dict())


def _retrieve(call: Call) -> Answer:
    return Answer(body=call.m.credit_holds.retrieve(call.ids["id"]).to_dict())


def _list(call: Call) -> Answer:
    fetch = call.m.credit_holds.list
    return Answer(body=page_of(fetch, call.given, HOLDS, CreditHold.to_dict))


def _settle(call: Call) -> Answer:
    settled = call.m.credit_holds.settle(call.ids["id"], **call.given)
    return Answer(body=settled.to_dict())


def _release(call: Call) -> Answer:
    return Answer(body=call.m.credit_holds.release(call.ids["id"]).to_dict())


def _settle_many(call: Call) -> Answer:
    receipt = call.m.credit_holds.settle_many(call.given["settlements"])
    return Answer(
        body={
            "object": "metering.settlements_receipt",
            "settled": receipt.settled,
            "repeated": receipt.repeated,
            "rejected": receipt.rejected,
            "rejections": receipt.rejections.to_pylist(),
        }
    )


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path=HOLDS,
        scope="admin",
        summary="Hold credits for work whose price is not known yet.",
        handler=_create,
        takes=CreditHoldCreate,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=HOLDS,
        scope="read",
        summary="List credit holds.",
        handler=_list,
        is_list=True,
        takes=CreditHoldList,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=_ONE,
        scope="read",
        summary="Retrieve a credit hold.",
        handler=_retrieve,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/settle",
        scope="admin",
        summary="Draw what a hold keeps; the rest goes back.",
        handler=_settle,
        takes=CreditHoldSettle,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{HOLDS}/settle",
        scope="admin",
        summary="Settle many holds; one bad settlement fails none.",
        handler=_settle_many,
        takes=CreditHoldsSettle,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/release",
        scope="admin",
        summary="Give up a hold: all that it keeps goes back.",
        handler=_release,
    ),
)
