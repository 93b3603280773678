"""Every fact of the closed union has one encoding, and comes back from it."""

from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    Allowance,
    CreditAlertCreated,
    CreditAlertRecovered,
    CreditAlertTriggered,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SpentPrice,
    SubscribedPeriods,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
    GrantCategory,
    InvoiceLine,
)
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.meters import (
    EventTimeWindow,
    Formula,
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterStatus,
    MeterUpdated,
)
from ledger.facts.prices import (
    BillingInterval,
    CurrencyAmounts,
    Package,
    PackageRounding,
    PriceCreated,
    PriceTier,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductType,
    ProductUpdated,
    RecurringTerms,
    TaxBehavior,
    TiersMode,
    UsageType,
)
from ledger.facts.statements import (
    BilledCredit,
    BilledLine,
    BilledTier,
    StatementContent,
    StatementFinalized,
    StatementVoided,
)
from ledger.facts.union import Fact, decode_facts, encode_facts
from ledger.facts.webhooks import (
    EndpointStatus,
    SignatureScheme,
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointSecretRotated,
    WebhookEndpointUpdated,
)
from ledger.usage.quantities import parse_quantity
from tests.ledger.facts.written_audits import WRITTEN_AUDITS
from tests.ledger.facts.written_corrections import WRITTEN_CORRECTIONS
from tests.ledger.facts.written_entitlements import WRITTEN_ENTITLEMENTS
from tests.ledger.facts.written_holds import WRITTEN_HOLDS
from tests.ledger.facts.written_limits import WRITTEN_LIMITS
from tests.ledger.facts.written_pools import WRITTEN_POOLS
from tests.ledger.facts.written_reports import WRITTEN_REPORTS
from tests.ledger.facts.written_schedules import WRITTEN_SCHEDULES
from tests.ledger.facts.written_subscriptions import WRITTEN_SUBSCRIPTIONS
from tests.ledger.facts.written_test_clocks import WRITTEN_TEST_CLOCKS

