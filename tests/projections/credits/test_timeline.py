"""What happened to grants, in order, and the balances that it comes to."""

import pytest
from msgspec.structs import replace

from projections.kernels.credits.balances import (
    Balance,
    InstantSpan,
    RunningBalance,
    applied_since,
    balances,
    running_balances,
)
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.timeline import TransactionKind, transactions
from tests.projections.credits.credit_accounts import application, grant

G, S, R, T, X, V, _ = TransactionKind
FAR = 1_000


def kinds(
    *grants: Grant, applications: list[Application] | None = None, up_to: int = FAR
) -> list[tuple[int, str, int, int]]:
    """Instant, kind, grant and signed amount of each transaction."""
    made = transactions(
        {each.position: each for each in grants}, applications or [], [], up_to
    )
    return [
        (each.instant, each.kind.value, each.grant.position, each.signed_amount)
        for each in made
    ]


UNDONE = application(2, 20, (0, 1, 30), reinstated_at=40, reinstated_position=3)
G_100 = (10, "g", 1, 100)


@pytest.mark.parametrize(
    ("happened", "applications", "expected"),
    [
        (grant(effective_at=50), [], [G_100]),
        (
            grant(expires_at=50, applied=30),
            [application(2, 20, (0, 1, 20), (1, 1, 10))],
            [G_100, (20, "s", 1, -20), (20, "s", 1, -10), (50, "t", 1, -70)],
        ),
        (
            grant(expires_at=50, amount=20, applied=20),
            [application(2, 20, (0, 1, 20))],
            [(10, "g", 1, 20), (20, "s", 1, -20)],
        ),
        (
            grant(expires_at=50, voided_at=20, voided_position=2),
            [],
            [G_100, (20, "v", 1, -100)],
        ),
        (
            grant(expires_at=50),
            [UNDONE],
            [G_100, (20, "s", 1, -30), (40, "r", 1, 30), (50, "t", 1, -100)],
        ),
    ],
    ids=["pending", "expires", "used up", "voided", "given back"],
)
def test_what_happens_to_a_grant_is_told_up_to_any_instant(
    happened: Grant,
    applications: list[Application],
    expected: list[tuple[int, str, int, int]],
) -> None:
    assert kinds(happened, applications=applications) == expected
    for up_to in range(52):
        told = kinds(happened, applications=applications, up_to=up_to)
        assert told == [each for each in expected if each[0] <= up_to]


@pytest.mark.parametrize("expired_position", [None, 3])
def test_credits_that_come_back_to_an_expired_grant_expire_at_once(
    expired_position: int | None,
) -> None:
    over = grant(expires_at=50, expired_position=expired_position)
    undone = application(2, 20, (0, 1, 30), reinstated_at=50, reinstated_position=4)

    assert kinds(over, applications=[undone]) == [
        (10, "g", 1, 100),
        (20, "s", 1, -30),
        (50, "t", 1, -70),
        (50, "r", 1, 30),
        (50, "x", 1, -30),
    ]


def test_an_expiry_that_was_recorded_comes_where_it_was_recorded() -> None:
    ended = grant(expires_at=20, expired_position=4)
    before = application(3, 20, (0, 1, 30), reinstated_at=20, reinstated_position=5)

    assert [each[1] for each in kinds(ended, applications=[before])] == [
        "g", "s", "t", "r", "x",
    ]  # fmt: skip


def test_expiries_by_time_come_before_what_was_recorded_at_their_instant() -> None:
    first, second = grant(1, expires_at=50), grant(2, created=50, effective_at=50)
    third = grant(3, expires_at=50)

    assert kinds(second, third, first) == [
        (10, "g", 1, 100),
        (10, "g", 3, 100),
        (50, "t", 1, -100),
        (50, "t", 3, -100),
        (50, "g", 2, 100),
    ]


def test_a_transaction_knows_its_line_and_what_names_it() -> None:
    made = transactions({1: grant()}, [application(2, 20, (1, 1, 30))], [], FAR)

    granted, drew = made
    assert (granted.anchor, granted.line, granted.kind) == (1, None, G)
    assert drew.line is not None
    assert (drew.anchor, drew.line.id, drew.kind) == (2, "il_2", S)
    assert [kind.is_credit for kind in (G, S, R, T, X, V)] == [
        True, False, True, False, False, False,
    ]  # fmt: skip


