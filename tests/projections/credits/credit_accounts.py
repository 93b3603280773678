"""Own the ordinary grants that tests of the kernels of credits vary."""

from typing import Any

from msgspec.structs import replace

from ledger.facts.credits.grants import CreditsApplied, Draw, GrantCategory, InvoiceLine
from projections.kernels.credits.grants import Application, Grant, applied


def grant(position: int = 1, **others: Any) -> Grant:
    """A grant of 100 cents recorded at 10, usable at once and for ever."""
    usual: dict[str, Any] = {
        "position": position,
        "grant_id": f"credgr_{position}",
        "customer": "cus_1",
        "amount": 100,
        "currency": "usd",
        "prices": None,
        "category": GrantCategory.PAID,
        "name": None,
        "priority": 50,
        "effective_at": 10,
        "expires_at": None,
        "metadata": {},
        "created": 10,
        "updated": 10,
    }
    return Grant(**{**usual, **others})


def application(
    position: int, at: int, *draws: tuple[int, int, int], **others: Any
) -> Application:
    """An invoice of two lines that drew (line, grant, amount)."""
    fact = CreditsApplied(
        invoice=f"in_{position}",
        customer="cus_1",
        currency="usd",
        period_end=at,
        lines=(InvoiceLine("il_1", 50, None), InvoiceLine("il_2", 50, "price_1")),
        draws=tuple(Draw(*draw) for draw in draws),
    )
    return replace(applied(fact, position, at), **others)
