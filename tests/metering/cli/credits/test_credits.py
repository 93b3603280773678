from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import metering
from metering.cli.commands.credits.credits import forfeited_of
from tests.metering.cli.running import assert_only_fails, document, lines, run
from tests.metering.usual_credits import apply, line
from tests.metering.usual_credits import grant as grant_credits

DAY = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRANT = ["credits", "grant", "--customer", "cus_1"]
ONE_DOLLAR = [*GRANT, "--amount", "1", "--currency", "usd"]


@pytest.fixture
def ids(place: Path) -> dict[str, str]:
    """The ids by name of grants in a store with credits in three currencies."""
    clock = metering.FixedClock(DAY)
    with metering.connect(place, clock=clock) as m:

        def grant(value: int, **others: Any) -> str:
            clock.advance(HOUR)
            return grant_credits(m, value, **others).id

        found = {
            "used-up": grant(1_000, expires_at="2026-01-01"),
            "dollars": grant(123_456, expires_at="9000-01-01"),
            "yen": grant(5_000, currency="jpy", effective_at="9000-01-01"),
            "dinars": grant(1_230, currency="kwd", customer="cus_2"),
        }
        clock.advance(HOUR)
        drawn = line(400), line(700, id="il_2")
        apply(m, "in_1", *drawn, period_end=DAY + 4 * HOUR)
    return found


def without_ids(result: Result, ids: dict[str, str]) -> list[str]:
    text = result.stdout
    for name, id_ in ids.items():
        text = text.replace(id_, name)
    return text.splitlines()


def test_credits_are_granted_with_all_that_was_said(place: Path) -> None:
    grant = document(
        *GRANT,
        *("--amount", "10.50", "--currency", "USD", "--category", "promotional"),
        *("--price", "price_1", "--price", "price_2", "--priority", "7"),
        *("--name", "Trial", "--effective-at", "9000-01-01", "--metadata", "order=1=2"),
        *("--expires-at", "9001-01-01T12:00:00+02:00"),
    )

    assert grant["customer"] == "cus_1"
    assert grant["amount"]["monetary"] == {"currency": "usd", "value": 1050}
    prices = grant["applicability_config"]["scope"]["prices"]
    assert prices == [{"id": "price_1"}, {"id": "price_2"}]
    assert grant["category"] == "promotional"
    assert grant["priority"] == 7
    assert grant["name"] == "Trial"
    assert grant["effective_at"] == "9000-01-01T00:00:00Z"
    assert grant["expires_at"] == "9001-01-01T10:00:00Z"
    assert grant["metadata"] == {"order": "1=2"}


def test_granted_credits_are_shown(place: Path) -> None:
    result = run(
        *(*GRANT, "--amount", "1234.5", "--currency", "usd", "--name", "Trial"),
        *("--effective-at", "2025-03-01", "--expires-at", "9000-01-01T00:00:01"),
    )

    first, *others, created = result.stdout.splitlines()
    assert first.startswith("id           credgr_")
    assert others == [
        "customer     cus_1",
        "name         Trial",
        "amount       1,234.50 USD",
        "category     paid",
        "priority     50",
        "usable for   metered prices",
        "effective    2025-03-01 UTC",
        "expires      9000-01-01 00:00:01 UTC",
    ]
    assert created.startswith("created      ")


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"),
    [
        ("10", "usd", 1_000),
        ("10.5", "usd", 1_050),
        ("0.01", "usd", 1),
        ("0010.00", "usd", 1_000),
        ("0.29", "usd", 29),  # 28.999999999999996 in floats.
        ("9999999999.99", "usd", 999_999_999_999),
        ("1000", "jpy", 1_000),
        ("1.23", "kwd", 1_230),
        ("1.230", "kwd", 1_230),
        ("50", "isk", 5_000),
        ("50.00", "ugx", 5_000),
        ("5", "mga", 5),
        ("1", "clf", 10_000),
    ],
)
def test_amounts_are_read_exactly(
    amount: str, currency: str, minor_units: int, place: Path
) -> None:
    grant = document(*GRANT, "--amount", amount, "--currency", currency)

    assert grant["amount"]["monetary"] == {"currency": currency, "value": minor_units}


