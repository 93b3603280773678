"""Own histories that meet every outcome, and that recur for long."""

from typing import Any

from tests.oracles.wallet_holds import Terms
from tests.property.wallets.holds import Settling
from tests.property.wallets.side_by_side import Granting, Planning

Deed = tuple[str, dict[str, Any]]
"""The name of a method and its arguments but the connection."""

EVERY_OUTCOME = {
    *("hold: None", "hold: hold_conflict", "hold: insufficient_credits"),
    *("hold: spend_limit_reached", "hold usage: None"),
    *("hold usage: insufficient_credits", "hold usage: spend_limit_reached"),
    *("settle: None", "settle: exceeds_hold", "settle: settlement_conflict"),
    *("settle: hold_settled", "settle: hold_released", "settle: hold_expired"),
    *("settle: resource_missing", "settle: spend_limit_reached", "settle_many"),
    *("release: None", "release: hold_settled", "release: resource_missing"),
    *("apply: None", "apply: invoice_is_hold", "apply: invoice_conflict"),
    *("apply: invoice_reinstated", "apply_many"),
    *("reinstate: None", "reinstate: resource_missing"),
    *("void: None", "void: grant_in_use", "void: credit_grant_applied"),
    *("expire: None", "expire: credit_grant_expired", "void: credit_grant_voided"),
    *("prolong: None", "prolong: credit_grant_expired", "grant: credit_pool_archived"),
    *("join: None", "join: credit_pool_member_exists", "join: credit_pool_archived"),
    *("join: credit_pool_cap_exceeded", "leave: None", "cap: None"),
    *("leave: credit_pool_member_missing", "cap: credit_pool_cap_exceeded"),
    *("archive: None", "plan update: None", "plan pause: None", "plan resume: None"),
    *("plan cancel: None", "plan update: credit_schedule_canceled"),
    *("spend: None", "spend: insufficient_credits", "spend: spend_limit_reached"),
    *("spend: usage_not_billed", "stated", "statement voided"),
    *("limit: None", "limit: limit_below_spent", "limit: limit_canceled"),
    *("cancel limit: None", "cancel limit: limit_canceled"),
}


def every_outcome() -> list[Deed]:
    """Deeds that meet each outcome; grants end while they are held, and holds end."""
    part = Settling(amount=3, number=1, final=False)
    return [
        *_holds(part),
        *_grants(),
        *_pools(),
        *_usage(),
    ]


def _holds(part: Settling) -> list[Deed]:
    return [
        grant("ada", 20, lasts=5, priority=10),
        grant("ada", 20),
        grant("ada", 7, price="price_1"),
        hold(0, 41),
        hold(0, 12),
        hold(0, 12),
        hold(0, 13),
        hold(1, 12),
        hold(2, 100, lasts=3, partial=True),
        end_grant(1, "void"),
        apply(1, 5),
        apply(1, 6),
        apply(1, 6, replace=True),
        apply(0, 5),
        settle(0, Settling(amount=13)),
        settle(0, part),
        settle(0, part),
        settle(0, Settling(amount=2, number=1, final=False)),
        pass_time(6),
        settle(2, Settling()),
        ("apply_many", {"several": [billed(1, 4), billed(2, 5, "bob"), billed(3, 2)]}),
        end_grant(1, "void"),
        settle(0, Settling(amount=4)),
        settle(0, Settling(amount=1, number=2)),
        ("release", {"number": 0}),
        settle(1, Settling(amount=90, number=1, final=False, draw=True)),
        ("settle_many", {"several": [(1, Settling(amount=0)), (3, Settling())]}),
        *(("reinstate", {"number": number}) for number in range(9)),
        apply(1, 4, replace=True),
        grant("ada", 9),
        hold(3, 5),
        ("release", {"number": 3}),
        ("release", {"number": 3}),
        settle(3, Settling()),
    ]


def _grants() -> list[Deed]:
    return [
        settle(4, Settling()),
        ("release", {"number": 4}),
        hold(4, 99, lasts=9, partial=True),
        end_grant(3, "void"),
        end_grant(1, "expire"),
        end_grant(1, "prolong"),
        grant("ada", 9),
        end_grant(4, "prolong"),
        end_grant(4, "void"),
        end_grant(4, "void"),
        end_grant(1, "expire"),
        *(grant("ada", 3, is_promotional=each) for each in (False, True)),
        apply(5, 2),
        pass_time(10),
    ]


def _pools() -> list[Deed]:
    return [
        *(grant(pool, 30) for pool in ("crew", "team")),
        # Its cap lies within the second of two grants.
        grant("crew", 5, priority=10),
        *(join("crew", "ada", cap) for cap in (9, 9)),
        join("crew", "cleo"),
        hold(5, 50, partial=True),
        apply(4, 8, "cleo"),
        *(("change_cap", {"pool": "crew", "cap": cap}) for cap in (8, 7, 20)),
        *(("leave", {"pool": "crew", "customer": "ada"}) for _ in range(2)),
        ("leave", {"pool": "crew", "customer": "cleo"}),
        join("crew", "cleo", 7),
        settle(5, Settling(amount=5)),
        join("crew", "ada", 8),
        *(("archive", {"pool": "team"}) for _ in range(2)),
        join("team", "ada"),
        grant("team", 5),
    ]


