"""Programs with one thing wrong each: the simulation is worth something only if it finds every one of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from connectors import checkpoints_file
from connectors.checkpoints_file import FileCheckpoints
from connectors.pump import Pump
from domain.windows import Aggregates
from streams.reading_log import ReadingLog
from streams.takers import DeskTaker, StoreTaker
from streams.worker import Place, Worker
from tests.faults.simulation.broker import SimBroker
from tests.faults.simulation.keepers import SimStore, rows_of
from tests.faults.simulation.sites import Parts


class AcksBeforeCheckpoint(Worker):
    def _acknowledge(self, place: Place, part: Any, next_offset: int) -> None:
        """Done too early already, in ``take``."""

    async def take(self, topic: str, partition: int, offset: int, value: bytes, ack: Any) -> None:
        await super().take(topic, partition, offset, value, ack)
        ack()
        self._progress.taken("analyse", topic, partition, offset + 1)


class CheckpointsBeforeSettle(Worker):
    async def _settle(self, covered: int) -> None:
        del self._unsettled[:covered]


class ForgetsOffsets(Worker):
    """Neither offsets nor gateways' seqs are part of the state, and repeats are not told.

    Without the last the mutant lives: what is replayed is told as a repeat by series, time and value, and counts once.
    """

    def _restore(self, part: Any, kept: dict[str, Any]) -> None:
        super()._restore(part, kept)
        part.next_offset = 0
        part.analyser.seqs.clear()
        for area in part.analyser._areas.values():
            area._board.log._admit_unique = partial(_take_all, area._board.log)


def _take_all(log: ReadingLog, key: Any, x: Any) -> Any:
    log._insert(np.searchsorted(log._key[: log._n], key), key, x)
    return np.zeros(len(key), dtype=np.uint8)


class OneTooFar(Worker):
    """The offset in the state is not that of the cut: a message counts as applied that is not."""

    def _restore(self, part: Any, kept: dict[str, Any]) -> None:
        super()._restore(part, kept)
        part.next_offset += part.next_offset > 0


class KeepsWhatIsRevoked(Worker):
    def revoke(self, places: Iterable[Place]) -> None:
        return None


class StartsEmpty(Worker):
    async def _load(self, topic: str, partition: int) -> Any:
        self._checkpoints = _Nothing(self._checkpoints)  # type: ignore[assignment]
        return await super()._load(topic, partition)


@dataclass
class _Nothing:
    real: Any

    async def load(self, key: str) -> None:
        return None

    async def save(self, states: Any) -> None:
        await self.real.save(states)


class StoreAcksBeforeWrite(StoreTaker):
    async def run(self) -> None:
        while True:
            batch = await self._batches.next()
            self._batches.done(batch)
            results = [result for (topic, *_), value in batch if (result := self._decoded(topic, value)) is not None]
            await self._write(results)


class DeskAcksBeforePut(DeskTaker):
    async def run(self) -> None:
        while True:
            batch = await self._batches.next()
            self._batches.done(batch)
            await self._work_off([(topic, value) for (topic, *_), value in batch])


class DeskGivesUp(DeskTaker):
    """Leaves findings out when its file does not answer."""

    async def _work_off(self, messages: list[tuple[str, bytes]]) -> None:
        try:
            self._apply(messages)
        except Exception:
            return


class ForgetsBeforeSettle(Pump):
    async def _settle(self) -> None:
        while True:
            await self._unsettled.wait()
            self._unsettled.clear()
            self._forget(dict(self._sent))


class AddsUp(SimStore):
    """Increments instead of absolute values: counts and sums are added to what is there."""

    def _put(self, batch: Aggregates) -> None:
        for key, row in rows_of(batch):
            before = self.aggregates.get(key)
            self.aggregates[key] = row if before is None else (before[0] + row[0], *row[1:])


class Unsynced(FileCheckpoints):
    """A save is there when it returns, and gone when the power goes."""

    def _save(self, states: dict[str, bytes]) -> None:
        disk: Any = checkpoints_file.os
        disk.fsync = lambda number: None
        try:
            super()._save(states)
        finally:
            del disk.fsync


def _no_past(broker: SimBroker) -> None:
    """Nothing to go back to."""


@dataclass(frozen=True)
class Mutant:
    """``mode``: where it must be found, within ``seeds`` histories from ``first`` on.

    What needs a rare order of events begins close to a seed that is known to find it, so that the test is quick.
    """

    mode: str
    parts: Parts
    seeds: int = 15
    first: int = 0


#: With ``_no_past``: where the log is at hand the worker goes back to it and is right all the same, as it must be.
MUTANTS = {
    "ack before checkpoint": Mutant("embedded", Parts(worker=AcksBeforeCheckpoint)),
    "ack before checkpoint, Kafka": Mutant("distributed", Parts(worker=AcksBeforeCheckpoint, past=_no_past)),
    "checkpoint before settle": Mutant("embedded", Parts(worker=CheckpointsBeforeSettle)),
    "checkpoint before settle, Kafka": Mutant("distributed", Parts(worker=CheckpointsBeforeSettle)),
    "offsets not in the state": Mutant("distributed", Parts(worker=ForgetsOffsets)),
    "offset in the state one too far": Mutant("distributed", Parts(worker=OneTooFar)),
    "state kept when revoked": Mutant("distributed", Parts(worker=KeepsWhatIsRevoked, past=_no_past)),
    "checkpoint not loaded": Mutant("distributed", Parts(worker=StartsEmpty, past=_no_past)),
    "a gap in the offsets taken as it is": Mutant("distributed", Parts(past=_no_past), first=755),
    "store acknowledges before it has written": Mutant("distributed", Parts(store=StoreAcksBeforeWrite)),
    "desk acknowledges before it has kept": Mutant("distributed", Parts(desk=DeskAcksBeforePut), first=58),
    "desk gives up": Mutant("distributed", Parts(desk=DeskGivesUp)),
    "outbox forgets before the broker has it": Mutant("distributed", Parts(pump=ForgetsBeforeSettle)),
    "increments instead of absolute values": Mutant("embedded", Parts(keeper=AddsUp)),
    "checkpoint not synced": Mutant("embedded", Parts(checkpoints=Unsynced)),
    "newest checkpoint is the last written": Mutant(
        "distributed", Parts(rank=lambda state: 0, past=_no_past), first=56
    ),
}
