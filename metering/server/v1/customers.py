"""Routes of customers.

Source: https://docs.stripe.com/api/customers
"""

from metering.customers.requests import CustomerCreate, CustomerList, CustomerUpdate
from metering.server.v1.created import listing_by_creation
from metering.server.v1.resources import ResourceRoutes

_CUSTOMERS = ResourceRoutes(
    path="/v1/customers",
    retrieve=lambda m: m.customers.retrieve,
    expansions={"test_clock": "test_clock"},
)

ROUTES = (
    _CUSTOMERS.creates(
        "Create a customer.", lambda m: m.customers.create, takes=CustomerCreate
    ),
    _CUSTOMERS.retrieves("Retrieve a customer, or that it was deleted."),
    _CUSTOMERS.changes(
        "Change a customer.", lambda m: m.customers.update, takes=CustomerUpdate
    ),
    _CUSTOMERS.lists(
        "List the customers that are not deleted.",
        listing_by_creation(lambda m: m.customers.list),
        CustomerList,
    ),
    _CUSTOMERS.deletes(
        "Delete a customer, and end its subscriptions.",
        "customer",
        lambda m: m.customers.delete,
    ),
)
