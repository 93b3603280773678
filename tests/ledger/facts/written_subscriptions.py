"""Facts about customers and subscriptions, and how each has always been written."""

from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
    PostalAddress,
    ShippingDetails,
    TaxExemption,
)
from ledger.facts.prices import BillingInterval
from ledger.facts.subscriptions import (
    BillingMode,
    Cancellation,
    CollectionMethod,
    ItemTerms,
    Phase,
    PhaseKind,
    SubscriptionCanceled,
    SubscriptionCreated,
    SubscriptionEnded,
    SubscriptionItemCreated,
    SubscriptionPaused,
    SubscriptionResumed,
    SubscriptionTrialEnded,
    SubscriptionUpdated,
)
from ledger.facts.union import Fact

ADDRESS = PostalAddress(
    city="c", country="DE", line1="1", line2=None, postal_code="p", state=None
)
PHASES = (Phase(1, PhaseKind.TRIAL, 2), Phase(2, PhaseKind.ACTIVE, 2))
ITEMS = (
    ItemTerms(
        item_id="si_1",
        price_id="price_1",
        quantity=None,
        interval=BillingInterval.MONTH,
        interval_count=1,
        metadata={"a": "1"},
    ),
    ItemTerms(
        item_id="si_2",
        price_id="price_2",
        quantity=3,
        interval=BillingInterval.YEAR,
        interval_count=2,
        metadata={},
    ),
)
WRITTEN_SUBSCRIPTIONS: list[tuple[Fact, str]] = [
    (
        CustomerCreated(
            customer_id="cus_1",
            name="Größe 🚕",
            email="a@b.c",
            description="d",
            phone="1",
            address=ADDRESS,
            shipping=ShippingDetails(address=ADDRESS, name="n", phone=None),
            preferred_locales=("de",),
            tax_exempt=TaxExemption.NONE,
            metadata={"a": "1"},
        ),
        """[{"fact":"customer.created","customer_id":"cus_1","name":"Größe 🚕",\
"email":"a@b.c","description":"d","phone":"1","address":{"city":"c","country":"DE",\
"line1":"1","line2":null,"postal_code":"p","state":null},"shipping":{"address":\
{"city":"c","country":"DE","line1":"1","line2":null,"postal_code":"p","state":null},\
"name":"n","phone":null},"preferred_locales":["de"],"tax_exempt":"none",\
"metadata":{"a":"1"}}]""",
    ),
    (
        CustomerUpdated(
            customer_id="cus_1",
            name=None,
            email=None,
            description=None,
            phone=None,
            address=None,
            shipping=None,
            preferred_locales=(),
            tax_exempt=TaxExemption.REVERSE,
            metadata={},
        ),
        """[{"fact":"customer.updated","customer_id":"cus_1","name":null,"email":null,\
"description":null,"phone":null,"address":null,"shipping":null,"preferred_locales":[],\
"tax_exempt":"reverse","metadata":{}}]""",
    ),
    (
        CustomerDeleted(customer_id="cus_1"),
        """[{"fact":"customer.deleted","customer_id":"cus_1"}]""",
    ),
    (
        SubscriptionCreated(
            subscription_id="sub_1",
            customer="größe 🚕",
            currency="usd",
            billing_mode=BillingMode.FLEXIBLE,
            phases=PHASES,
            trial_end=2,
            cancel_at=None,
            cancel_at_period_end=False,
            collection_method=CollectionMethod.SEND_INVOICE,
            days_until_due=30,
            description="d",
            metadata={"a": "1"},
            items=ITEMS,
        ),
        """[{"fact":"subscription.created","subscription_id":"sub_1",\
"customer":"größe 🚕","currency":"usd","billing_mode":"flexible",\
"phases":[[1,"trial",2],[2,"active",2]],"trial_end":2,"cancel_at":null,\
"cancel_at_period_end":false,"collection_method":"send_invoice","days_until_due":30,\
"description":"d","metadata":{"a":"1"},"items":[{"item_id":"si_1",\
"price_id":"price_1","quantity":null,"interval":"month","interval_count":1,\
"metadata":{"a":"1"}},{"item_id":"si_2","price_id":"price_2","quantity":3,\
"interval":"year","interval_count":2,"metadata":{}}]}]""",
    ),
    (
        SubscriptionUpdated(
            subscription_id="sub_1",
            phases=(Phase(1, PhaseKind.ACTIVE, 1),),
            trial_start=1,
            trial_end=2,
            cancel_at=3,
            cancel_at_period_end=True,
            cancellation=Cancellation(comment="c", feedback="unused"),
            collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
            days_until_due=None,
            description=None,
            metadata={},
            items=(),
        ),
        """[{"fact":"subscription.updated","subscription_id":"sub_1",\
"phases":[[1,"active",1]],"trial_start":1,"trial_end":2,"cancel_at":3,\
"cancel_at_period_end":true,"cancellation":{"comment":"c","feedback":"unused"},\
"collection_method":"charge_automatically","days_until_due":null,"description":null,\
"metadata":{},"items":[]}]""",
    ),
    (
        SubscriptionItemCreated(subscription_id="sub_1", item=ITEMS[0]),
        """[{"fact":"subscription_item.created","subscription_id":"sub_1","item":\
{"item_id":"si_1","price_id":"price_1","quantity":null,"interval":"month",\
"interval_count":1,"metadata":{"a":"1"}}}]""",
    ),
    (
        SubscriptionTrialEnded(subscription_id="sub_1"),
        """[{"fact":"subscription.trial_ended","subscription_id":"sub_1"}]""",
    ),
    (
        SubscriptionEnded(subscription_id="sub_1"),
        """[{"fact":"subscription.ended","subscription_id":"sub_1"}]""",
    ),
    (
        SubscriptionPaused(subscription_id="sub_1"),
        """[{"fact":"subscription.paused","subscription_id":"sub_1"}]""",
    ),
    (
        SubscriptionResumed(
            subscription_id="sub_1", phases=(Phase(1, PhaseKind.PAUSED, 1),)
        ),
        """[{"fact":"subscription.resumed","subscription_id":"sub_1",\
"phases":[[1,"paused",1]]}]""",
    ),
    (
        SubscriptionCanceled(
            subscription_id="sub_1",
            cancellation=Cancellation(comment=None, feedback=None),
        ),
        """[{"fact":"subscription.canceled","subscription_id":"sub_1",\
"cancellation":{"comment":null,"feedback":null}}]""",
    ),
]
"""Each with the bytes it has."""