CREATED = MeterCreated(
    meter_id="mtr_1",
    event_name="größe 🚕",
    display_name='Größe "quoted"\n',
    formula=Formula.SUM,
    customer_payload_key="stripe_customer_id",
    value_payload_key="value",
    event_time_window=None,
)
CANCELLED = MeterEventCancelled(
    event_position=2**53 + 1,
    event_name="tokens",
    identifier="a",
    customer="cus_1",
    timestamp=1_772_409_600_000_001,
    value=parse_quantity("-" + "9" * 26 + "." + "9" * 12),
)
GRANTED = CreditGrantCreated(
    grant_id="credgr_1",
    customer="größe 🚕",
    amount=2**53 + 1,
    currency="usd",
    prices=("price_1", "price_2"),
    category=GrantCategory.PROMOTIONAL,
    name="Welcome",
    priority=50,
    effective_at=-1,
    expires_at=1_772_409_600_000_001,
    metadata={"b": "2", "a": "1"},
)
APPLIED = CreditsApplied(
    invoice="in_1",
    customer="cus_1",
    currency="jpy",
    period_end=1_772_409_600_000_001,
    lines=(InvoiceLine("il_1", 500, "price_1"), InvoiceLine("il_2", 0, None)),
    draws=(Draw(0, 7, 400), Draw(0, 9, 100)),
)
ALERT = UsageAlertCreated(
    alert_id="alrt_1",
    title="Größe 🚕",
    meter_id="mtr_1",
    gte=2**53 + 1,
    customer="cus_1",
    recurrence=Recurrence.CALENDAR_MONTH,
    timezone="Europe/Berlin",
)
TRIGGERED = UsageAlertTriggered(
    alert_id="alrt_1",
    customer="cus_1",
    value=Decimal("9007199254740993.000000000001"),
    event_position=2**53 + 1,
    timestamp=1_772_409_600_000_001,
    window_start=1_772_319_600_000_000,
)
CREDIT_ALERT = CreditAlertCreated(
    alert_id="alrt_2", title="Größe 🚕", lte=2**53 + 1, currency="usd", customer=None
)
BURN_DOWN_ALERT = CreditAlertCreated(
    alert_id="alrt_4",
    title="t",
    lte=1,
    currency="usd",
    customer="cus_1",
    includes_unbilled_usage=True,
)
CREDITS_ROSE = CreditAlertRecovered(
    alert_id="alrt_4",
    customer="cus_1",
    value=2**53 + 1,
    instant=1_772_409_600_000_001,
    cause_position=2**53 + 1,
)
SPEND_ALERT = SpendAlertCreated(
    alert_id="alrt_3",
    title="Größe 🚕",
    gte=2**53 + 1,
    spend=Spend(
        currency="usd",
        prices=(
            SpentPrice(
                price_id="price_1",
                meter_id="mtr_1",
                amounts=CurrencyAmounts(
                    unit_amount=Decimal("1e-12"),
                    tiers=None,
                    tax_behavior=TaxBehavior.UNSPECIFIED,
                ),
                tiers_mode=None,
                package=Package(divide_by=60, round=PackageRounding.UP),
            ),
        ),
    ),
    customer=None,
    recurrence=Recurrence.CALENDAR_MONTH,
    timezone="UTC",
)
CREDITS_FELL = CreditAlertTriggered(
    alert_id="alrt_2",
    customer="cus_1",
    value=2**53 + 1,
    instant=1_772_409_600_000_001,
    cause_position=2**53 + 1,
)
ENDPOINT = WebhookEndpointCreated(
    endpoint_id="we_1",
    url="https://example.com/hooks",
    enabled_events=("billing.alert.triggered",),
    description="Größe 🚕",
    metadata={"b": "2", "a": "1"},
    signature=SignatureScheme.STRIPE,
)
CHANGED_ENDPOINT = WebhookEndpointUpdated(
    endpoint_id="we_1",
    url="https://example.com/hooks",
    enabled_events=("*",),
    description=None,
    metadata={},
    status=EndpointStatus.DISABLED,
)
# What releases wrote is read for ever: these texts may be added to, never changed.
PRODUCT = ProductCreated(
    product_id="prod_1",
    name="Größe 🚕",
    active=True,
    description="d",
    default_price="price_1",
    images=("i",),
    marketing_features=("m",),
    metadata={"a": "1"},
    shippable=False,
    statement_descriptor="s",
    tax_code="txcd_1",
    type=ProductType.SERVICE,
    unit_label="token",
    url="u",
)
CHANGED_PRODUCT = ProductUpdated(
    product_id="prod_1",
    name="n",
    active=False,
    description=None,
    default_price=None,
    images=(),
    marketing_features=(),
    metadata={},
    shippable=None,
    statement_descriptor=None,
    tax_code=None,
    unit_label=None,
    url=None,
)
MONTHLY = RecurringTerms(
    interval=BillingInterval.MONTH,
    interval_count=1,
    usage_type=UsageType.METERED,
    meter_id="mtr_1",
    trial_period_days=None,
)
PRICE = PriceCreated(
    price_id="price_1",
    product_id="prod_1",
    currency="usd",
    amounts={
        "usd": CurrencyAmounts(
            unit_amount=None,
            tiers=(PriceTier(10, Decimal("0.5"), None), PriceTier(None, None, 7)),
            tax_behavior=TaxBehavior.UNSPECIFIED,
        ),
        "eur": CurrencyAmounts(
            unit_amount=Decimal("0.000000000001"),
            tiers=None,
            tax_behavior=TaxBehavior.INCLUSIVE,
        ),
    },
    tiers_mode=TiersMode.GRADUATED,
    package=None,
    recurring=MONTHLY,
    active=True,
    nickname="n",
    lookup_key="k",
    metadata={"a": "1"},
)
CHANGED_PRICE = PriceUpdated(
    price_id="price_1",
    amounts={},
    active=False,
    nickname=None,
    lookup_key=None,
    metadata={},
)

