"""Own how figures of random histories are explained: each adds up to what it was."""

import metering


def explain_triggers(m: metering.Metering) -> None:
    """Explain every alert that triggered: it says the value, and adds up to it."""
    for each in m.alerts.triggered():
        made = m.explain(each)
        found: object = (
            made.available[_currency_of(each.alert)]
            if isinstance(made, metering.BalanceExplanation)
            else made.value
        )
        assert found == each.value
        assert made.adds_up()


def _currency_of(alert: metering.Alert) -> str:
    threshold = alert.credit_balance_threshold
    assert threshold is not None
    return threshold.lte.monetary.currency
