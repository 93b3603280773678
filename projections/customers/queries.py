"""Queries of customers, as one database transaction sees them."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from projections.customers.tables import CUSTOMERS, customer
from projections.kernels.customers import CustomerDefinition
from projections.rows import Page, compared, within_bounds

_CUSTOMERS = select(customer)
_CUSTOMER = _CUSTOMERS.where(customer.c.customer_id == bindparam("customer_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFilter:
    """Which customers are listed; None is no condition.

    Attributes:
        created: microseconds since 1970 UTC, the first inclusive, the last exclusive.
        test_clock: None is none, rather than any.
    """

    email: str | None = None
    test_clock: str | None = None
    created: tuple[int, int] | None = None


class CustomerQueries:
    """Queries of customers in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def customer(self, customer_id: str) -> CustomerDefinition | None:
        """Return a customer by its id, deleted or not."""
        row = self.connection.execute(_CUSTOMER, {"customer_id": customer_id}).first()
        return None if row is None else CUSTOMERS.read(row)

    def customers(self, wanted: CustomerFilter, page: Page) -> list[CustomerDefinition]:
        """Return a page of customers that are not deleted, newest first."""
        statement = _CUSTOMERS.where(customer.c.is_deleted == 0)
        statement = compared(statement, (customer.c.email, wanted.email))
        statement = statement.where(
            customer.c.test_clock.is_not_distinct_from(wanted.test_clock)
        )
        statement = within_bounds(statement, customer.c.created, wanted.created)
        rows = page.read(self.connection, customer, statement)
        return [CUSTOMERS.read(row) for row in rows]
