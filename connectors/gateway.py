"""The gateway: the door by which readings come in. It answers when what it took is durable in the outbox."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from connectors.gateway_frames import frame_entries, merged
from connectors.gateway_judge import QUARANTINE_FULL, UNKNOWN_SENSOR, Judge, Judged
from connectors.held import HeldReadings
from connectors.intake_columns import Intake
from domain.codec import encode_tick
from domain.errors import Full, Rejected, Rejection, Unavailable
from domain.ports import Entry, Outbox
from domain.readings import Readings, Tick
from domain.sensors import SensorRegister
from domain.topics import PARTITIONS, READINGS

log = logging.getLogger(__name__)

TICK_KEY = b""  # no area has an empty name: a tick is known by its key
_INLINE_READINGS_MAX = 2_000  # more are judged in a thread, so that nobody waits for a large request


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """What the gateway takes; ``waiting_readings_max`` bounds what waits in memory for the disk."""

    future_s: float = 300
    past_days: float = 3_650
    frame_readings_max: int = 1_000
    waiting_readings_max: int = 500_000
    tick_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a request; ``held`` readings are among the ``rejected`` and kept until their sensor is known."""

    accepted: int
    rejected: list[Rejection]
    held: int


@dataclass(slots=True)
class _Request:
    origin: str
    done: "asyncio.Future[int]"
    judged: Judged | None = None  # None: a tick
    tick: int = 0
    held: int = 0
    rejections: list[Rejection] = field(default_factory=list)  # found by the writer