def _usage() -> list[Deed]:
    plan = Planning(customer="bob", terms=Terms(amount=10, rule=("percent", 50)))
    return [
        ("plan", {"number": 0, "asked": plan}),
        *(
            ("change_plan", {"number": 0, "verb": verb, "terms": Terms(amount=8)})
            for verb in ("update", "pause", "resume", "cancel")
        ),
        ("change_plan", {"number": 0, "verb": "update", "terms": Terms(amount=9)}),
        grant("bob", 40),
        limit(30),
        spend(3),
        ("use", {"customer": "bob", "quantity": 2, "ago": 3}),
        limit(9),
        hold_usage(6, 4),
        hold_usage(7, 9),
        hold(8, 13, customer="bob"),
        settle(6, Settling(amount=25, draw=True)),
        settle(6, Settling(amount=5, number=1, draw=True), in_usage=True),
        spend(7),
        limit(70),
        spend(7),
        spend(40),
        spend(1, "cleo"),
        hold_usage(7, 30),
        *(("cancel_limit", {"number": 0}) for _ in range(2)),
        limit(80),
        pass_time(8 * 24),
        ("state", {"customer": "bob"}),
        spend(1),
        ("void_statement", {"number": 0}),
        spend(1),
        hold_usage(9, 2),
        settle(9, Settling(amount=1, number=1, final=False)),
        # A grant that comes after the end of a week is none that the week can draw.
        ("use", {"customer": "bob", "quantity": 60, "ago": 7 * 24}),
        grant("bob", 30),
        join("crew", "bob"),
        ("use", {"customer": "bob", "quantity": 2, "ago": 0}),
    ]


def a_year() -> list[Deed]:
    """What rolls over was drawn, held, given back; months end on their last days."""
    rolling = Terms(amount=10, rule=("percent", 50), lasts=2)
    weekly = Planning(
        customer="ada", interval="week", terms=Terms(amount=1, rule=None, lasts=1)
    )
    return [
        ("plan", {"number": 0, "asked": Planning(customer="ada", terms=rolling)}),
        ("plan", {"number": 1, "asked": weekly}),
        apply(1, 3),
        hold(0, 4, lasts=500),
        pass_time(32 * 24),
        # It ends as the next period begins.
        hold(1, 12, lasts=30 * 24),
        ("reinstate", {"number": 0}),
        pass_time(24),
        hold(2, 2, lasts=29 * 24),
        pass_time(28 * 24),
        ("release", {"number": 2}),
        change(0, "update", Terms(amount=7, rule=("max_amount", 2), lasts=2)),
        pass_time(65 * 24),
        apply(2, 2),
        change(0, "pause"),
        pass_time(40 * 24),
        change(0, "resume"),
        pass_time(40 * 24),
        end_grant(2, "expire"),
        settle(0, Settling(amount=2)),
        change(1, "cancel"),
        pass_time(40 * 24),
    ]


# How deeds are written down.


def grant(owner: str, amount: int, **given: Any) -> Deed:
    return "grant", {"asked": Granting(owner=owner, amount=amount, **given)}


def end_grant(number: int, verb: str) -> Deed:
    return "end_grant", {"number": number, "verb": verb, "more": 100}


def hold(
    number: int,
    amount: int,
    lasts: int = 30,
    *,
    customer: str = "ada",
    partial: bool = False,
) -> Deed:
    drawn = {"number": number, "customer": customer, "amount": amount, "price": None}
    return "hold", {**drawn, "lasts": lasts, "partial": partial}


def hold_usage(number: int, quantity: int) -> Deed:
    drawn = {"number": number, "customer": "bob", "quantity": quantity}
    return "hold_usage", {**drawn, "lasts": 30, "partial": False}


def settle(number: int, asked: Settling, *, in_usage: bool = False) -> Deed:
    return "settle", {"number": number, "asked": asked, "in_usage": in_usage}


def billed(number: int, amount: int, customer: str = "ada") -> Any:
    return number, customer, [(amount, None)], 0


def apply(
    number: int, amount: int, customer: str = "ada", *, replace: bool = False
) -> Deed:
    return "apply", {"billed": billed(number, amount, customer), "replace": replace}


def join(pool: str, customer: str, cap: int | None = None) -> Deed:
    return "join", {"pool": pool, "customer": customer, "cap": cap}


def spend(quantity: int, customer: str = "bob") -> Deed:
    return "spend", {"customer": customer, "quantity": quantity}


def limit(amount: int) -> Deed:
    given = {"number": 0, "customer": "bob", "window": "all_time"}
    return "limit", {**given, "amount": amount}


def change(number: int, verb: str, terms: Terms | None = None) -> Deed:
    terms = Terms(amount=1) if terms is None else terms
    return "change_plan", {"number": number, "verb": verb, "terms": terms}


def pass_time(hours: int) -> Deed:
    return "pass_time", {"hours": hours}
