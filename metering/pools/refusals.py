"""Why something about a pool is refused: one sentence each."""

from collections.abc import Sequence

from metering.errors import InvalidRequestError


def conflicting(pool_id: str, fields: Sequence[str]) -> InvalidRequestError:
    """Return the refusal of an id that belongs to a pool of other content."""
    return InvalidRequestError(
        f"Credit pool {pool_id} was made already, and differs in {', '.join(fields)};"
        " update it, or make another one under another id",
        code="credit_pool_conflict",
        param="id",
    )


def pool_as_member(pool_id: str, customer: str) -> InvalidRequestError:
    """Return the refusal of a member that is a pool."""
    which = "itself" if customer == pool_id else f"pool {customer}"
    return InvalidRequestError(
        f"Credit pool {pool_id} cannot contain {which}; add the customers of a pool one"
        " by one",
        code="credit_pool_nested",
        param="customer",
    )


def member_as_pool(pool_id: str) -> InvalidRequestError:
    """Return the refusal of a pool under the id of a customer that is a member."""
    return InvalidRequestError(
        f"Customer {pool_id} is a member of a credit pool, and no pool is; give the pool"
        " another id",
        code="credit_pool_nested",
        param="id",
    )


def joined_already(pool_id: str, customer: str) -> InvalidRequestError:
    """Return the refusal of a customer that joins twice."""
    return InvalidRequestError(
        f"Customer {customer} is a member of credit pool {pool_id} already; to change its"
        " cap, remove it and add it again",
        code="credit_pool_member_exists",
        param="customer",
    )


def no_member(pool_id: str, customer: str) -> InvalidRequestError:
    """Return the refusal of a customer that leaves without having joined."""
    return InvalidRequestError(
        f"Customer {customer} is no member of credit pool {pool_id}",
        code="credit_pool_member_missing",
        param="customer",
    )


def below_taken(
    pool_id: str, customer: str, cap: int, taken: int
) -> InvalidRequestError:
    """Return the refusal of a cap below what a member has drawn and holds."""
    return InvalidRequestError(
        f"Invalid cap: {cap}; customer {customer} has drawn and holds {taken} of credit"
        f" pool {pool_id}, so it must be at least {taken}",
        code="credit_pool_cap_exceeded",
        param="cap[monetary][value]",
    )


def other_currency(
    pool_id: str, currency: str, others: Sequence[str]
) -> InvalidRequestError:
    """Return the refusal of a cap in another currency than what it caps."""
    return InvalidRequestError(
        f"Invalid cap: {currency}; the grants and caps of credit pool {pool_id} are in"
        f" {', '.join(others)}, and a cap is in the one currency of its pool",
        code="credit_pool_currency",
        param="cap[monetary][currency]",
    )


def lives_by_a_clock(pool_id: str, customer: str) -> InvalidRequestError:
    """Return the refusal of a member that lives by a test clock."""
    return InvalidRequestError(
        f"Customer {customer} lives by a test clock, and pool {pool_id} by the time of"
        " its other members; grant the customer credits of its own",
        code="test_clocks_differ",
        param="customer",
    )
