"""Why a hold is refused, or what is to be done to it: one sentence each."""

from collections.abc import Sequence

from metering.arguments.clock import at_microseconds
from metering.errors import InvalidRequestError
from projections.kernels.credits.holds import Hold, HoldStatus, Settlement


def conflicting(hold_id: str, fields: Sequence[str]) -> InvalidRequestError:
    """Return the refusal of an id that belongs to a hold of other content."""
    return InvalidRequestError(
        f"Hold {hold_id} was made already, and differs in {', '.join(fields)}; an id is"
        " used once, so hold under another id",
        code="hold_conflict",
        param="id",
    )


def named_as_invoice(hold_id: str) -> InvalidRequestError:
    """Return the refusal of an id that an invoice has which credits were applied to."""
    return InvalidRequestError(
        f"Credits were applied to an invoice {hold_id}, and a hold is settled under its"
        " own id; hold under another id",
        code="hold_conflict",
        param="id",
    )


def insufficient(
    customer: str, asked: int, found: int, currency: str, param: str = "amount"
) -> InvalidRequestError:
    """Return the refusal of a hold of more than there is."""
    return InvalidRequestError(
        f"Customer {customer} has {found} {currency} of credits that can be held now, and"
        f" {asked} were asked for; hold less, or what there is with partial",
        code="insufficient_credits",
        param=param,
    )


def too_many(customer: str, most: int) -> InvalidRequestError:
    """Return the refusal of one more open hold."""
    return InvalidRequestError(
        f"Customer {customer} has {most} open holds, and may have no more; settle or"
        " release one first",
        code="hold_limit_reached",
        param="customer",
    )


def exceeding(hold: Hold, asked: int, left: int) -> InvalidRequestError:
    """Return the refusal of a settlement of more than is held."""
    return InvalidRequestError(
        f"Hold {hold.hold_id} has {left} {hold.currency}, and {asked} were to be settled;"
        ' settle at most that, or draw what is beyond it with overage="draw"',
        code="exceeds_hold",
        param="amount",
    )


def settled_otherwise(hold: Hold, known: Settlement, field: str) -> InvalidRequestError:
    """Return the refusal of a settlement that was made with other content."""
    named = (
        f"Settlement {known.settlement_id} of hold" if known.settlement_id else "Hold"
    )
    was = "was final" if known.is_final else "was not final"
    if field == "amount":
        was = f"was of {known.amount} {hold.currency}"
    if field == "quantity":
        was = "was of another quantity"
    return InvalidRequestError(
        f"{named} {hold.hold_id} was settled already, and {was}; repeat it so, or settle"
        " under another settlement",
        code="settlement_conflict",
        param=field,
    )


def settlement_taken(hold: Hold, invoice: str) -> InvalidRequestError:
    """Return the refusal of a settlement that an invoice or a hold has the name of."""
    return InvalidRequestError(
        f"Another invoice or hold has the id {invoice}, under which this settlement of hold"
        f" {hold.hold_id} would count; give another settlement",
        code="settlement_conflict",
        param="settlement",
    )


def ended(hold: Hold, status: HoldStatus) -> InvalidRequestError:
    """Return the refusal of what cannot be done to a hold that ended."""
    since = at_microseconds(hold.end[0]).isoformat()
    return InvalidRequestError(
        f"Hold {hold.hold_id} is {status.value} since {since}; what it had left went back"
        " to its grants",
        code=f"hold_{status.value}",
        param="id",
    )
