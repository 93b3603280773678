"""Facts about the log's own time: a wrong clock had moved it on, and it was brought back."""

import msgspec


class LogTimeCorrected(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="log_time.corrected",
):
    """What was recorded before this fact, and later than an instant, counts as of then.

    Instants are microseconds since 1970 UTC. The fact is recorded at `corrected_to`, and
    is the only one that may be recorded before what it follows. `found` is when the entry
    before it says that it was recorded. Entries at positions after `after` were recorded
    by the wrong time; that at `after` is the last that is right. `reason` is for people.
    """

    corrected_to: int
    found: int
    after: int
    reason: str