class Gateway:
    """Takes readings and writes ticks. One writer drains all that waits into one transaction (group commit).

    Args:
        name: of the outbox (``SqliteOutbox.name``): with seq it tells frames apart, so it is new at every start.
        clock: epoch ms.
        appended: called in the event loop after each commit, to wake whoever empties the outbox.
    """

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        register: SensorRegister,
        held: HeldReadings,
        clock: Callable[[], int],
        limits: GatewayLimits | None = None,
        appended: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.limits = limits or GatewayLimits()
        self.outbox = outbox
        self.held = held
        self.accepted_total = 0
        self.rejected_total = 0
        self._register = register
        self._clock = clock
        self._appended = appended
        self._judge = Judge(register, self.limits.future_s, self.limits.past_days)
        self._waiting: list[_Request] = []
        self._waiting_readings = 0
        self._wanted = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._stopped = False

    async def accept(self, intake: Intake) -> Receipt:
        """Take what can be taken; returns when it is durable. Raises: Full, Unavailable: nothing was taken."""
        return await self._accept(intake, self.name, self._judge.judge_live)

    async def accept_history(self, intake: Intake, recording: str) -> Receipt:
        """As :meth:`accept`, for a recording that is played: no limit in the past, its own gateway name and time."""
        return await self._accept(intake, f"{self.name}.{recording}", self._judge.judge_history)

    async def tick(self, now: int) -> None:
        """Write the passing of time (epoch ms) to every partition of every readings topic. Raises: as accept."""
        await self._submit(_Request(self.name, self._future(), tick=now), 0)

    async def tick_history(self, now: int, recording: str) -> None:
        """As :meth:`tick`, in the time of a recording."""
        await self._submit(_Request(f"{self.name}.{recording}", self._future(), tick=now), 0)

    async def release(self) -> int:
        """Send on what was held of sensors that are registered by now; how many readings.

        While the outbox takes nothing the rest stays held, for the next start.
        """
        released = 0
        for sensor in await asyncio.to_thread(self.held.sensors):
            if self._register.find(sensor) is None:
                continue
            try:
                readings = await asyncio.to_thread(self.held.readings_of, sensor)
                known = Judged(readings, _nothing(), np.empty(0, np.int64))
                await self._submit(_Request(self.name, self._future(), known), len(readings))
                await asyncio.to_thread(self.held.forget, sensor)
            except Unavailable as error:
                log.warning("readings of %s stay held: %s", sensor, error)
                break
            released += len(readings)
        return released

    async def run(self) -> None:
        """Tick by the clock, every ``tick_s``, until cancelled; while the outbox takes nothing, ticks are left out."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                await self.tick(self._clock())
            except Unavailable as error:
                log.warning("tick left out: %s", error)
            due = max(due + self.limits.tick_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def stop(self) -> None:
        """Write what waits, then take nothing more."""
        self._stopped = True
        self._wanted.set()
        if self._writer is not None:
            await self._writer

    async def _accept(self, intake: Intake, origin: str, judge: Callable[[Intake, int], Judged]) -> Receipt:
        if len(intake) > _INLINE_READINGS_MAX:
            judged = await asyncio.to_thread(judge, intake, self._clock())
        else:
            judged = judge(intake, self._clock())
        request = _Request(origin, self._future(), judged)
        count = len(judged.taken) + len(judged.unknown)
        held = await self._submit(request, count) if count else 0
        rejected = sorted([*judged.rejections, *request.rejections], key=lambda rejection: rejection.position)
        self.accepted_total += len(judged.taken)
        self.rejected_total += len(rejected)
        return Receipt(len(judged.taken), rejected, held)

    def _future(self) -> "asyncio.Future[int]":
        return asyncio.get_running_loop().create_future()

    async def _submit(self, request: _Request, count: int) -> int:
        if self._stopped:
            raise Unavailable("the gateway is stopping")
        if self._waiting_readings and self._waiting_readings + count > self.limits.waiting_readings_max:
            raise Full(f"{self._waiting_readings} readings wait for the disk")
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        self._waiting.append(request)
        self._waiting_readings += count
        self._wanted.set()
        return await request.done

    async def _write(self) -> None:
        while True:
            if not self._stopped:
                await self._wanted.wait()
            self._wanted.clear()
            batch, self._waiting, self._waiting_readings = self._waiting, [], 0
            if not batch:
                if self._stopped:
                    return
                continue
            try:
                answers = await asyncio.to_thread(self._commit, batch)
            except Exception as error:  # whatever it is, those who wait are told and the writer goes on
                if not isinstance(error, Unavailable):
                    log.exception("writing to the outbox failed")
                kind = type(error) if isinstance(error, Unavailable) else Unavailable
                for request in batch:
                    if not request.done.done():
                        request.done.set_exception(kind(f"nothing was taken: {error}"))
                continue
            self._appended()
            for request, answer in zip(batch, answers, strict=True):
                if not request.done.done():  # a client that has gone away
                    request.done.set_result(answer)

    def _commit(self, batch: list[_Request]) -> list[int]:
        """All requests of a batch in one transaction; runs in a thread, one at a time."""
        answers = self._hold(batch)
        seqs: dict[tuple[str, int], int] = {}

        def take_seq(topic: str, partition: int) -> int:
            seq = seqs.get((topic, partition)) or self.outbox.next_seq(topic, partition)
            seqs[topic, partition] = seq + 1
            return seq

        taken: dict[str, list[Readings]] = defaultdict(list)
        for request in batch:
            if request.judged is not None and len(request.judged.taken):
                taken[request.origin].append(request.judged.taken)
        entries: list[Entry] = []
        for origin, readings in taken.items():
            entries += frame_entries(origin, readings, self._judge.place, take_seq, self.limits.frame_readings_max)
        ticks = {request.origin: request.tick for request in batch if request.judged is None}  # the newest of each
        for origin, now in ticks.items():
            for topic in READINGS:
                for partition in range(PARTITIONS):
                    seq = take_seq(topic, partition)
                    entries.append(Entry(topic, partition, seq, TICK_KEY, encode_tick(Tick(origin, seq, now))))
        if entries:
            self.outbox.append(entries)
        return answers

    def _hold(self, batch: list[_Request]) -> list[int]:
        """Keep what came from unknown sensors; how many readings of each request. Adds to their rejections."""
        parts = [request for request in batch if request.judged is not None and len(request.judged.unknown)]
        if not parts:
            return [0] * len(batch)
        unknown = merged([request.judged.unknown for request in parts if request.judged is not None])
        kept = self.held.hold(unknown, [self._judge.place(name).sensor for name in unknown.series])
        rows = zip(unknown.i.tolist(), kept.tolist(), strict=True)
        for request in parts:
            assert request.judged is not None
            for position, (i, ok) in zip(request.judged.unknown_positions.tolist(), rows, strict=False):
                error = Rejected("series", unknown.series[i], UNKNOWN_SENSOR if ok else QUARANTINE_FULL)
                request.rejections.append(Rejection.of(position, error))
                request.held += ok
        return [request.held for request in batch]


def _nothing() -> Readings:
    return Readings([], np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0))