def test_grants_are_a_table_with_what_is_left(ids: dict[str, str]) -> None:
    everybody = run("credits")
    one = run("credits", "list", "--customer", "cus_1", "--limit", "2")

    assert without_ids(everybody, ids) == [
        "customer    amount      left       status   expires (UTC)  grant",
        "─" * 95,
        "cus_2        1.230     1.230  KWD  granted                 dinars",
        "cus_1        5,000     5,000  JPY  pending                 yen",
        "cus_1     1,234.56  1,233.56  USD  granted  9000-01-01     dollars",
        "cus_1        10.00      0.00  USD  expired  2026-01-01     used-up",
    ]
    assert without_ids(one, ids) == [
        "Credit grants of cus_1",
        "  amount      left       status   expires (UTC)  grant",
        "─" * 85,
        "   5,000     5,000  JPY  pending                 yen",
        "1,234.56  1,233.56  USD  granted  9000-01-01     dollars",
        "There are more than 2; --limit shows others.",
    ]


AMOUNTS_THAT_ARE_NONE = [
    ("0", "usd", "'0' is not above zero"),
    ("0.00", "usd", "'0.00' is not above zero"),
    ("-5", "usd", "'-5' is not an amount such as 10.00"),
    ("ten", "usd", "'ten' is not an amount such as 10.00"),
    ("", "usd", "'' is not an amount"),
    ("1,000", "usd", "'1,000' is not an amount"),
    ("1e3", "usd", "'1e3' is not an amount"),
    ("nan", "usd", "'nan' is not an amount"),
    ("\u0661\u0660", "usd", "is not an amount"),  # Digits of another script.
    ("1.005", "usd", "'1.005' has 3 fraction digits, and USD has 2"),
    ("1.000", "usd", "'1.000' has 3 fraction digits, and USD has 2"),
    ("1.5", "jpy", "'1.5' has a fraction digit, and JPY has none"),
    ("1.2345", "kwd", "'1.2345' has 4 fraction digits, and KWD has 3"),
    ("1.234", "kwd", "'1.234' is no multiple of 0.010 KWD"),
    ("50.25", "isk", "'50.25' is no multiple of 1.00 ISK"),
    ("1.5", "mga", "'1.5' has a fraction digit, and MGA has none"),
    ("10000000000", "usd", "is more than 9,999,999,999.99 USD"),
    ("9" * 10_000, "usd", "is more than 9,999,999,999.99 USD"),
]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        *(
            (
                ["--amount", amount, "--currency", currency],
                ["Invalid --amount: ", words],
            )
            for amount, currency, words in AMOUNTS_THAT_ARE_NONE
        ),
        (["--currency", "xyz"], ["--currency: 'xyz'"]),
        (["--currency", "xau"], ["--currency: 'xau'"]),
        (["--expires-at", "soon"], ["--expires-at: 'soon'"]),
    ],
)
def test_grant_that_cannot_be_read_is_refused_before_a_store_is_made(
    arguments: list[str], words: list[str], place: Path
) -> None:
    assert_only_fails(run(*ONE_DOLLAR, *arguments), *words)
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--expires-at", "2020-01-01"], "expires_at"),
        (["--price", ""], "[prices][0][id]"),
        (["--price=p"] * 21, "1 to 20 elements"),
        (["--name", ""], "name"),
    ],
)
def test_grant_that_breaks_a_rule_is_refused(
    arguments: list[str], words: str, place: Path
) -> None:
    run(*ONE_DOLLAR)

    assert_only_fails(run(*ONE_DOLLAR, *arguments), words)
    assert len(lines("credits")) == 1


def test_grants_in_json_are_one_a_line_beyond_any_page(place: Path) -> None:
    with metering.connect(place, credit_grants_max=1_000) as m:
        for value in range(1, 202):
            grant_credits(m, value)

    grants = lines("credits")

    values = [grant["amount"]["monetary"]["value"] for grant in grants]
    assert values == list(range(201, 0, -1))
    assert lines("credits", "list", "--limit", "3") == grants[:3]


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ([], "No credit grants of nobody; make one with credits grant.\n"),
        (["balance"], "None were granted.\n"),
        (["history"], "There were none in this time.\n"),
        (["transactions"], "No credit transactions of nobody.\n"),
    ],
)
def test_nothing_granted_says_so(
    command: list[str], ending: str, ids: dict[str, str]
) -> None:
    assert run("credits", *command, "--customer", "nobody").stdout.endswith(ending)


def test_grant_is_voided_once_and_only_unused(ids: dict[str, str]) -> None:
    voided = run("credits", "void", ids["yen"])

    assert voided.stdout == f"Voided {ids['yen']}: 5,000 JPY of cus_1\n"
    assert_only_fails(run("credits", "void", ids["yen"]), "voided")
    assert_only_fails(run("credits", "void", ids["dollars"]), "cannot be voided")
    rows = run("credits", "--customer", "cus_1").stdout.splitlines()[3:]
    assert [row.split()[3] for row in rows] == ["voided", "granted", "expired"]


