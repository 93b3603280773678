"""Errors of the log, and the root of every error of the distribution.

MeteringError
└── LedgerError
    ├── StoreError
    │   ├── StoreUnavailableError
    │   ├── StoreMissingError
    │   ├── StoreBusyError
    │   ├── StoreFullError
    │   ├── StoreVersionError
    │   ├── StoreClosedError
    │   ├── StoreForkedError
    │   ├── ClockSkewError
    │   └── UnsafeDurabilityError
    ├── SegmentStoreError
    │   ├── SegmentStoreUnavailableError
    │   ├── SegmentMissingError
    │   ├── SegmentDamagedError
    │   └── StoreBehindError
    ├── RunsDirectoryError
    ├── LogDamagedError
    ├── StoreDamagedError
    ├── CommitOutcomeUnknownError
    ├── RequestRepeatedError
    └── SecretError
        ├── EncryptionMissingError
        ├── SecretKeyMissingError
        └── SecretDamagedError
"""

from datetime import datetime


class MeteringError(Exception):
    """The root of all errors that this distribution raises on purpose.

    Attributes:
        code: a stable word for programs, such as ``archived_meter``.
        param: the path of the argument at fault, such as ``payload[value]``, or None.
        message: one sentence that says what was wrong and what would be right.
    """

    code = "metering_error"

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes, whatever the arguments of the class are."""
        return _received, (type(self), self.args, self.__dict__)


def _received(
    kind: type[MeteringError], args: tuple[object, ...], attributes: dict[str, object]
) -> MeteringError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class LedgerError(MeteringError):
    """The log could not do what was asked."""

    code = "ledger_error"


class StoreError(LedgerError):
    """The database that holds the log cannot be used."""

    code = "store_error"


class StoreUnavailableError(StoreError):
    """The database cannot be reached, opened, read or written."""

    code = "store_unavailable"

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"The store {store} cannot be used: {reason}")
        self.store = store
        self.reason = reason


class StoreMissingError(StoreError):
    """There is no store where one was said to be."""

    code = "store_missing"

    def __init__(self, store: str) -> None:
        super().__init__(f"There is no store at {store}")
        self.store = store


class StoreBusyError(StoreError):
    """Another writer held the write lock for longer than the time-out."""

    code = "store_busy"

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(
            f"Another writer holds the store {store} and did not let go in time:"
            f" {reason}; nothing was written, try again"
        )
        self.store = store
        self.reason = reason


class StoreFullError(StoreError):
    """The disk, or a limit set on it, left no room for the commit."""

    code = "store_full"

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(
            f"No room to write to the store {store}: {reason}; what was acknowledged"
            " is safe, free some space and send the rest again"
        )
        self.store = store


class StoreVersionError(StoreError):
    """The store was written by a release that this one does not understand."""

    code = "store_version"

    def __init__(self, store: str, found: int, supported: int) -> None:
        super().__init__(
            f"The store {store} has format {found}, but this release reads formats up"
            f" to {supported}; open it with the release that made it or a later one"
        )
        self.found = found
        self.supported = supported


class StoreClosedError(StoreError):
    """The store was used after it had been closed."""

    code = "store_closed"

    def __init__(self, store: str) -> None:
        super().__init__(f"The store {store} is closed; connect to it again")


class StoreForkedError(StoreError):
    """A handle opened before a fork was used in the child process.

    Or a store is opened there that its parent was using while it forked, which SQLite
    does not survive.
    """

    code = "store_forked"

    def __init__(self, store: str, *, was_in_use: bool = False) -> None:
        super().__init__(
            f"The store {store} was in use when this process was forked; fork when no"
            " call is going on, or start the process by another way than a fork"
            if was_in_use
            else f"The store {store} was opened before this process was forked; connect"
            " again in the child"
        )


class ClockSkewError(StoreError):
    """The clock of an append is wrong, or the log's time is. Nothing was recorded.

    Attributes:
        clock: what this machine's clock shows.
        against: the time that it was compared with.
    """

    code = "clock_skew"

    def __init__(
        self, store: str, clock: datetime, against: datetime, source: str, cure: str
    ) -> None:
        super().__init__(
            f"Nothing was recorded in the store {store}, since clocks differ by more than"
            f" clock_skew_max: this machine's shows {clock.isoformat()}, and {source}"
            f" {against.isoformat()}; {cure}"
        )
        self.clock, self.against = clock, against


class UnsafeDurabilityError(StoreError):
    """The database would acknowledge commits that a power cut can take back."""

    code = "unsafe_durability"

    def __init__(self, store: str, setting: str, found: str, required: str) -> None:
        super().__init__(
            f"The store {store} runs with {setting} = {found}, so that acknowledged"
            f" events could be lost; set {setting} = {required}"
        )
        self.setting = setting


class SegmentStoreError(LedgerError):
    """Sealed usage cannot be stored or read."""

    code = "segment_store_error"


class SegmentStoreUnavailableError(SegmentStoreError):
    """The segment store cannot be found, reached, read or written."""

    code = "segment_store_unavailable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The segment store {url} cannot be used: {reason}")
        self.url = url
        self.reason = reason


class SegmentMissingError(SegmentStoreError):
    """A segment of the log is not in the segment store."""

    code = "segment_missing"

    def __init__(self, url: str, name: str) -> None:
        super().__init__(
            f"The segment {name} is missing from the segment store {url}; restore it"
            " from a backup, or name the segment store that has it with segments="
        )
        self.url = url
        self.name = name


class SegmentDamagedError(SegmentStoreError):
    """A segment is not what was sealed: truncated, changed, or something else."""

    code = "segment_damaged"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The segment {name} is damaged: {reason}; restore it from a backup of the"
            " segment store"
        )
        self.name = name
        self.reason = reason


class StoreBehindError(SegmentStoreError):
    """The log ends before segments that were made of it, as an old backup of it does.

    Attributes:
        name: of the segment that goes furthest.
        up_to: the position that it goes up to.
        position: where the log ends.
    """

    code = "store_behind"

    def __init__(self, name: str, up_to: int, position: int) -> None:
        super().__init__(
            f"The log ends at position {position}, but the segment {name} was made of"
            f" it up to position {up_to}; restore a backup of the database that is no"
            " older than its segments, or move the segments that go beyond the log out"
            " of the segment store to go on without them"
        )
        self.name = name
        self.up_to = up_to
        self.position = position


class LogDamagedError(LedgerError):
    """What is stored is not what was committed."""

    code = "log_damaged"

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"The log is damaged at position {position}: {reason}")
        self.position = position
        self.reason = reason


class StoreDamagedError(LedgerError):
    """A stored row outside the log holds what a store never writes, or is missing.

    Attributes:
        place: the table, and more where it is known.
        reason: what is wrong there.
    """

    code = "store_damaged"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"The store is damaged: {place}: {reason}; run `metering verify`, which"
            " names each such row, and `metering rebuild`, which repairs those that"
            " follow from the log"
        )
        self.place = place
        self.reason = reason


class CommitOutcomeUnknownError(LedgerError):
    """The connection broke at COMMIT, and the database could not be asked again."""

    code = "commit_outcome_unknown"

    def __init__(self, store: str, reason: str, *, is_usage: bool) -> None:
        # A grant, say, has no identifier of its caller's: repeated, there are two.
        advice = (
            "send the same events with the same identifiers again, they count once"
            if is_usage
            else "it may have been recorded, so look it up before you repeat it"
        )
        super().__init__(
            f"The connection to the store {store} broke while it committed: {reason};"
            f" {advice}"
        )


class RunsDirectoryError(LedgerError):
    """The directory for runs cannot be read or written to."""

    code = "runs_directory_error"

    def __init__(self, directory: str, reason: str) -> None:
        super().__init__(
            f"The runs directory {directory} cannot be written to: {reason}; what was"
            " acknowledged is safe, make room or let this process write there"
        )
        self.directory = directory
        self.reason = reason


class RequestRepeatedError(LedgerError):
    """Another request under the same idempotency key has had its effect meanwhile."""

    code = "idempotency_key_in_use"

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            "There is another request in progress under idempotency key"
            f" {idempotency_key!r}; send it again when that one is answered"
        )


class SecretError(LedgerError):
    """A secret that the store holds cannot be read."""

    code = "secret_error"


class EncryptionMissingError(SecretError):
    """There is a secret key, and what encrypts under it is not installed."""

    code = "encryption_missing"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"A secret key is set, and encrypting under it needs {module}: install it"
            " with pip install 'metering-engine[encryption]'"
        )


class SecretKeyMissingError(SecretError):
    """What is stored is under a secret key that this process does not have.

    Attributes:
        what: is under it.
        key: the name of the key that is needed; None is any.
        found: the names of the keys that are here.
    """

    code = "secret_key_missing"

    def __init__(self, what: str, key: str | None, found: tuple[str, ...] = ()) -> None:
        needed = "a secret key" if key is None else f"the secret key {key}"
        here = f"has {' and '.join(found)}" if found else "has none"
        super().__init__(
            f"For {what}, {needed} is needed, and this process {here}; set"
            " METERING_SECRET_KEY to the keys of the deployment, the one in use first"
        )
        self.what = what
        self.key = key
        self.found = found


class SecretDamagedError(SecretError):
    """What is stored was not encrypted there, or was changed since."""

    code = "secret_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"For {what}, what is stored was not encrypted there, or was changed since;"
            " replace it, or restore it from a backup"
        )
        self.what = what
