"""Routes of credits: grants, balances and transactions.

Source: https://docs.stripe.com/api/billing/credit-grant and its neighbours.
"""

from collections.abc import Callable
from functools import partial

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
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1
from metering.server.v1.resources import ResourceRoutes

_GRANTS = ResourceRoutes(
    path="/v1/billing/credit_grants",
    retrieve=lambda m: m.credit_grants.retrieve,
    expansions={"test_clock": "test_clock"},
)
_TRANSACTIONS = ResourceRoutes(
    path="/v1/billing/credit_balance_transactions",
    retrieve=lambda m: m.credit_balance_transactions.retrieve,
    expansions={"credit_grant": "credit_grant", "test_clock": "test_clock"},
)


def _create_grant(m: Metering) -> Callable[..., CreditGrant]:
    # Callers give times in whole seconds: an invoice of this second draws on it.
    now = microseconds(m.now()) // 1_000_000
    return partial(m.credit_grants.create, effective_at=now)


def _retrieve_summary(call: Call) -> Answer:
    return Answer(body=body_of(call.m.credit_balance_summary.retrieve(**call.given)))


ROUTES = (
    _GRANTS.creates(
        "Grant credits to a customer.", _create_grant, takes=CreditGrantCreate
    ),
    _GRANTS.retrieves("Retrieve a grant."),
    _GRANTS.changes(
        "Change a grant's expiry or metadata.",
        lambda m: m.credit_grants.update,
        takes=CreditGrantUpdate,
    ),
    _GRANTS.lists(
        "List the grants of one customer, or of all.",
        lambda m: m.credit_grants.list,
        CreditGrantList,
    ),
    _GRANTS.changes(
        "Expire a grant now.", lambda m: m.credit_grants.expire, verb="expire"
    ),
    _GRANTS.changes(
        "Void a grant of which nothing is applied.",
        lambda m: m.credit_grants.void,
        verb="void",
    ),
    Route(
        method="GET",
        dialect=V1,
        path="/v1/billing/credit_balance_summary",
        scope="read",
        summary="Retrieve a customer's credit balance.",
        handler=_retrieve_summary,
        takes=CreditBalanceQuery,
        needs=frozenset({"filter"}),
    ),
    _TRANSACTIONS.retrieves("Retrieve a credit balance transaction."),
    _TRANSACTIONS.lists(
        "List the credit balance transactions of a customer or a grant.",
        lambda m: m.credit_balance_transactions.list,
        CreditTransactionList,
    ),
)