def test_grant_is_expired_once(ids: dict[str, str]) -> None:
    expired = run("credits", "expire", ids["dollars"])

    assert expired.stdout == (
        f"Expired {ids['dollars']} of cus_1: 1,233.56 USD forfeited\n"
    )
    assert_only_fails(run("credits", "expire", ids["dollars"]), "expired")


def test_what_was_forfeited_is_not_what_was_reinstated_since(place: Path) -> None:
    clock = metering.FixedClock(DAY)
    with metering.connect(place, clock=clock) as m:
        grant = grant_credits(m, 100)
        apply(m, "in_1", line(30), period_end=DAY)
        expired = m.credit_grants.expire(grant.id)
        clock.advance(HOUR)
        m.credits.reinstate(invoice="in_1")

        forfeited = forfeited_of(m, expired)

    assert forfeited is not None
    assert forfeited.monetary.value == 70


def test_grant_of_which_nothing_is_left_can_be_expired(place: Path) -> None:
    with metering.connect(place) as m:
        grant = grant_credits(m, 100)
        apply(m, "in_1", line(100), period_end=grant.effective_at)

    assert "depleted" in run("credits").stdout
    expired = run("credits", "expire", grant.id)
    assert expired.stdout == f"Expired {grant.id} of cus_1: nothing was left\n"


def test_balance_is_shown_in_the_digits_of_each_currency(ids: dict[str, str]) -> None:
    at = ["--customer", "cus_1", "--at", "2025-03-01T05:00:00Z"]

    assert run("credits", "balance", *at).stdout.splitlines() == [
        "Credits of cus_1",
        "2025-03-01 05:00:00 UTC",
        "currency  available    ledger",
        "─────────────────────────────",
        "JPY               0     5,000",
        "USD        1,233.56  1,233.56",
    ]


def test_balance_in_json_is_that_of_any_instant(ids: dict[str, str]) -> None:
    def available(*arguments: str) -> dict[str, int]:
        summary = document("credits", "balance", "--customer", "cus_1", *arguments)
        found = [each["available_balance"]["monetary"] for each in summary["balances"]]
        return {each["currency"]: each["value"] for each in found}

    assert available("--at", "2025-03-01T04:30:00Z") == {"jpy": 0, "usd": 124_456}
    assert available("--at", "9000-01-01") == {"jpy": 5_000, "usd": 0}
    assert available("--grant", ids["dollars"]) == {"usd": 123_356}
    assert available("--metered") == {"jpy": 0, "usd": 123_356}
    assert available("--price", "price_1") == {"jpy": 0, "usd": 123_356}
    assert available("--at", "2025-02-01") == {}


def test_transactions_explain_each_cent(ids: dict[str, str], place: Path) -> None:
    with metering.connect(place) as m:
        m.credits.reinstate(invoice="in_1")
    of_grant = ["credits", "transactions", "--grant", ids["used-up"]]

    shown = [row[21:] for row in run(*of_grant).stdout.splitlines()[3:]]
    of_customer = run("credits", "transactions", "--customer", "cus_1").stdout
    transactions = lines(*of_grant)

    assert shown == [
        "expired      -6.00 USD",
        "reinstated   +6.00 USD  in_1     il_2",
        "expired      -4.00 USD",
        "reinstated   +4.00 USD  in_1     il_1",
        "applied      -6.00 USD  in_1     il_2",
        "applied      -4.00 USD  in_1     il_1",
        "granted     +10.00 USD",
    ]
    assert "+5,000 JPY" in of_customer
    assert of_customer.count(ids["used-up"]) == 7
    assert [each["type"] for each in transactions[:2]] == ["debit", "credit"]
    assert transactions[-1]["credit"]["amount"]["monetary"]["value"] == 1_000


@pytest.mark.dialect
@pytest.mark.postgresql
def test_credits_work_on_postgresql(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", postgresql_url)
    grant = document(*GRANT, "--amount", "10", "--currency", "usd")["id"]

    assert [each["id"] for each in lines("credits")] == [grant]
    assert "10.00 ┤" in run("credits", "history", "--customer", "cus_1").stdout
    expired = run("credits", "expire", grant).stdout
    assert expired.endswith("10.00 USD forfeited\n")
