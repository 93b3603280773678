"""Routes of credits: grants, balances and transactions.

Source: https://docs.stripe.com/api/billing/credit-grant and its neighbours.
"""

from msgspec import UNSET

import metering
from metering.arguments.clock import microseconds
from metering.bodies import body_of
from metering.connection import Metering
from metering.credits.resources import CreditGrant
from metering.server.api.pages import PAGING, page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.parameters import (
    METADATA,
    Choice,
    Integer,
    Items,
    Shape,
    Text,
    optional,
    required,
    seconds,
)

GRANTS = "/v1/billing/credit_grants"
SUMMARY = "/v1/billing/credit_balance_summary"
TRANSACTIONS = "/v1/billing/credit_balance_transactions"
_GRANT = GRANTS + "/{id}"
_GRANT_EXPANSIONS = {"test_clock": "test_clock"}
_TRANSACTION_EXPANSIONS = {"credit_grant": "credit_grant", "test_clock": "test_clock"}
_AMOUNT_MAX = 999_999_999_999


def create_grant(call: Call) -> Answer:
    """Grant credits to a customer."""
    # Callers tell time in whole seconds: an invoice of this second draws on it.
    now = microseconds(metering.SystemClock().now()) // 1_000_000
    grant = call.m.credit_grants.create(**{"effective_at": now, **call.given})
    return Answer(body=body_of(grant))


def update_grant(call: Call) -> Answer:
    """Change when a grant expires, or its metadata."""
    grant = call.m.credit_grants.update(
        call.ids["id"],
        expires_at=call.given.get("expires_at", UNSET),
        metadata=call.given.get("metadata", UNSET),
    )
    return Answer(body=body_of(grant))


def retrieve_grant(call: Call) -> Answer:
    """Retrieve a grant."""
    return Answer(body=body_of(call.m.credit_grants.retrieve(call.ids["id"])))


def list_grants(call: Call) -> Answer:
    """List grants, of one customer or of all."""
    customer = call.given.get("customer")
    found = page_of(call.m.credit_grants.list, call.given, GRANTS, customer=customer)
    return Answer(body=found)


def expire_grant(call: Call) -> Answer:
    """Let a grant expire now."""
    return Answer(body=body_of(call.m.credit_grants.expire(call.ids["id"])))


def void_grant(call: Call) -> Answer:
    """Take a grant back, while nothing of it is applied."""
    return Answer(body=body_of(call.m.credit_grants.void(call.ids["id"])))


def retrieve_summary(call: Call) -> Answer:
    """Tell what is left of a customer's credits."""
    return Answer(body=body_of(call.m.credit_balance_summary.retrieve(**call.given)))


def retrieve_transaction(call: Call) -> Answer:
    """Retrieve a transaction of credits."""
    found = call.m.credit_balance_transactions.retrieve(call.ids["id"])
    return Answer(body=body_of(found))


def list_transactions(call: Call) -> Answer:
    """List transactions, of a customer or of a grant."""
    filters = {
        name: call.given[name]
        for name in ("customer", "credit_grant")
        if name in call.given
    }
    fetch = call.m.credit_balance_transactions.list
    return Answer(body=page_of(fetch, call.given, TRANSACTIONS, **filters))


def _recover(m: Metering, grant_id: str) -> CreditGrant:
    return m.credit_grants.retrieve(grant_id)


_SCOPE = Shape(
    {
        "price_type": optional(Choice(words=("metered",))),
        "prices": optional(Items(Shape({"id": required(Text(longest=255))}))),
    }
)
_MONEY = Shape(
    {
        "currency": required(Text(longest=3)),
        "value": required(Integer(least=1, most=_AMOUNT_MAX)),
    }
)
_AMOUNT = Shape(
    {"monetary": optional(_MONEY), "type": required(Choice(words=("monetary",)))}
)
_FILTER = Shape(
    {
        "applicability_scope": optional(_SCOPE),
        "credit_grant": optional(Text()),
        "type": required(Choice(words=("applicability_scope", "credit_grant"))),
    }
)
_CUSTOMER = Text(longest=500)

ROUTES = (
    Route(
        method="POST",
        path=GRANTS,
        scope="admin",
        handler=create_grant,
        expansions=_GRANT_EXPANSIONS,
        recover=_recover,
        parameters={
            "amount": required(_AMOUNT),
            "applicability_config": required(Shape({"scope": required(_SCOPE)})),
            "category": optional(Choice(words=("paid", "promotional"))),
            "customer": required(_CUSTOMER),
            "effective_at": optional(seconds()),
            "expires_at": optional(seconds()),
            "metadata": optional(METADATA),
            "name": optional(Text(longest=100)),
            "priority": optional(Integer(least=0, most=100)),
        },
    ),
    Route(
        method="GET",
        path=_GRANT,
        scope="read",
        handler=retrieve_grant,
        expansions=_GRANT_EXPANSIONS,
    ),
    Route(
        method="POST",
        path=_GRANT,
        scope="admin",
        handler=update_grant,
        expansions=_GRANT_EXPANSIONS,
        recover=_recover,
        parameters={
            "expires_at": optional(seconds(unsets=True)),
            "metadata": optional(METADATA),
        },
    ),
    Route(
        method="GET",
        path=GRANTS,
        scope="read",
        handler=list_grants,
        expansions=_GRANT_EXPANSIONS,
        is_list=True,
        parameters={"customer": optional(_CUSTOMER), **PAGING},
    ),
    *(
        Route(
            method="POST",
            path=f"{_GRANT}/{verb}",
            scope="admin",
            handler=handler,
            expansions=_GRANT_EXPANSIONS,
            recover=_recover,
        )
        for verb, handler in (("expire", expire_grant), ("void", void_grant))
    ),
    Route(
        method="GET",
        path=SUMMARY,
        scope="read",
        handler=retrieve_summary,
        parameters={"customer": required(_CUSTOMER), "filter": required(_FILTER)},
    ),
    Route(
        method="GET",
        path=TRANSACTIONS + "/{id}",
        scope="read",
        handler=retrieve_transaction,
        expansions=_TRANSACTION_EXPANSIONS,
    ),
    Route(
        method="GET",
        path=TRANSACTIONS,
        scope="read",
        handler=list_transactions,
        expansions=_TRANSACTION_EXPANSIONS,
        is_list=True,
        parameters={
            "credit_grant": optional(Text()),
            "customer": optional(_CUSTOMER),
            **PAGING,
        },
    ),
)
