"""Runs analysers on what a broker delivers: the order of apply, publish, checkpoint and acknowledge is all here.

The recipe: every message is held un-acknowledged; state holds the position of the last message applied; a checkpoint is
a cut through all partitions between two messages, kept only after every output before the cut is durable; only then are
the messages before the cut acknowledged. After a crash the stretch since the checkpoint is replayed, and its outputs
overwrite themselves. The state decides where to go on, never the committed offset: when a message comes that does not
follow the last one applied, what lies between is read from the log first.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from domain.errors import Rejected, Unavailable
from domain.ports import Checkpoints, Log, Progress, Publisher, Record
from streams.analyser import Analyser, Step
from streams.quarantine import Origin, unreadable
from streams.records import records_of_step
from streams.retrying import until_available
from streams.state import pack, restore, snapshot, unpack

log = structlog.get_logger(__name__)

Place = tuple[str, int]  # topic, partition
_RANK_BYTES = 8


def rank_of(state: bytes) -> int:
    """How far a kept state has come: of several, the furthest is the one to go on from, whoever wrote last."""
    return int.from_bytes(state[:_RANK_BYTES], "big")


@dataclass(slots=True)
class Counts:
    """What a worker has done since it started."""

    messages: int = 0
    readings: int = 0
    findings: int = 0
    quarantined: int = 0
    checkpoints: int = 0
    checkpoint_bytes: int = 0


@dataclass(slots=True)
class _Part:
    """One assigned partition."""

    analyser: Analyser
    next_offset: int
    held: list[tuple[int, Callable[[], None]]]  # offset and acknowledge of every message since the checkpoint


class Worker:
    """``take`` each message as it comes; call ``checkpoint`` every few seconds."""

    def __init__(
        self,
        make_analyser: Callable[[str, int], Analyser],
        publisher: Publisher,
        relay: Publisher,
        checkpoints: Checkpoints,
        progress: Progress,
        instance: str,
        past: Log | None = None,
    ) -> None:
        """Make a worker that has no partitions yet.

        Args:
            make_analyser: a fresh analyser for a topic and partition.
            publisher: for results.
            relay: for readings that belong to another partition; a publisher of its own, because in the embedded
                broker the first one settles only when consumers have taken, and of these messages that is this worker.
            checkpoints: where cuts are kept.
            progress: is told what lies behind a checkpoint.
            instance: names the broker's log; offsets of a checkpoint count only within the same one.
            past: the log, to go back to where the state ends; without it a gap in the offsets is taken as it is.
        """
        self._make_analyser = make_analyser
        self._publisher = publisher
        self._relay = relay
        self._checkpoints = checkpoints
        self._progress = progress
        self._instance = instance
        self._past = past
        self._parts: dict[Place, _Part] = {}
        self._unsettled: list[Record] = []
        self._step = asyncio.Lock()  # a cut falls between two messages, never within one
        self._checkpointing = asyncio.Lock()
        self.counts = Counts()
        self.now = 0

    async def take(self, topic: str, partition: int, offset: int, value: bytes, ack: Callable[[], None]) -> None:
        """Apply one message and hand its outputs to the broker; waits for as long as the broker is away."""
        async with self._step:
            part = self._parts.get((topic, partition)) or await self._load(topic, partition)
            part.held.append((offset, ack))
            if offset < part.next_offset:
                return
            if offset > part.next_offset:
                await until_available(lambda: self._catch_up(part, topic, partition, offset))
            await self._advance(part, topic, partition, offset, value)

    async def _catch_up(self, part: _Part, topic: str, partition: int, end: int) -> None:
        """Apply what lies between the state and ``end`` and was not delivered: the commit was ahead of the checkpoint
        (a damaged one, one that a newer program cannot read), or a delivery was dropped in a rebalance."""
        if self._past is None:
            return
        begin = part.next_offset
        count = 0
        async for offset, value in self._past.between(topic, partition, begin, end):
            if offset >= part.next_offset:
                await self._advance(part, topic, partition, offset, value)
                count += 1
        say = log.warning if count else log.debug  # nothing there: retention, or the marker of a transaction
        say("read again from the log", topic=topic, partition=partition, begin=begin, end=end, messages=count)

    async def _advance(self, part: _Part, topic: str, partition: int, offset: int, value: bytes) -> None:
        step = self._apply(part, topic, value)
        part.next_offset = offset + 1
        self._count(step)
        records = records_of_step(step, partition)
        if records:
            self._unsettled += records
            await until_available(lambda: self._publisher.send(records))
        if step.forward:
            await until_available(lambda: self._pass_on(step.forward))

    @staticmethod
    def _apply(part: _Part, topic: str, value: bytes) -> Step:
        """A bug of ours must not lose a message: it is put aside with what went wrong, and the next one comes."""
        try:
            return part.analyser.apply(value)
        except Exception as error:
            log.exception("message put aside because of a bug", topic=topic)
            reason = f"a bug of this program, not of the message: {type(error).__name__}: {error}"
            return Step(quarantined=[unreadable(Origin(topic, ""), 0, value, 0, "message", "", reason)])

    async def checkpoint(self) -> None:
        """Cut, wait until all outputs before the cut are durable, keep the cut, acknowledge what lies before it."""
        async with self._checkpointing:
            async with self._step:
                places = {place: part for place, part in self._parts.items() if part.held}
                if not places:
                    return
                states = {}
                for (topic, partition), part in places.items():
                    states[f"{topic}-{partition}"] = self._pack(part)
                    await asyncio.sleep(0)  # others may go on between two partitions, this worker may not
                cut = {place: part.next_offset for place, part in places.items()}
                covered = len(self._unsettled)
            await self._settle(covered)
            await until_available(lambda: self._checkpoints.save(states))
            self.counts.checkpoints += 1
            self.counts.checkpoint_bytes = sum(map(len, states.values()))
            for place, next_offset in cut.items():
                self._acknowledge(place, places[place], next_offset)

    def revoke(self, places: Iterable[Place]) -> None:
        """Another worker goes on with these: forget their state and what is held of them."""
        for place in places:
            self._parts.pop(place, None)

    async def run(self, every_s: float) -> None:
        """Checkpoint for ever: every few seconds, and at once when the broker runs short of room."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._progress.pressed("analyse"), every_s)
            await self.checkpoint()

    async def _pass_on(self, records: list[Record]) -> None:
        """Safe with the broker on return; a repeat does no harm, for readings are told by series, time and value."""
        await self._relay.send(records)
        await self._relay.settle()

    async def _load(self, topic: str, partition: int) -> _Part:
        analyser = self._make_analyser(topic, partition)
        part = _Part(analyser, 0, [])
        kept = await until_available(lambda: self._checkpoints.load(f"{topic}-{partition}"))
        if kept is not None:
            try:
                self._restore(part, unpack(kept[_RANK_BYTES:]))
            except Rejected as error:
                log.warning("checkpoint refused, state is rebuilt from the log", topic=topic, reason=str(error))
                part = _Part(self._make_analyser(topic, partition), 0, [])
        if self._past is not None and part.next_offset:
            past = self._past
            end = await until_available(lambda: past.end(topic, partition))
            if part.next_offset > end:
                log.warning("the log is shorter than the checkpoint says, all of it is read", topic=topic, end=end)
                part.next_offset = 0
        self._parts[topic, partition] = part
        return part

    def _restore(self, part: _Part, kept: dict[str, Any]) -> None:
        restore(part.analyser, kept["state"])
        for words in part.analyser.begins_anew:
            log.warning("a part of the checkpoint is refused and begins anew", part=words)
        if part.analyser.windows_lost and self._past is not None:
            raise Rejected("state", "", "its windows cannot be read, and the log is there to make them from")
        if kept["instance"] == self._instance:
            part.next_offset = kept["next_offset"]

    def _pack(self, part: _Part) -> bytes:
        body = {"instance": self._instance, "next_offset": part.next_offset, "state": snapshot(part.analyser)}
        return part.next_offset.to_bytes(_RANK_BYTES, "big") + pack(body)

    async def _settle(self, covered: int) -> None:
        """Until the first ``covered`` outputs are durable; what a failing broker may have lost is sent again."""

        async def settle() -> None:
            try:
                await self._publisher.settle()
            except Unavailable:
                async with self._step:
                    await self._publisher.send(self._unsettled)
                raise

        await until_available(settle)
        del self._unsettled[:covered]

    def _acknowledge(self, place: Place, part: _Part, next_offset: int) -> None:
        if self._parts.get(place) is not part:
            return  # revoked meanwhile: not ours to acknowledge any more
        behind = [ack for offset, ack in part.held if offset < next_offset]
        part.held = [(offset, ack) for offset, ack in part.held if offset >= next_offset]
        for ack in behind:
            ack()
        self._progress.taken("analyse", *place, next_offset)

    def _count(self, step: Step) -> None:
        self.counts.messages += 1
        for flow in step.flows:
            self.counts.readings += len(flow.readings)
            self.counts.findings += len(flow.findings)
            self.counts.quarantined += len(flow.quarantined)
            self.now = max(self.now, flow.now)
        self.counts.quarantined += len(step.quarantined)
