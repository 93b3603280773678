"""Every change of a balance is a transaction, listed in order and found by its id."""

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, apply, balance, grant, line, told, usd
from tests.metering.usual_usage import NOW


@pytest.fixture
def eventful(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """A store in which everything happened that can."""
    grant(store, 100, expires_at=NOW + 3 * DAY)
    grant(store, 200)
    doomed = grant(store, 50, effective_at=NOW + 9 * DAY)
    clock.advance(DAY)
    apply(store, "in_1", line(130), line(20, id="il_2"))
    clock.advance(DAY)
    apply(store, "in_2", line(30))
    store.credit_grants.void(doomed.id)
    clock.advance(2 * DAY)
    store.credits.reinstate(invoice="in_1")
    return store


def everything(store: metering.Metering) -> list[metering.CreditBalanceTransaction]:
    return store.credit_balance_transactions.list("cus_1", limit=100)


def test_transactions_are_listed_newest_first(eventful: metering.Metering) -> None:
    assert told(everything(eventful)) == [
        ("credits_application_invoice_voided", 20),
        ("credits_application_invoice_voided", 30),
        ("credits_expired", -100),
        ("credits_application_invoice_voided", 100),
        ("credits_voided", -50),
        ("credits_applied", -30),
        ("credits_applied", -20),
        ("credits_applied", -30),
        ("credits_applied", -100),
        ("credits_granted", 50),
        ("credits_granted", 200),
        ("credits_granted", 100),
    ]


def test_ten_transactions_are_listed_unless_told(eventful: metering.Metering) -> None:
    assert (
        eventful.credit_balance_transactions.list("cus_1") == everything(eventful)[:10]
    )


def test_transactions_add_up_to_the_balance(eventful: metering.Metering) -> None:
    total = sum(amount for _, amount in told(everything(eventful)))

    assert balance(eventful) == {"usd": (total, total)} == {"usd": (170, 170)}


def test_an_expiry_is_listed_although_nothing_ran_then(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store, expires_at=NOW + DAY)
    clock.advance(DAY)
    position = store.position

    expired, granted = everything(store)

    assert expired.created == expired.effective_at == NOW + DAY
    assert (expired.type, expired.credit_grant) == ("debit", made.id)
    assert granted.type == "credit"
    assert store.position == position == 1


def test_a_granted_transaction_is_effective_when_its_grant_is(
    store: metering.Metering,
) -> None:
    grant(store, effective_at=NOW + DAY)

    (granted,) = everything(store)

    assert (granted.created, granted.effective_at) == (NOW, NOW + DAY)
    assert granted.credit == metering.CreditTransactionCredit(
        amount=usd(1_000),
        type="credits_granted",
    )


@pytest.mark.dialect
def test_every_transaction_is_found_by_its_id_for_ever(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    first = grant(store, 100, expires_at=NOW + DAY)
    apply(store, "in_1", line(30), line(30, id="il_2"))
    store.credit_grants.void(grant(store, 5).id)
    clock.advance(DAY)
    store.credits.reinstate(invoice="in_1")
    before = everything(store)
    clock.advance(DAY)
    grant(store)
    store.rebuild()

    found = [store.credit_balance_transactions.retrieve(each.id) for each in before]

    assert found == before == everything(store)[1:]
    assert len({each.id for each in before}) == len(before) == 10
    assert {each.credit_grant for each in before if each.type == "debit"} >= {first.id}


def test_transactions_of_one_grant_are_listed(eventful: metering.Metering) -> None:
    newest, _, oldest = eventful.credit_grants.list("cus_1")

    assert told(
        eventful.credit_balance_transactions.list(credit_grant=oldest.id, limit=100)
    ) == [
        ("credits_expired", -100),
        ("credits_application_invoice_voided", 100),
        ("credits_applied", -100),
        ("credits_granted", 100),
    ]
    assert told(
        eventful.credit_balance_transactions.list("cus_1", credit_grant=newest.id)
    ) == [("credits_voided", -50), ("credits_granted", 50)]
    assert eventful.credit_balance_transactions.list("cus_2", newest.id) == []


def test_transactions_of_nobody_are_refused(store: metering.Metering) -> None:
    with refused("parameter_missing", "customer"):
        store.credit_balance_transactions.list()
    with refused("resource_missing", "credit_grant"):
        store.credit_balance_transactions.list(credit_grant="credgr_none")


@pytest.mark.parametrize(
    "transaction_id",
    [
        "", "cbtxn_", "cbtxn_test_0g0", "cbtxn_test_1t0", "cbtxn_test_1g1",
        "cbtxn_test_2s1", "cbtxn_test_2g0", "cbtxn_test_9g0", "cbtxn_test_9s0",
        "cbtxn_test_02s0", "cbtxn_test_2r0", "cbtxn_test_ffffffffffffffffg0",
        "cbtxn_tmp_1", "a\0", "\ud800",
    ],
)  # fmt: skip
def test_an_unknown_transaction_is_missing(
    store: metering.Metering, transaction_id: str
) -> None:
    grant(store, expires_at=NOW + DAY)
    apply(store)

    with pytest.raises(metering.ResourceMissingError):
        store.credit_balance_transactions.retrieve(transaction_id)


@pytest.mark.parametrize("livemode", [False, True])
def test_an_id_of_the_other_mode_is_of_no_transaction(*, livemode: bool) -> None:
    with metering.connect(":memory:", livemode=livemode) as store:
        grant(store)
        (granted,) = store.credit_balance_transactions.list("cus_1")
        other = "cbtxn_test_1g0" if livemode else "cbtxn_1g0"

        assert store.credit_balance_transactions.retrieve(granted.id) == granted
        with pytest.raises(metering.ResourceMissingError):
            store.credit_balance_transactions.retrieve(other)
