"""Parameters of alerts: the threshold, and whose usage or credits are watched."""

from collections.abc import Mapping, Sequence

from ledger.facts.alerts import CreditAlertCreated, Recurrence, UsageAlertCreated
from ledger.facts.meters import Formula
from metering.arguments.currencies import currency_of
from metering.arguments.parameters import invalid, missing, one_of, only, whole_number
from metering.credits.parameters import check_customer
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.reaggregation.questions import zone_of
from projections.kernels.meters import MeterDefinition

GTE_MAX = 999_999_999_999_999_999
ALERT_TYPES = ("usage_threshold", "credit_balance_threshold")
_PARAM, _CREDITS_PARAM = ALERT_TYPES
_FORMULAS = (Formula.SUM, Formula.COUNT, Formula.LAST)
_RECURRENCES = tuple(each.value for each in Recurrence)


def check_alert_type(alert_type: object) -> str:
    """Check what kind of alert it is.

    Raises:
        InvalidRequestError: it is of another kind.
    """
    return one_of(alert_type, "alert_type", ALERT_TYPES)


def check_alone(alert_type: str, thresholds: Mapping[str, object]) -> None:
    """Check that an alert has the threshold that its type says, and no other.

    Raises:
        InvalidRequestError: it lacks it, or has another one.
    """
    if thresholds[alert_type] is None:
        raise missing(alert_type)
    for param, threshold in thresholds.items():
        if param != alert_type and threshold is not None:
            raise invalid(param, threshold, f"left out for {alert_type}")


def check_credit_threshold(
    threshold: object, *, alert_id: str, title: str
) -> CreditAlertCreated:
    """Check ``{"lte": {"balance_type", "monetary"}, "filters"}``.

    Raises:
        InvalidRequestError: a value breaks a rule.
    """
    given = only(threshold, _CREDITS_PARAM, {"lte", "filters"})
    of_lte = f"{_CREDITS_PARAM}[lte]"
    if given.get("lte") is None:
        raise missing(of_lte)
    lte = only(given["lte"], of_lte, {"balance_type", "monetary"})
    one_of(lte.get("balance_type"), f"{of_lte}[balance_type]", ("monetary",))
    of_money = f"{of_lte}[monetary]"
    if lte.get("monetary") is None:
        raise missing(of_money)
    money = only(lte["monetary"], of_money, {"currency", "value"})
    return CreditAlertCreated(
        alert_id=alert_id,
        title=title,
        lte=whole_number(money.get("value"), f"{of_money}[value]", 0, GTE_MAX),
        currency=currency_of(money.get("currency"), f"{of_money}[currency]"),
        customer=_customer(given.get("filters"), f"{_CREDITS_PARAM}[filters]"),
    )


def check_threshold(
    threshold: object,
    *,
    alert_id: str,
    title: str,
    meters: Mapping[str, MeterDefinition],
) -> UsageAlertCreated:
    """Check ``{"gte", "meter", "recurrence", "filters", "timezone"}``.

    Raises:
        ResourceMissingError: there is no such meter.
        InvalidRequestError: a value breaks a rule.
    """
    keys = {"gte", "meter", "recurrence", "filters", "timezone"}
    given = only(threshold, _PARAM, keys)
    for key in ("gte", "meter", "recurrence"):
        if given.get(key) is None:
            raise missing(f"{_PARAM}[{key}]")
    text = one_of(given["recurrence"], f"{_PARAM}[recurrence]", _RECURRENCES)
    recurrence = Recurrence(text)
    return UsageAlertCreated(
        alert_id=alert_id,
        title=title,
        meter_id=_meter(given["meter"], meters),
        gte=whole_number(given["gte"], f"{_PARAM}[gte]", 1, GTE_MAX),
        customer=_customer(given.get("filters"), f"{_PARAM}[filters]"),
        recurrence=recurrence,
        timezone=_timezone(given.get("timezone"), recurrence),
    )


def _meter(meter_id: object, meters: Mapping[str, MeterDefinition]) -> str:
    meter = meters.get(meter_id) if isinstance(meter_id, str) else None
    if meter is None:
        kind, param = "billing meter", f"{_PARAM}[meter]"
        raise ResourceMissingError(kind, str(meter_id), param=param)
    if meter.formula not in _FORMULAS:
        allowed = ", ".join(each.value for each in _FORMULAS)
        raise InvalidRequestError(
            f"Alerts cannot watch meter {meter.meter_id}, whose formula is"
            f" {meter.formula.value}; must be one of {allowed}",
            code="meter_formula_unsupported",
            param=f"{_PARAM}[meter]",
        )
    return meter.meter_id


def _customer(filters: object, param: str) -> str | None:
    """Check at most one filter, by customer; None or none is everybody."""
    if filters is None:
        return None
    is_list = isinstance(filters, Sequence) and not isinstance(filters, str | bytes)
    if not is_list or len(filters) > 1:  # type: ignore[arg-type]  # it is one
        raise invalid(param, filters, "a list of at most one filter")
    if not filters:
        return None
    given = only(filters[0], f"{param}[0]", {"type", "customer"})  # type: ignore[index]  # it is one
    one_of(given.get("type"), f"{param}[0][type]", ("customer",))
    return check_customer(given.get("customer"))


def _timezone(timezone: object, recurrence: Recurrence) -> str | None:
    param = f"{_PARAM}[timezone]"
    if recurrence is Recurrence.ONE_TIME:
        if timezone is not None:
            raise invalid(param, timezone, "left out where recurrence is one_time")
        return None
    name = "UTC" if timezone is None else timezone
    if not isinstance(name, str):
        raise invalid(param, name, "the IANA name of a time zone")
    zone_of(name, param)
    return name
