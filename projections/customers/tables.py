"""The table of customers, and how facts fold into it."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    update,
)

from ledger.database.rows import (
    FLAG,
    RowFormat,
    change_row,
    enum_codec,
    packed_codec,
    row_of,
)
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
    PostalAddress,
    ShippingDetails,
    TaxExemption,
)
from ledger.facts.test_clocks import TestClockCreated, TestClockDeleted
from projections.kernels.customers import (
    CustomerDefinition,
    customer_created,
    customer_deleted,
    customer_updated,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

customer = Table(
    "customer",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("customer_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=True),
    Column("email", Text, nullable=True),
    Column("description", Text, nullable=True),
    Column("phone", Text, nullable=True),
    Column("address", LargeBinary, nullable=True),
    Column("shipping", LargeBinary, nullable=True),
    Column("preferred_locales", LargeBinary, nullable=False),
    Column("tax_exempt", String(16), nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("test_clock", Text, nullable=True, index=True),
    Column("is_deleted", Integer, nullable=False),
    Index("customer_email", "email", "position"),
)

CUSTOMERS = RowFormat(
    customer,
    CustomerDefinition,
    {
        "address": packed_codec(PostalAddress),
        "shipping": packed_codec(ShippingDetails),
        "preferred_locales": packed_codec(tuple[str, ...]),
        "tax_exempt": enum_codec(TaxExemption),
        "metadata": packed_codec(dict[str, str]),
        "is_deleted": FLAG,
    },
)


def fold_customers(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about customers."""
    for position, recorded_at, fact in facts:
        match fact:
            case CustomerCreated():
                row = CUSTOMERS.named(customer_created(fact, position, recorded_at))
                connection.execute(insert(customer), row)
            case CustomerUpdated():
                known = _customer(connection, fact.customer_id)
                _keep(connection, customer_updated(known, fact))
            case CustomerDeleted():
                known = _customer(connection, fact.customer_id)
                _keep(connection, customer_deleted(known))
            case TestClockCreated():
                its = customer.c.customer_id == fact.customer
                attached = update(customer).where(its)
                connection.execute(attached.values(test_clock=fact.test_clock_id))
            case TestClockDeleted():
                its = customer.c.test_clock == fact.test_clock_id
                connection.execute(update(customer).where(its).values(is_deleted=1))
            case _:
                pass


CUSTOMER_FOLD = TableFold(tables=(customer,), fold=fold_customers)


def _customer(connection: Connection, customer_id: str) -> CustomerDefinition:
    return CUSTOMERS.read(row_of(connection, customer.c.customer_id, customer_id))


def _keep(connection: Connection, changed: CustomerDefinition) -> None:
    row = CUSTOMERS.named(changed)
    change_row(connection, customer.c.customer_id, changed.customer_id, row)
