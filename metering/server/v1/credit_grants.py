"""Routes of credits: grants, balances and transactions.

Source: https://docs.stripe.com/api/billing/credit-grant and its neighbours.
"""

from msgspec import UNSET

from metering.arguments.clock import microseconds
from metering.bodies import body_of
from metering.connection import Metering
from metering.credits.requests import (
    CreditBalanceQuery,
    CreditGrantCreate,
    CreditGrantList,
    CreditGrantUpdate,
    CreditTransactionList,
)
from metering.credits.resources import CreditGrant
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1

GRANTS = "/v1/billing/credit_grants"
SUMMARY = "/v1/billing/credit_balance_summary"
TRANSACTIONS = "/v1/billing/credit_balance_transactions"
_GRANT = GRANTS + "/{id}"
_GRANT_EXPANSIONS = {"test_clock": "test_clock"}
_TRANSACTION_EXPANSIONS = {"credit_grant": "credit_grant", "test_clock": "test_clock"}


def _create_grant(call: Call) -> Answer:
    # Callers give times in whole seconds: an invoice of this second draws on it.
    now = microseconds(call.m.now()) // 1_000_000
    grant = call.m.credit_grants.create(**{"effective_at": now, **call.given})
    return Answer(body=body_of(grant))


def _update_grant(call: Call) -> Answer:
    grant = call.m.credit_grants.update(
        call.ids["id"],
        expires_at=call.given.get("expires_at", UNSET),
        metadata=call.given.get("metadata", UNSET),
    )
    return Answer(body=body_of(grant))


def _retrieve_grant(call: Call) -> Answer:
    return Answer(body=body_of(call.m.credit_grants.retrieve(call.ids["id"])))


def _list_grants(call: Call) -> Answer:
    found = page_of(call.m.credit_grants.list, call.given, GRANTS)
    return Answer(body=found)


def _expire_grant(call: Call) -> Answer:
    return Answer(body=body_of(call.m.credit_grants.expire(call.ids["id"])))


def _void_grant(call: Call) -> Answer:
    return Answer(body=body_of(call.m.credit_grants.void(call.ids["id"])))


def _retrieve_summary(call: Call) -> Answer:
    return Answer(body=body_of(call.m.credit_balance_summary.retrieve(**call.given)))


def _retrieve_transaction(call: Call) -> Answer:
    found = call.m.credit_balance_transactions.retrieve(call.ids["id"])
    return Answer(body=body_of(found))


def _list_transactions(call: Call) -> Answer:
    fetch = call.m.credit_balance_transactions.list
    return Answer(body=page_of(fetch, call.given, TRANSACTIONS))


def _recover(m: Metering, grant_id: str) -> CreditGrant:
    return m.credit_grants.retrieve(grant_id)


ROUTES = (
    Route(
        method="POST",
        dialect=V1,
        path=GRANTS,
        scope="admin",
        summary="Grant credits to a customer.",
        handler=_create_grant,
        expansions=_GRANT_EXPANSIONS,
        recover=_recover,
        takes=CreditGrantCreate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_GRANT,
        scope="read",
        summary="Retrieve a grant.",
        handler=_retrieve_grant,
        expansions=_GRANT_EXPANSIONS,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_GRANT,
        scope="admin",
        summary="Change a grant's expiry or metadata.",
        handler=_update_grant,
        expansions=_GRANT_EXPANSIONS,
        recover=_recover,
        takes=CreditGrantUpdate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=GRANTS,
        scope="read",
        summary="List the grants of one customer, or of all.",
        handler=_list_grants,
        expansions=_GRANT_EXPANSIONS,
        is_list=True,
        takes=CreditGrantList,
    ),
    *(
        Route(
            method="POST",
            dialect=V1,
            path=f"{_GRANT}/{verb}",
            scope="admin",
            summary=summary,
            handler=handler,
            expansions=_GRANT_EXPANSIONS,
            recover=_recover,
        )
        for verb, handler, summary in (
            ("expire", _expire_grant, "Expire a grant now."),
            ("void", _void_grant, "Void a grant of which nothing is applied."),
        )
    ),
    Route(
        method="GET",
        dialect=V1,
        path=SUMMARY,
        scope="read",
        summary="Retrieve a customer's credit balance.",
        handler=_retrieve_summary,
        takes=CreditBalanceQuery,
        needs=frozenset({"filter"}),
    ),
    Route(
        method="GET",
        dialect=V1,
        path=TRANSACTIONS + "/{id}",
        scope="read",
        summary="Retrieve a credit balance transaction.",
        handler=_retrieve_transaction,
        expansions=_TRANSACTION_EXPANSIONS,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=TRANSACTIONS,
        scope="read",
        summary="List the credit balance transactions of a customer or a grant.",
        handler=_list_transactions,
        expansions=_TRANSACTION_EXPANSIONS,
        is_list=True,
        takes=CreditTransactionList,
    ),
)
