"""The kernel of falls follows what is available, place by place."""

from projections.kernels.credits.falls import CreditChange, Occurrence, steps
from tests.projections.credits.credit_accounts import application, grant


def told(found: list[CreditChange]) -> list[tuple[int, int, int, int]]:
    """Instant, position, what was available before, and after."""
    return [(*each.place, each.before, each.after) for each in found]


def test_time_comes_before_what_is_recorded_at_its_instant() -> None:
    expiring = grant(1, expires_at=20, applied=0)
    created = grant(2, created=20, effective_at=5)

    found = list(steps([expiring, created], [], [], 0, 30))

    assert told(found) == [(10, 1, 0, 100), (20, 0, 100, 0), (20, 2, 0, 100)]


def test_what_time_does_at_one_instant_is_one_change() -> None:
    ending = grant(1, expires_at=20)
    following = grant(2, effective_at=20, amount=40)

    found = list(steps([ending, following], [], [], 0, 30))

    assert told(found) == [(10, 1, 0, 100), (20, 0, 100, 40)]
    assert [each.falls_to(40) for each in found] == [False, True]
    assert not found[1].falls_to(39)
    assert not found[1].falls_to(100)


def test_what_is_given_back_to_a_grant_that_is_over_is_not_available() -> None:
    ended = grant(1, expires_at=25, expired_position=6)
    undone = application(3, 15, (0, 1, 30), reinstated_at=25, reinstated_position=7)

    found = list(steps([ended], [undone], [], 0, 30))

    assert told(found) == [(10, 1, 0, 100), (15, 3, 100, 70), (25, 6, 70, 0)]


def test_a_later_beginning_finds_the_same_changes() -> None:
    voided = grant(1, voided_at=40, voided_position=9)
    drawn = grant(2, currency="eur", applied=20)
    undone = application(3, 15, (0, 1, 30), reinstated_at=30, reinstated_position=5)
    kept = application(4, 20, (0, 2, 20))

    whole = list(steps([voided, drawn], [undone, kept], [], 0, 50))

    assert [(each.currency, each.place) for each in whole] == [
        ("usd", Occurrence(10, 1)),
        ("eur", Occurrence(10, 2)),
        ("usd", Occurrence(15, 3)),
        ("eur", Occurrence(20, 4)),
        ("usd", Occurrence(30, 5)),
        ("usd", Occurrence(40, 9)),
    ]
    for since in range(51):
        for up_to in range(since, 51):
            part = list(steps([voided, drawn], [undone, kept], [], since, up_to))
            assert part == [each for each in whole if since <= each.place[0] <= up_to]
