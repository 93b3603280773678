"""Own the cells of accounts: what is meant for another account is refused."""

from tests.metering.doors.cells import Case, Rule
from tests.metering.doors.doors import BY_NAME, HTTP
from tests.metering.doors.sending import Refused

NOT_HTTP = "only HTTP has headers, and the library one store"

RULE = Rule(
    "nobody else's account",
    tuple(
        Case(
            name=f"{header} of another account",
            headers={header: "acct_1OtherTenant"},
            source=Refused("account_invalid", "acct_1OtherTenant"),
            statuses=dict.fromkeys(HTTP, 400),
        )
        for header in ("Stripe_Account", "Stripe_Context")
    ),
    nowhere={name: NOT_HTTP for name in BY_NAME if name not in HTTP},
)
