"""Signatures of deliveries, by Stripe's scheme or by Standard Webhooks.

While a secret is being replaced, a delivery carries a signature by each.
Sources: https://docs.stripe.com/webhooks/signature and
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets as chance
from collections.abc import Sequence

from ledger.facts.webhooks import SignatureScheme

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new random secret of 256 bits."""
    return _PREFIX + base64.b64encode(chance.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    scheme: SignatureScheme,
    *,
    secrets: Sequence[str],
    event_id: str,
    seconds: int,
    body: bytes,
) -> dict[str, str]:
    """Return the headers that sign a delivery.

    Args:
        scheme: the scheme of the endpoint.
        secrets: all that are valid, the newest first.
        event_id: stays the same on every attempt.
        seconds: the time of the attempt, since 1970 UTC.
        body: exactly what is sent.
    """
    match scheme:
        case SignatureScheme.STRIPE:
            content = b"%d.%b" % (seconds, body)
            parts = [f"t={seconds}"]
            parts += [f"v1={_digest(s.encode(), content).hex()}" for s in secrets]
            return {"Stripe-Signature": ",".join(parts)}
        case SignatureScheme.STANDARD:
            content = b"%b.%d.%b" % (event_id.encode(), seconds, body)
            signatures = [_digest(_key(secret), content) for secret in secrets]
            written = [f"v1,{base64.b64encode(each).decode()}" for each in signatures]
            return {
                "webhook-id": event_id,
                "webhook-timestamp": str(seconds),
                "webhook-signature": " ".join(written),
            }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))


def _digest(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()
