"""What keeps things, in memory: store, alert store, outbox, checkpoints topic. Each keeps the promises of its port."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from domain.codec import encode
from domain.errors import Rejection, Unavailable
from domain.messages import Alert, Finding, Forecast, Health
from domain.ports import Change, Entry, Result
from domain.readings import Readings
from domain.windows import Aggregates
from tests.faults.simulation.broker import SimBroker

_COLUMNS = ("count", "mean", "min", "max", "last", "coverage", "flag", "revision")


class SimStore:
    """Results under their keys. ``away``: raises Unavailable, sometimes with a part of the points written."""

    def __init__(self, fails: Callable[[], bool]) -> None:
        self._fails = fails
        self.aggregates: dict[tuple[str, int, int], tuple[float, ...]] = {}
        self.others: dict[tuple[Any, ...], bytes] = {}

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        for result in results:
            if self._fails():
                raise Unavailable("the store does not answer")
            if isinstance(result, Aggregates):
                self._put(result)
            else:
                self.others[key_of_result(result)] = encode(result)
        if self._fails():
            raise Unavailable("the store has written, the answer is lost")
        return []

    def _put(self, batch: Aggregates) -> None:
        """As DuckDB's tables do: an older revision never replaces a newer one."""
        for key, row in rows_of(batch):
            if key not in self.aggregates or self.aggregates[key][-1] <= row[-1]:
                self.aggregates[key] = row


def rows_of(batch: Aggregates) -> Iterable[tuple[tuple[str, int, int], tuple[float, ...]]]:
    columns = [getattr(batch, name).tolist() for name in _COLUMNS]
    for i, start, *row in zip(batch.i.tolist(), batch.start.tolist(), *columns, strict=True):
        yield (batch.series[i], batch.window_s, start), tuple(-1.0 if value != value else value for value in row)


def key_of_result(result: Any) -> tuple[Any, ...]:
    if isinstance(result, Finding):
        return "finding", result.id, result.phase, result.time
    if isinstance(result, Forecast):
        return "forecast", result.series, result.issued
    if isinstance(result, Health):
        return "health", result.asset, result.time
    return "quarantine", result.id


class SimAlerts:
    """Implements ``domain.ports.AlertStore`` as far as the desk uses it."""

    def __init__(self, fails: Callable[[], bool]) -> None:
        self._fails = fails
        self.alerts: dict[str, Alert] = {}
        self._changes = 0

    def put(self, alerts: Sequence[Alert]) -> list[Change]:
        if self._fails():
            raise Unavailable("the disk of the alerts does not answer")
        changed = []
        for alert in alerts:
            known = self.alerts.get(alert.id)
            if known is None or alert.revision > known.revision:
                self.alerts[alert.id] = alert
                self._changes += 1
                changed.append(Change(self._changes, alert))
        return changed

    def get(self, alert: str) -> Alert | None:
        return self.alerts.get(alert)

    def find(self, state: str | None, area: str | None, before: Any, limit: int) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.cleared is None][:limit]


class SimOutbox:
    """Appending is durable, forgetting is not: after a power cut a part of what was forgotten is there again."""

    def __init__(self, fails: Callable[[], bool]) -> None:
        self._fails = fails
        self.entries: dict[tuple[str, int], dict[int, Entry]] = {}
        self._forgotten: list[Entry] = []
        self._next: dict[tuple[str, int], int] = {}
        self.history: list[Entry] = []  # everything ever appended, in its order

    def next_seq(self, topic: str, partition: int) -> int:
        return self._next.get((topic, partition), 1)

    def append(self, entries: Sequence[Entry]) -> None:
        if self._fails():
            raise Unavailable("the disk of the outbox does not answer")
        for entry in entries:
            self._next[entry.topic, entry.partition] = entry.seq + 1
            self.entries.setdefault((entry.topic, entry.partition), {})[entry.seq] = entry
        self.history += entries
        self._forgotten = []  # the same log was synced: what stood before it is safe

    def read(self, topic: str, partition: int, after_seq: int, limit: int) -> list[Entry]:
        lane = self.entries.get((topic, partition), {})
        return [lane[seq] for seq in sorted(lane) if seq > after_seq][:limit]

    def forget(self, topic: str, partition: int, up_to_seq: int) -> None:
        lane = self.entries.get((topic, partition), {})
        for seq in [seq for seq in sorted(lane) if seq <= up_to_seq]:
            self._forgotten.append(lane.pop(seq))

    def depth(self) -> int:
        return sum(map(len, self.entries.values()))

    def power_cut(self, kept: int) -> None:
        """Only the first ``kept`` of the unsynced deletions have reached the disk."""
        for entry in self._forgotten[kept:]:
            self.entries[entry.topic, entry.partition][entry.seq] = entry
        self._forgotten = []

    @property
    def unsynced(self) -> int:
        return len(self._forgotten)


class NobodyHeld:
    """In place of :class:`connectors.held.HeldReadings`: every sensor here is registered."""

    def hold(self, readings: Readings, sensors: Sequence[str]) -> Any:
        return np.zeros(len(readings), dtype=np.bool_)

    def sensors(self) -> list[str]:
        return []


class SimCheckpoints:
    """As :class:`connectors.checkpoints_kafka.KafkaCheckpoints`: of all that was written, the furthest is loaded."""

    def __init__(self, broker: SimBroker, topic: dict[str, list[tuple[int, bytes]]], rank: Callable[[bytes], int]):
        self._broker = broker
        self._topic = topic
        self._rank = rank

    async def save(self, states: Mapping[str, bytes]) -> None:
        for key, state in states.items():
            await self._broker.call()
            await asyncio.sleep(self._broker.rng.random() * 0.2)
            self._topic.setdefault(key, []).append((self._rank(state), state))
        await self._broker.call()

    async def load(self, key: str) -> bytes | None:
        await self._broker.call()
        await asyncio.sleep(self._broker.rng.random() * 0.1)
        kept = self._topic.get(key, [])
        return max(enumerate(kept), key=lambda found: (found[1][0], found[0]))[1][1] if kept else None
