"""Errors, named by what the caller must do. Anything else that is raised is a bug."""

from dataclasses import dataclass

_ECHO_CHARS_MAX = 120


class BoroughError(Exception):
    """Base of every error that Borough raises on purpose."""


class Rejected(BoroughError):
    """Input that cannot be used as it is: quarantine it and go on.

    Attributes:
        field: the field at fault, as it is named on the wire (``value``, ``time``, ``series`` …).
        value: what stood there, shortened for an answer or a log line.
        reason: one sentence that says what is wrong and what would be right.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason} (got {shorten(value)})")
        self.field = field
        self.value = shorten(value)
        self.reason = reason


class Unavailable(BoroughError):
    """Something outside is not there just now: wait and try again, nothing is lost meanwhile."""


class Full(Unavailable):
    """A stated limit (disk, memory, queue) is reached: nothing was taken, try again later."""


class Misconfigured(BoroughError):
    """A setting or a file that a person must change: one line on stderr, exit code 2."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one reading of a request or a message was not taken; ``position`` counts from 0."""

    position: int
    field: str
    value: str
    reason: str

    @classmethod
    def of(cls, position: int, error: Rejected) -> "Rejection":
        return cls(position, error.field, error.value, error.reason)


def shorten(value: object) -> str:
    """The value as text of at most 120 characters, for answers and logs."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _ECHO_CHARS_MAX else text[: _ECHO_CHARS_MAX - 1] + "…"
