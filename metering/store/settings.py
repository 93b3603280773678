"""The settings of a connection, as the engine has them."""

from datetime import timedelta

import msgspec

from ledger.places import Place
from ledger.records.secret_keys import SecretKeys
from metering.arguments.clock import Clock


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection decides for itself.

    Attributes:
        livemode: the `livemode` of resources.
        cancel_window: how long after its recording an event can be cancelled; None is
            for ever.
        credit_grants_max: how many unused credit grants a customer can have.
        alerts_max: how many alerts on a meter can apply to a customer.
        entitle_at_once: whether subscriptions that there are see at once what is
            attached to their products.
        allow_private_webhooks: whether webhooks may be sent to any address, without TLS.
        webhook_timeout: for connecting to an endpoint, and between parts of its answer.
        sql_timeout: how long a query in SQL may take.
        sql_memory: how many bytes of memory it may take; None is 60 % of the machine's.
        clock_skew_max: how far off the clock of appends may be; None where it is not
            judged.
        report_retention: for how long files of reports are kept.
        strict: whether the reference's limits of test clocks hold.
        secret_keys: under which the secrets of endpoints are encrypted, if there is one.
    """

    livemode: bool
    cancel_window: timedelta | None
    credit_grants_max: int
    alerts_max: int
    entitle_at_once: bool
    allow_private_webhooks: bool
    webhook_timeout: timedelta
    sql_timeout: timedelta
    sql_memory: int | None
    clock_skew_max: timedelta | None
    report_retention: timedelta
    strict: bool = False
    secret_keys: SecretKeys = msgspec.field(default_factory=SecretKeys)


class OpeningTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is opened with.

    Attributes:
        place: where it lies.
        create: whether to create it where it is absent.
        seal_events: how many events may gather before they are sealed; None is any.
        clock: of the connection.
        settings: of the connection.
        identifier_retention: how long an identifier is taken; None is for ever.
    """

    place: Place
    create: bool
    seal_events: int | None
    clock: Clock
    settings: Settings
    identifier_retention: timedelta | None
