"""The alert of the demo: who sends very many requests, found at the very request.

Can be done again: the alert is found by its title, and triggers for nobody twice.
"""

import metering
from metering.cli.demo.stages import Watched

_SHARE = 200


def watch(m: metering.Metering, event_name: str, rows: int) -> metering.Alert:
    """Make sure of an alert on each customer who sends one request in 200 rows."""
    meter = next(each for each in m.meters.list() if each.event_name == event_name)
    gte = max(1, rows // _SHARE)
    title = f"{gte} requests"
    for alert in m.alerts.list(meter=meter.id, limit=100):
        if alert.title == title:
            return alert
    return m.alerts.create(
        title=title,
        usage_threshold={"gte": gte, "meter": meter.id, "recurrence": "one_time"},
    )


def watched(m: metering.Metering, alert: metering.Alert) -> Watched:
    """Evaluate, and tell for whom the alert has triggered."""
    m.catch_up()
    return Watched(alert=alert, triggered=list(m.alerts.triggered(alert.id)))