PENDING = grant(2, effective_at=30, currency="eur")
USED = grant(1, expires_at=50, applied=30)
DREW = application(3, 20, (0, 1, 30))


@pytest.mark.parametrize(
    ("instant", "found"),
    [
        (9, {}),
        (10, {"eur": Balance(100, 0), "usd": Balance(100, 100)}),
        (19, {"eur": Balance(100, 0), "usd": Balance(100, 100)}),
        (20, {"eur": Balance(100, 0), "usd": Balance(70, 70)}),
        (30, {"eur": Balance(100, 100), "usd": Balance(70, 70)}),
        (50, {"eur": Balance(100, 100), "usd": Balance(0, 0)}),
    ],
)
def test_a_balance_is_what_it_was_and_what_it_will_be(
    instant: int, found: dict[str, Balance]
) -> None:
    more = applied_since([DREW], instant)

    assert balances([USED, PENDING], more, {}, instant) == found


def test_what_was_held_then_and_given_back_since_was_applied_then() -> None:
    undone = replace(DREW, reinstated_at=40, reinstated_position=4)
    whole = replace(USED, applied=0)

    left = [
        balances([whole], applied_since([undone], instant), {}, instant)["usd"].ledger
        for instant in (19, 20, 39, 40)
    ]

    assert left == [100, 70, 70, 100]


def test_a_voided_grant_has_no_balance_from_then_on() -> None:
    voided = grant(voided_at=20, voided_position=2)

    assert balances([voided], {}, {}, 19) == {"usd": Balance(100, 100)}
    assert balances([voided], {}, {}, 20) == {"usd": Balance(0, 0)}


def history(
    span: InstantSpan, *grants: Grant, applications: list[Application]
) -> list[RunningBalance]:
    by_position = {each.position: each for each in grants}
    made = transactions(by_position, applications, [], span.end)
    return running_balances(made, [], span)


def test_a_history_has_a_row_at_the_start_and_at_each_change() -> None:
    rows = history(InstantSpan(0, 60), USED, PENDING, applications=[DREW])

    assert rows == [
        (0, "eur", (0, 0, 0)),
        (0, "usd", (0, 0, 0)),
        (10, "eur", (100, 0, 0)),
        (10, "usd", (100, 100, 0)),
        (20, "usd", (70, 70, 0)),
        (30, "eur", (100, 100, 0)),
        (50, "usd", (0, 0, 0)),
    ]


def test_a_history_begins_with_what_was_there_and_ends_before_its_end() -> None:
    rows = history(InstantSpan(20, 30), USED, PENDING, applications=[DREW])

    assert rows == [(20, "eur", (100, 0, 0)), (20, "usd", (70, 70, 0))]


def test_what_cancels_out_within_an_instant_is_no_change() -> None:
    over = grant(1, expires_at=15)
    undone = application(2, 12, (0, 1, 30), reinstated_at=20, reinstated_position=4)

    rows = history(InstantSpan(10, 60), over, applications=[undone])

    assert rows == [
        (10, "usd", (100, 100, 0)),
        (12, "usd", (70, 70, 0)),
        (15, "usd", (0, 0, 0)),
    ]


@pytest.mark.parametrize("instant", range(8, 62))
def test_a_history_agrees_with_the_balance_at_any_instant(instant: int) -> None:
    undone = application(4, 22, (0, 5, 40), reinstated_at=44, reinstated_position=6)
    grants = [
        USED,
        PENDING,
        grant(5, created=11, effective_at=12, voided_at=58, voided_position=9),
    ]
    rows = history(InstantSpan(0, 100), *grants, applications=[DREW, undone])

    latest = {row.currency: row.balance for row in rows if row.instant <= instant}
    found = balances(grants, applied_since([DREW, undone], instant), {}, instant)

    assert {c: found.get(c, Balance()) for c in ("eur", "usd")} == latest