LINE = BilledLine(
    id="il_1",
    price_id="price_1",
    meter_id="mtr_1",
    item_id=None,
    quantity=Decimal("1000.5"),
    amount=9_007_199_254_740_993,
    is_negative=False,
    is_trial=False,
    period_start=-1,
    period_end=1_772_409_600_000_001,
    tiers=(BilledTier(1_000, Decimal(1_000), 7), BilledTier(None, Decimal("0.5"), 0)),
)
STATED = StatementContent(
    customer="größe 🚕",
    subscription_id="sub_1",
    currency="usd",
    period_start=-1,
    period_end=1_772_409_600_000_001,
    at=None,
    position=9_007_199_254_740_993,
    lines=(LINE,),
    credits=(BilledCredit(0, "credgr_1", 7),),
)
STATEMENT = StatementFinalized(statement_id="st_1", content=STATED, digest="00ff")

WRITTEN: list[tuple[Fact, str]] = [
    (
        CREATED,
        """[{"fact":"meter.created","meter_id":"mtr_1","event_name":"größe 🚕",\
"display_name":"Größe \\"quoted\\"\\n","formula":"sum",\
"customer_payload_key":"stripe_customer_id","value_payload_key":"value",\
"event_time_window":null}]""",
    ),
    (
        LogTimeCorrected(
            corrected_to=1_772_409_600_000_001,
            found=2**53 + 1,
            after=0,
            reason='Größe "quoted"',
        ),
        """[{"fact":"log_time.corrected","corrected_to":1772409600000001,\
"found":9007199254740993,"after":0,"reason":"Größe \\"quoted\\""}]""",
    ),
    (
        MeterUpdated(meter_id="mtr_1", display_name="Tokens"),
        """[{"fact":"meter.updated","meter_id":"mtr_1","display_name":"Tokens"}]""",
    ),
    (
        MeterDeactivated(meter_id="mtr_1"),
        """[{"fact":"meter.deactivated","meter_id":"mtr_1"}]""",
    ),
    (
        MeterReactivated(meter_id="mtr_1"),
        """[{"fact":"meter.reactivated","meter_id":"mtr_1"}]""",
    ),
    (
        CANCELLED,
        """[{"fact":"meter_event.cancelled","event_position":9007199254740993,\
"event_name":"tokens","identifier":"a","customer":"cus_1",\
"timestamp":1772409600000001,"value":"-99999999999999999999999999.999999999999"}]""",
    ),
    (
        GRANTED,
        """[{"fact":"credit_grant.created","grant_id":"credgr_1",\
"customer":"größe 🚕","amount":9007199254740993,"currency":"usd",\
"prices":["price_1","price_2"],"category":"promotional","name":"Welcome",\
"priority":50,"effective_at":-1,"expires_at":1772409600000001,\
"metadata":{"a":"1","b":"2"}}]""",
    ),
    (
        CreditGrantUpdated(grant_id="credgr_1", expires_at=None, metadata={"a": "1"}),
        """[{"fact":"credit_grant.updated","grant_id":"credgr_1","expires_at":null,\
"metadata":{"a":"1"}}]""",
    ),
    (
        CreditGrantExpired(grant_id="credgr_1"),
        """[{"fact":"credit_grant.expired","grant_id":"credgr_1"}]""",
    ),
    (
        CreditGrantVoided(grant_id="credgr_1"),
        """[{"fact":"credit_grant.voided","grant_id":"credgr_1"}]""",
    ),
    (
        APPLIED,
        """[{"fact":"credits.applied","invoice":"in_1","customer":"cus_1",\
"currency":"jpy","period_end":1772409600000001,\
"lines":[["il_1",500,"price_1"],["il_2",0,null]],\
"draws":[[0,7,400],[0,9,100]]}]""",
    ),
    (
        CreditsReinstated(invoice="in_1"),
        """[{"fact":"credits.reinstated","invoice":"in_1"}]""",
    ),
    (
        ALERT,
        """[{"fact":"alert.created","alert_id":"alrt_1","title":"Größe 🚕",\
"meter_id":"mtr_1","gte":9007199254740993,"customer":"cus_1",\
"recurrence":"calendar_month","timezone":"Europe/Berlin"}]""",
    ),
    (
        AlertActivated(alert_id="alrt_1"),
        """[{"fact":"alert.activated","alert_id":"alrt_1"}]""",
    ),
    (
        AlertDeactivated(alert_id="alrt_1"),
        """[{"fact":"alert.deactivated","alert_id":"alrt_1"}]""",
    ),
    (
        AlertArchived(alert_id="alrt_1"),
        """[{"fact":"alert.archived","alert_id":"alrt_1"}]""",
    ),
    (
        TRIGGERED,
        """[{"fact":"alert.triggered","alert_id":"alrt_1","customer":"cus_1",\
"value":"9007199254740993.000000000001","event_position":9007199254740993,\
"timestamp":1772409600000001,"window_start":1772319600000000}]""",
    ),
    (
        CREDIT_ALERT,
        """[{"fact":"credit_alert.created","alert_id":"alrt_2","title":"Größe 🚕",\
"lte":9007199254740993,"currency":"usd","customer":null}]""",
    ),
    (
        SPEND_ALERT,
        """[{"fact":"spend_alert.created","alert_id":"alrt_3","title":"Größe 🚕",\
"gte":9007199254740993,"spend":{"currency":"usd","prices":[{"price_id":"price_1",\
"meter_id":"mtr_1","amounts":{"unit_amount":"1E-12","tiers":null,\
"tax_behavior":"unspecified"},"tiers_mode":null,"package":{"divide_by":60,\
"round":"up"}}]},"customer":null,"recurrence":"calendar_month","timezone":"UTC"}]""",
    ),
    (
        CREDITS_FELL,
        """[{"fact":"credit_alert.triggered","alert_id":"alrt_2","customer":"cus_1",\
"value":9007199254740993,"instant":1772409600000001,\
"cause_position":9007199254740993}]""",
    ),
    (
        BURN_DOWN_ALERT,
        """[{"fact":"credit_alert.created","alert_id":"alrt_4","title":"t","lte":1,\
"currency":"usd","customer":"cus_1","includes_unbilled_usage":true}]""",
    ),
    (
        CREDITS_ROSE,
        """[{"fact":"credit_alert.recovered","alert_id":"alrt_4","customer":"cus_1",\
"value":9007199254740993,"instant":1772409600000001,\
"cause_position":9007199254740993}]""",
    ),
    (
        CreditGrantLapsed(grant_id="credgr_1"),
        """[{"fact":"credit_grant.lapsed","grant_id":"credgr_1"}]""",
    ),
    (
        ENDPOINT,
        """[{"fact":"webhook_endpoint.created","endpoint_id":"we_1",\
"url":"https://example.com/hooks","enabled_events":["billing.alert.triggered"],\
"description":"Größe 🚕","metadata":{"a":"1","b":"2"},"signature":"stripe"}]""",
    ),
    (
        CHANGED_ENDPOINT,
        """[{"fact":"webhook_endpoint.updated","endpoint_id":"we_1",\
"url":"https://example.com/hooks","enabled_events":["*"],"description":null,\
"metadata":{},"status":"disabled"}]""",
    ),
    (
        WebhookEndpointSecretRotated(endpoint_id="we_1", overlap_ends=7),
        """[{"fact":"webhook_endpoint.secret_rotated","endpoint_id":"we_1",\
"overlap_ends":7}]""",
    ),
    (
        WebhookEndpointDeleted(endpoint_id="we_1"),
        """[{"fact":"webhook_endpoint.deleted","endpoint_id":"we_1"}]""",
    ),
    (
        PRODUCT,
        """[{"fact":"product.created","product_id":"prod_1","name":"Größe 🚕",\
"active":true,"description":"d","default_price":"price_1","images":["i"],\
"marketing_features":["m"],"metadata":{"a":"1"},"shippable":false,\
"statement_descriptor":"s","tax_code":"txcd_1","type":"service","unit_label":"token",\
"url":"u"}]""",
    ),
    (
        CHANGED_PRODUCT,
        """[{"fact":"product.updated","product_id":"prod_1","name":"n","active":false,\
"description":null,"default_price":null,"images":[],"marketing_features":[],\
"metadata":{},"shippable":null,"statement_descriptor":null,"tax_code":null,\
"unit_label":null,"url":null}]""",
    ),
    (
        ProductDeleted(product_id="prod_1"),
        """[{"fact":"product.deleted","product_id":"prod_1"}]""",
    ),
    (
        PRICE,
        """[{"fact":"price.created","price_id":"price_1","product_id":"prod_1",\
"currency":"usd","amounts":{"eur":{"unit_amount":"1E-12","tiers":null,\
"tax_behavior":"inclusive"},"usd":{"unit_amount":null,"tiers":[[10,"0.5",null],\
[null,null,7]],"tax_behavior":"unspecified"}},"tiers_mode":"graduated",\
"package":null,"recurring":{"interval":"month","interval_count":1,\
"usage_type":"metered","meter_id":"mtr_1","trial_period_days":null},"active":true,\
"nickname":"n","lookup_key":"k","metadata":{"a":"1"}}]""",
    ),
    (
        CHANGED_PRICE,
        """[{"fact":"price.updated","price_id":"price_1","amounts":{},"active":false,\
"nickname":null,"lookup_key":null,"metadata":{}}]""",
    ),
    (
        STATEMENT,
        """[{"fact":"statement.finalized","statement_id":"st_1","content":{\
"customer":"größe 🚕","subscription_id":"sub_1","currency":"usd","period_start":-1,\
"period_end":1772409600000001,"at":null,"position":9007199254740993,"lines":[["il_1",\
"price_1","mtr_1",null,"1000.5",9007199254740993,false,false,-1,1772409600000001,[[1000,\
"1000",7],[null,"0.5",0]]]],"credits":[[0,"credgr_1",7]]},"digest":"00ff"}]""",
    ),
    (
        StatementVoided(statement_id="st_1"),
        """[{"fact":"statement.voided","statement_id":"st_1"}]""",
    ),
    *WRITTEN_SUBSCRIPTIONS,
    *WRITTEN_HOLDS,
    *WRITTEN_ENTITLEMENTS,
    *WRITTEN_LIMITS,
    *WRITTEN_CORRECTIONS,
    *WRITTEN_REPORTS,
    *WRITTEN_TEST_CLOCKS,
    *WRITTEN_AUDITS,
    *WRITTEN_SCHEDULES,
    *WRITTEN_POOLS,
]


