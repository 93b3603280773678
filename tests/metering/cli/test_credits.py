import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app
from metering.cli.commands.credits import forfeited_of
from tests.metering.cli.running import assert_only_fails, run

DAY = datetime(2025, 3, 1, tzinfo=UTC)
GRANT = ["credits", "grant", "--customer", "cus_1"]


def run_in(store: str | Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--store", str(store)])


def granted(store: str | Path, *arguments: str) -> Mapping[str, Any]:
    result = run_in(store, *GRANT, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    grant: Mapping[str, Any] = json.loads(result.stdout)
    return grant


def lines_of(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def without_ids(result: Result, ids: Mapping[str, str]) -> list[str]:
    text = result.stdout
    for id_, name in ids.items():
        text = text.replace(id_, name)
    return text.splitlines()


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """The path of a store with credits in three currencies, and the names of grants."""
    path, clock = str(tmp_path / "store"), metering.FixedClock(DAY)
    with metering.connect(path, clock=clock) as m:

        def grant(customer: str, value: int, currency: str, **others: Any) -> str:
            clock.advance(timedelta(hours=1))
            monetary: Any = {"currency": currency, "value": value}
            return m.credit_grants.create(
                customer=customer,
                amount={"type": "monetary", "monetary": monetary},
                applicability_config={"scope": {"price_type": "metered"}},
                **others,
            ).id

        ids = {
            grant("cus_1", 1_000, "usd", expires_at="2026-01-01"): "used-up",
            grant("cus_1", 123_456, "usd", expires_at="9000-01-01"): "dollars",
            grant("cus_1", 5_000, "jpy", effective_at="9000-01-01"): "yen",
            grant("cus_2", 1_234, "kwd"): "dinars",
        }
        clock.advance(timedelta(hours=1))
        m.credits.apply(
            invoice="in_1",
            customer="cus_1",
            period_end=DAY + timedelta(hours=4),
            lines=[
                {"id": "il_1", "amount": 400, "currency": "usd", "price": "price_1"},
                {"id": "il_2", "amount": 700, "currency": "usd", "price": "price_1"},
            ],
        )
    return path, ids


@pytest.mark.parametrize(
    "arguments",
    [
        ["credits"],
        ["credits", "list"],
        ["credits", "retrieve", "credgr_1"],
        ["credits", "void", "credgr_1"],
        ["credits", "expire", "credgr_1"],
        ["credits", "balance", "--customer", "cus_1"],
        ["credits", "history", "--customer", "cus_1"],
        ["credits", "transactions", "--customer", "cus_1"],
    ],
    ids=" ".join,
)
def test_command_that_asks_makes_no_store(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "nothing"

    result = run_in(path, *arguments)

    assert_only_fails(result, f"There is no store at {path}", "credits grant")
    assert not path.exists()


def test_credits_are_granted_with_all_that_was_said(tmp_path: Path) -> None:
    grant = granted(
        tmp_path / "store",
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


def test_granted_credits_are_shown(tmp_path: Path) -> None:
    result = run_in(
        tmp_path / "store",
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
        ("1.234", "kwd", 1_234),
        ("1", "clf", 10_000),
    ],
)
def test_amounts_are_read_exactly(
    amount: str, currency: str, minor_units: int, tmp_path: Path
) -> None:
    grant = granted(tmp_path / "store", "--amount", amount, "--currency", currency)

    assert grant["amount"]["monetary"] == {"currency": currency, "value": minor_units}


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
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
        ("10000000000", "usd", "is more than 9,999,999,999.99 USD"),
        ("9" * 10_000, "usd", "is more than 9,999,999,999.99 USD"),
    ],
)
def test_amount_that_is_none_is_refused_before_a_store_is_made(
    amount: str, currency: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "store"

    result = run_in(path, *GRANT, "--amount", amount, "--currency", currency)

    assert_only_fails(result, "Invalid --amount: ", words)
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--currency", "xyz"], "--currency: 'xyz'"),
        (["--currency", "xau"], "--currency: 'xau'"),
        (["--currency", "usd", "--priority", "101"], "priority"),
        (["--currency", "usd", "--expires-at", "soon"], "--expires-at: 'soon'"),
        (["--currency", "usd", "--expires-at", "2020-01-01"], "expires_at"),
        (["--currency", "usd", "--price", ""], "[prices][0][id]"),
        (["--currency", "usd", *("--price=p",) * 21], "1 to 20 elements"),
        (["--currency", "usd", "--name", ""], "name"),
    ],
)
def test_grant_that_breaks_a_rule_is_refused(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    granted(tmp_path / "store", "--amount", "1", "--currency", "usd")

    result = run_in(tmp_path / "store", *GRANT, "--amount", "1", *arguments)

    assert_only_fails(result, words)
    assert len(lines_of(run_in(tmp_path / "store", "credits", "--json"))) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["grant", "--customer", "c", "--amount", "1"],
        ["grant", "--customer=c", "--amount=1", "--currency=usd", "--metadata=x"],
        ["grant", "--customer=c", "--amount=1", "--currency=usd", "--category=free"],
        ["void"],
        ["balance"],
        ["balance", "--customer", "c", "--grant", "g", "--metered"],
        ["history", "--customer", "c", "--start", "9000-01-01"],
        ["transactions"],
        ["list", "--limit", "0"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_malformed_command_is_refused(
    arguments: list[str], store: tuple[str, dict[str, str]]
) -> None:
    assert run_in(store[0], "credits", *arguments).exit_code == 2


def test_option_before_a_subcommand_is_not_ignored() -> None:
    result = run("credits", "--customer", "cus_1", "void", "credgr_1")

    assert result.exit_code == 2
    assert "give --customer after void" in result.stderr


def test_grants_are_a_table_with_what_is_left(
    store: tuple[str, dict[str, str]],
) -> None:
    path, ids = store

    everybody = run_in(path, "credits")
    one = run_in(path, "credits", "list", "--customer", "cus_1", "--limit", "2")

    assert without_ids(everybody, ids) == [
        "customer    amount      left       status   expires (UTC)  grant",
        "─" * 95,
        "cus_2        1.234     1.234  KWD  granted                 dinars",
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


def test_grants_in_json_are_one_a_line_beyond_any_page(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    with metering.connect(path, credit_grants_max=1_000) as m:
        for value in range(1, 202):
            m.credit_grants.create(
                customer="cus_1",
                amount={
                    "type": "monetary",
                    "monetary": {"currency": "usd", "value": value},
                },
                applicability_config={"scope": {"price_type": "metered"}},
            )

    grants = lines_of(run_in(path, "credits", "--json"))
    few = lines_of(run_in(path, "credits", "list", "--limit", "3", "--json"))

    values = [grant["amount"]["monetary"]["value"] for grant in grants]
    assert values == list(range(201, 0, -1))
    assert few == grants[:3]


def test_nothing_granted_says_so(store: tuple[str, dict[str, str]]) -> None:
    path, _ = store
    none = "No credit grants of nobody; make one with credits grant.\n"

    assert run_in(path, "credits", "--customer", "nobody").stdout == none
    balance = run_in(path, "credits", "balance", "--customer", "nobody").stdout
    assert balance.endswith("None were granted.\n")
    history = run_in(path, "credits", "history", "--customer", "nobody").stdout
    assert history.endswith("There were none in this time.\n")
    nothing = run_in(path, "credits", "transactions", "--customer", "nobody").stdout
    assert nothing == "No credit transactions of nobody.\n"


def test_grant_is_voided_once_and_only_unused(
    store: tuple[str, dict[str, str]],
) -> None:
    path, ids = store
    used, unused = (
        next(id_ for id_, name in ids.items() if name == wanted)
        for wanted in ("dollars", "yen")
    )

    voided = run_in(path, "credits", "void", unused)

    assert voided.stdout == f"Voided {unused}: 5,000 JPY of cus_1\n"
    assert_only_fails(run_in(path, "credits", "void", unused), "voided")
    assert_only_fails(run_in(path, "credits", "void", used), "cannot be voided")
    assert_only_fails(run_in(path, "credits", "void", "other"), "credit grant: 'other'")
    listed = run_in(path, "credits", "--customer", "cus_1").stdout
    assert [line.split()[3] for line in listed.splitlines()[3:]] == [
        "voided",
        "granted",
        "expired",
    ]


def test_grant_is_expired_once(store: tuple[str, dict[str, str]]) -> None:
    path, ids = store
    grant = next(id_ for id_, name in ids.items() if name == "dollars")

    expired = run_in(path, "credits", "expire", grant)

    assert expired.stdout == f"Expired {grant} of cus_1: 1,233.56 USD forfeited\n"
    assert_only_fails(run_in(path, "credits", "expire", grant), "expired")
    assert_only_fails(
        run_in(path, "credits", "expire", "other"), "credit grant: 'other'"
    )


def test_what_was_forfeited_is_not_what_was_reinstated_since(tmp_path: Path) -> None:
    clock = metering.FixedClock(DAY)
    with metering.connect(str(tmp_path / "store"), clock=clock) as m:
        grant = m.credit_grants.create(
            customer="cus_1",
            amount={"type": "monetary", "monetary": {"currency": "usd", "value": 100}},
            applicability_config={"scope": {"price_type": "metered"}},
        )
        line: Any = {"id": "il_1", "amount": 30, "currency": "usd"}
        m.credits.apply(invoice="in_1", customer="cus_1", period_end=DAY, lines=[line])
        expired = m.credit_grants.expire(grant.id)
        clock.advance(timedelta(hours=1))
        m.credits.reinstate(invoice="in_1")

        forfeited = forfeited_of(m, expired)

    assert forfeited is not None
    assert forfeited.monetary.value == 70


def test_grant_of_which_nothing_is_left_can_be_expired(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    grant = granted(path, "--amount", "1", "--currency", "usd")["id"]
    with metering.connect(path) as m:
        line: Any = {"id": "il_1", "amount": 100, "currency": "usd", "price": "price_1"}
        period_end = m.credit_grants.retrieve(grant).effective_at
        assert period_end is not None
        m.credits.apply(
            invoice="in_1", customer="cus_1", period_end=period_end, lines=[line]
        )

    depleted = run_in(path, "credits").stdout
    expired = run_in(path, "credits", "expire", grant)

    assert "depleted" in depleted
    assert expired.stdout == f"Expired {grant} of cus_1: nothing was left\n"


def test_balance_is_shown_in_the_digits_of_each_currency(
    store: tuple[str, dict[str, str]],
) -> None:
    path, _ = store
    at = "2025-03-01T05:00:00Z"

    result = run_in(path, "credits", "balance", "--customer", "cus_1", "--at", at)

    assert result.stdout.splitlines() == [
        "Credits of cus_1",
        "2025-03-01 05:00:00 UTC",
        "currency  available    ledger",
        "─────────────────────────────",
        "JPY               0     5,000",
        "USD        1,233.56  1,233.56",
    ]


def test_balance_in_json_is_that_of_any_instant(
    store: tuple[str, dict[str, str]],
) -> None:
    path, ids = store
    dollars = next(id_ for id_, name in ids.items() if name == "dollars")

    def available(*arguments: str) -> dict[str, int]:
        balance = ["credits", "balance", "--customer", "cus_1", "--json"]
        summary = json.loads(run_in(path, *balance, *arguments).stdout)
        found = [each["available_balance"]["monetary"] for each in summary["balances"]]
        return {each["currency"]: each["value"] for each in found}

    assert available("--at", "2025-03-01T04:30:00Z") == {"jpy": 0, "usd": 124_456}
    assert available("--at", "9000-01-01") == {"jpy": 5_000, "usd": 0}
    assert available("--grant", dollars) == {"usd": 123_356}
    assert available("--metered") == {"jpy": 0, "usd": 123_356}
    assert available("--price", "price_1") == {"jpy": 0, "usd": 123_356}
    assert available("--at", "2025-02-01") == {}


def test_transactions_explain_each_cent(store: tuple[str, dict[str, str]]) -> None:
    path, ids = store
    used_up = next(id_ for id_, name in ids.items() if name == "used-up")
    with metering.connect(path) as m:
        m.credits.reinstate(invoice="in_1")

    result = run_in(path, "credits", "transactions", "--grant", used_up)
    of_customer = run_in(path, "credits", "transactions", "--customer", "cus_1")
    as_json = run_in(path, "credits", "transactions", "--grant", used_up, "--json")

    shown = [line[21:] for line in result.stdout.splitlines()[3:]]
    assert shown == [
        "expired      -6.00 USD",
        "reinstated   +6.00 USD  in_1     il_2",
        "expired      -4.00 USD",
        "reinstated   +4.00 USD  in_1     il_1",
        "applied      -6.00 USD  in_1     il_2",
        "applied      -4.00 USD  in_1     il_1",
        "granted     +10.00 USD",
    ]
    assert "+5,000 JPY" in of_customer.stdout
    assert of_customer.stdout.count(used_up) == 7
    transactions = lines_of(as_json)
    assert [each["type"] for each in transactions[:2]] == ["debit", "credit"]
    assert transactions[-1]["credit"]["amount"]["monetary"]["value"] == 1_000


def test_names_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    grant = ["credits", "grant", "--amount", "1", "--currency", "usd"]

    shown = run_in(path, *grant, "--customer", "\x1b[2J", "--name", "[red]\u202e")
    listed = run_in(path, "credits", "list")
    history = run_in(path, "credits", "history", "--customer", "\x1b[2J")

    for result in (shown, listed, history):
        assert "\\x1b[2J" in result.stdout
        assert "\x1b" not in result.stdout
    assert "[red]\\u202e" in shown.stdout


@pytest.mark.dialect
@pytest.mark.postgresql
def test_credits_work_on_postgresql(postgresql_url: str) -> None:
    grant = granted(postgresql_url, "--amount", "10", "--currency", "usd")["id"]

    listed = lines_of(run_in(postgresql_url, "credits", "--json"))
    history = run_in(postgresql_url, "credits", "history", "--customer", "cus_1")
    expired = run_in(postgresql_url, "credits", "expire", grant)

    assert [each["id"] for each in listed] == [grant]
    assert "10.00 ┤" in history.stdout
    assert expired.stdout.endswith("10.00 USD forfeited\n")
