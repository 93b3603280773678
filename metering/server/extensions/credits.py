"""Routes of credits, for systems that make invoices: apply credits, give them back.

An invoice is settled once, whatever is repeated: under an idempotency key the answer is
given again, and without one the invoice itself is found.
"""

from collections.abc import Sequence

from metering.bodies import Body, body_of
from metering.credits.requests import (
    InvoiceApply,
    InvoiceReinstate,
    InvoicesReinstate,
)
from metering.credits.resources import CreditBalanceTransaction
from metering.server.api.pages import listed
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION

CREDITS = "/metering/v1/credits"
_APPLY, _PREVIEW, _REINSTATE, _REINSTATE_MANY = (
    f"{CREDITS}/{verb}" for verb in ("apply", "preview", "reinstate", "reinstate_many")
)
_RECEIPT = "metering.reinstatement_receipt"
_EXPANSIONS = {"credit_grant": "credit_grant", "test_clock": "test_clock"}


def _apply(call: Call) -> Answer:
    return Answer(body=_list(call.m.credits.apply(**call.given), _APPLY))


def _preview(call: Call) -> Answer:
    # It may say less than what was recorded meanwhile, and never more.
    position = call.m.position
    made = call.m.credits.preview(**call.given)
    return Answer(body=_list(made, _PREVIEW), position=position)


def _reinstate(call: Call) -> Answer:
    return Answer(body=_list(call.m.credits.reinstate(**call.given), _REINSTATE))


def _reinstate_many(call: Call) -> Answer:
    receipt = call.m.credits.reinstate_many(call.given["invoices"])
    return Answer(
        body={
            "object": _RECEIPT,
            "reinstated": receipt.reinstated,
            "repeated": receipt.repeated,
            "rejected": receipt.rejected,
            "transactions": receipt.transactions.to_pylist(),
            "rejections": receipt.rejections.to_pylist(),
        }
    )


def _list(made: Sequence[CreditBalanceTransaction], url: str) -> Body:
    return listed([body_of(each) for each in made], url, has_more=False)


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path=_APPLY,
        scope="admin",
        summary="Apply a customer's credits to an invoice, once.",
        handler=_apply,
        expansions=_EXPANSIONS,
        is_list=True,
        takes=InvoiceApply,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=_PREVIEW,
        scope="read",
        summary="Preview what an invoice would draw, and record nothing.",
        handler=_preview,
        expansions=_EXPANSIONS,
        is_list=True,
        # What it answers is soon another thing; nothing came of it.
        keeps_answers=False,
        takes=InvoiceApply,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=_REINSTATE,
        scope="admin",
        summary="Give back the credits that an invoice drew, because it was voided.",
        handler=_reinstate,
        expansions=_EXPANSIONS,
        is_list=True,
        takes=InvoiceReinstate,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=_REINSTATE_MANY,
        scope="admin",
        summary="Give back the credits that many invoices drew; one bad one fails none.",
        handler=_reinstate_many,
        takes=InvoicesReinstate,
    ),
)