# With what may be absent in them, and every member of the closed sets.
VARIED: list[Fact] = [
    *(replace(CREATED, formula=each) for each in Formula),
    *(replace(CREATED, event_time_window=each) for each in EventTimeWindow),
    replace(CANCELLED, value=None),
    replace(CANCELLED, value=parse_quantity("0")),
    replace(GRANTED, prices=None, name=None, expires_at=None, metadata={}),
    *(replace(GRANTED, category=each) for each in GrantCategory),
    CreditGrantUpdated(grant_id="credgr_1", expires_at=None, metadata={}),
    replace(APPLIED, draws=()),
    *(replace(ALERT, recurrence=each) for each in Recurrence),
    replace(ALERT, customer=None, timezone=None),
    replace(
        ALERT,
        percent_of=Allowance(quantity=None, customers={"cus_1": Decimal("1e-12")}),
    ),
    replace(TRIGGERED, window_start=None),
    replace(CREDIT_ALERT, customer="cus_1"),
    replace(
        SPEND_ALERT,
        customer="cus_1",
        recurrence=Recurrence.BILLING_PERIOD,
        timezone=None,
        subscribed=SubscribedPeriods(
            subscription_id="sub_1",
            since=1,
            anchor=2**53 + 1,
            interval=BillingInterval.MONTH,
            interval_count=1,
        ),
    ),
    *(replace(ENDPOINT, signature=each) for each in SignatureScheme),
    *(replace(CHANGED_ENDPOINT, status=each) for each in EndpointStatus),
    WebhookEndpointSecretRotated(endpoint_id="we_1", overlap_ends=2**53 + 1),
    *(replace(PRODUCT, type=each) for each in ProductType),
    *(replace(PRICE, tiers_mode=each) for each in TiersMode),
    *(
        replace(PRICE, package=Package(divide_by=60, round=each), recurring=None)
        for each in PackageRounding
    ),
    *(
        replace(PRICE, recurring=replace(MONTHLY, interval=each))
        for each in BillingInterval
    ),
    replace(PRICE, recurring=replace(MONTHLY, usage_type=UsageType.LICENSED)),
    replace(CHANGED_PRICE, amounts=PRICE.amounts),
    replace(STATEMENT, content=replace(STATED, subscription_id=None, at=7)),
    replace(STATEMENT, content=replace(STATED, lines=(replace(LINE, item_id="si_1"),))),
    replace(STATEMENT, content=replace(STATED, lines=(replace(LINE, meter_id=None),))),
]
FACTS: list[Fact] = [*(fact for fact, _ in WRITTEN), *VARIED]


