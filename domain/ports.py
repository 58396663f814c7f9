"""The contracts between the core and the outside world. Each has one conformance suite in tests/conformance."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.errors import Rejection
from domain.messages import Alert, Finding, Forecast, Health, Quarantined
from domain.windows import Aggregates

Result = Aggregates | Finding | Forecast | Health | Quarantined


@dataclass(frozen=True, slots=True)
class Record:
    """One message for one partition of one topic; ``headers`` carry CloudEvents attributes."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Publisher(Protocol):
    """Takes messages to the broker."""

    async def send(self, records: Sequence[Record]) -> None:
        """Hand over, in order; waits while too much is under way. Raises: Unavailable."""

    async def settle(self) -> None:
        """Return when everything sent before is durable (see design, flow 4). Raises: Unavailable."""


class Progress(Protocol):
    """How a consumer says what it has made durable, for brokers that are themselves only memory."""

    def taken(self, consumer: str, topic: str, partition: int, next_offset: int) -> None:
        """``consumer`` never has to read anything before ``next_offset`` again."""

    async def pressed(self, consumer: str) -> None:
        """Return when a publisher is short of room until ``consumer`` takes more: time for a checkpoint."""


class Log(Protocol):
    """What stands in a topic, for whoever has to go back to it."""

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next message will have. Raises: Unavailable."""

    def between(self, topic: str, partition: int, begin: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
        """Offset and value of the messages with ``begin <= offset < end`` that are still there. Raises: Unavailable."""


class Checkpoints(Protocol):
    """Keeps the newest state of each topic and partition. ``key`` is ``topic-partition``.

    Attributes:
        damaged: states that did not verify and were passed over, in words.
    """

    damaged: list[str]

    async def save(self, states: Mapping[str, bytes]) -> None:
        """All of them durable on return, or none replaced. Raises: Unavailable, Full."""

    async def load(self, key: str) -> bytes | None:
        """The newest good state, None when there is none. A damaged one is passed over. Raises: Unavailable."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame or tick in the outbox: ``seq`` is its own within topic and partition."""

    topic: str
    partition: int
    seq: int
    key: bytes
    value: bytes


class Outbox(Protocol):
    """Readings accepted and not yet safe downstream. Blocking calls: use them from a thread."""

    def next_seq(self, topic: str, partition: int) -> int:
        """The seq the next entry of this topic and partition must carry; never falls, also across restarts."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Durable on return, in one transaction. Raises: Full (nothing was taken), Unavailable."""

    def read(self, topic: str, partition: int, after_seq: int, limit: int) -> list[Entry]:
        """Entries with a greater seq, in order."""

    def forget(self, topic: str, partition: int, up_to_seq: int) -> None:
        """Delete entries with ``seq <= up_to_seq``."""

    def depth(self) -> int:
        """How many entries wait."""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What the store knows of a series; ``latest`` is the last value of its newest 60 s aggregate."""

    series: str
    area: str
    first: int
    last: int
    latest: float


class Store(Protocol):
    """History. Blocking calls: use them from a thread. Writing the same result again changes nothing."""

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        """Durable on return. Returns the results (by position) that the store refused for good. Raises: Unavailable."""

    def aggregates(self, series: str, window_s: int, start: int, end: int, limit: int) -> Aggregates:
        """Of one series with ``start <= window start < end`` (epoch ms), oldest first, at most ``limit``."""

    def series(self) -> list[SeriesInfo]:
        """Every series that has an aggregate, by name."""

    def quarantined(self, start: int, end: int, limit: int) -> list[Quarantined]:
        """What was put aside, newest first."""

    def quarantine_counts(self) -> dict[str, int]:
        """How many by reason."""

    def health(self, asset: str | None, limit: int) -> list[Health]:
        """Health messages, newest first, of one asset or of all."""

    def forecasts(self, series: str, limit: int) -> list[Forecast]:
        """Forecasts of a series, newest first."""

    def close(self) -> None:
        """Let go of files and sockets."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an alert: ``id`` rises by one and is the event id of the live feed."""

    id: int
    alert: Alert


class AlertStore(Protocol):
    """Every alert ever raised. Blocking calls: use them from a thread. Writes are durable on return."""

    def put(self, alerts: Sequence[Alert]) -> list[Change]:
        """Keep each alert whose revision is newer than the one kept; return what changed."""

    def get(self, alert: str) -> Alert | None:
        """The alert with this id."""

    def find(self, state: str | None, area: str | None, before: tuple[int, str] | None, limit: int) -> list[Alert]:
        """Newest first by (onset, id), those before a cursor; ``state`` may be ``active`` (open or acknowledged)."""

    def changes(self, after: int, limit: int) -> list[Change]:
        """Changes with a greater id, oldest first, each alert as it is now."""

    def last_change(self) -> int:
        """The id of the newest change, 0 when there is none."""

    def close(self) -> None:
        """Let go of the file."""
