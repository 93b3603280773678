"""Own what verification cannot see, column by column, and why. It only ever shrinks.

A value that a release could have written, in a row that follows from nothing, cannot be
told from the right one. `*` stands for a row that is deleted, or copied.
"""

from collections.abc import Mapping


def _because(reason: str, columns: str) -> Mapping[str, str]:
    return dict.fromkeys(columns.split(), reason)


_KEY = "API keys are made by callers, and no entry of the log says so"
_ASKED = "a request is between its caller and the server, and is known for a day"
_SECRET = "a secret is nobody's but its endpoint's; encrypted, an edited one is refused"  # a reason
_HISTORY = "attempts are history, from which nothing follows"
_REPORT = "what a stream refused is in no entry of the log"
_AUDIT = (
    "what an audit came to is in the log only where it differed from the one before"
)
_WENT = "how a delivery went is known from its endpoint's answers alone"

UNSEEN: Mapping[str, Mapping[str, str]] = {
    "projection": _because(
        "opening a store repairs it, before verification looks", "* name fold_version"
    ),
    "audit_pass": _because(
        _AUDIT,
        "* audit_id started_at ended_at holder claimed_until reached position with_files"
        " findings",
    ),
    "burn_down_checkpoint": _because(
        "when everybody was last looked at is in no entry", "recorded_at"
    ),
    "log_upgrade": _because(
        "no entry says when a store was brought up", "* format_version position"
    ),
    "api_key": _because(
        _KEY,
        "* key_id name scopes is_restricted livemode digest last_four created"
        " revoked_at",
    ),
    "meter_event_session": _because(
        "a session lives for a quarter of an hour",
        "* session_id key_id livemode digest created expires_at",
    ),
    "idempotent_request": _because(
        _ASKED,
        "* key_id idempotency_key fingerprint request_id resource_id status body"
        " created",
    ),
    "webhook_secret": _because(_SECRET, "* endpoint_id secret created ends"),
    "webhook_outbox": _because(
        "a lease is its holder's, and ends by itself", "claimed_by claimed_until"
    ),
    "webhook_event": _because("when it was enqueued is in no entry", "created"),
    "webhook_delivery": _because(
        _WENT,
        "* event_type state attempts enqueued_at next_attempt_at delivered_at",
    ),
    "webhook_attempt": _because(
        _HISTORY,
        "* endpoint_id event_id attempt attempted_at duration_ms status_code error",
    ),
    "stream_error": _because(
        _REPORT, "* window_start livemode meter_id code error_count samples"
    ),
    "error_report": _because(
        _REPORT, "* report_id livemode meter_id window_start window_end error_types"
    ),
}