def test_every_member_of_the_union_is_tried_here() -> None:
    assert {type(fact) for fact, _ in WRITTEN} == set(get_args(Fact))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_comes_back_as_it_was(fact: Fact) -> None:
    assert decode_facts(encode_facts([fact])) == (fact,)


def test_facts_come_back_in_their_order() -> None:
    assert decode_facts(encode_facts(FACTS)) == tuple(FACTS)
    assert decode_facts(encode_facts([])) == ()


@pytest.mark.parametrize(
    ("fact", "body"), WRITTEN, ids=lambda each: type(each).__name__
)
def test_a_fact_is_written_as_it_always_was(fact: Fact, body: str) -> None:
    assert encode_facts([fact]).decode() == body
    assert decode_facts(body.encode()) == (fact,)


def test_a_quantity_keeps_its_scale() -> None:
    fact = replace(CANCELLED, value=parse_quantity("1"))

    (decoded,) = decode_facts(encode_facts([fact]))

    assert isinstance(decoded, MeterEventCancelled)
    assert decoded.value == Decimal(1)
    assert str(decoded.value) == "1.000000000000"


def test_equal_facts_are_equal_bytes() -> None:
    again = replace(CREATED)

    assert again is not CREATED
    assert encode_facts([again]) == encode_facts([CREATED])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[{}]",
        b'[{"fact":"meter.exploded","meter_id":"mtr_1"}]',
        b'[{"fact":"meter.updated","meter_id":"mtr_1"}]',
        b'[{"fact":"meter.updated","meter_id":1,"display_name":"x"}]',
        encode_facts([CREATED])[:-1],
        encode_facts([CREATED]).replace(b'"sum"', b'"mode"'),
        b"\xff",
    ],
)
def test_what_is_no_list_of_known_facts_is_refused(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_facts(body)


def test_facts_cannot_be_changed() -> None:
    for fact in FACTS:
        with pytest.raises(AttributeError):
            fact.meter_id = "other"  # type: ignore[misc, union-attr]  # that is the point
    with pytest.raises(AttributeError):
        APPLIED.lines[0].amount = 1  # type: ignore[misc]  # that is the point
    with pytest.raises(AttributeError):
        APPLIED.draws[0].amount = 1  # type: ignore[misc]  # that is the point


def test_states_have_the_words_of_the_api() -> None:
    assert [formula.value for formula in Formula] == [
        "sum", "count", "last", "min", "max", "avg", "unique_count",
    ]  # fmt: skip
    assert [window.value for window in EventTimeWindow] == ["hour", "day"]
    assert [status.value for status in MeterStatus] == ["active", "inactive"]
