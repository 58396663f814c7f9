"""The pump: from the outbox to the broker, in order, again and again until the broker has it for good."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from domain.errors import Unavailable
from domain.ports import Entry, Outbox, Publisher, Record
from domain.times import format_time
from domain.topics import PARTITIONS, READINGS

log = logging.getLogger(__name__)

Lane = tuple[str, int]  # topic and partition

_LANES: tuple[Lane, ...] = tuple((topic, partition) for topic in READINGS for partition in range(PARTITIONS))
_LANE_ENTRIES_MAX = 32  # read at a time from one lane: 1 or 2 MB in memory
_IDLE_S = 1.0  # a wake that was missed costs at most this
_BACK_OFF_S, _BACK_OFF_S_MAX = 0.2, 10.0
_SETTLE_PAUSE_S = 0.1  # settle at most this often: forgetting is a transaction


class Pump:
    """Empties the outbox into a publisher. It cannot tell Kafka from the embedded broker: ``settle`` knows.

    Args:
        gateway: the outbox's name, for the ``ce_id`` and ``ce_source`` of the messages.
        clock: epoch ms, for ``ce_time``.
    """

    def __init__(self, outbox: Outbox, publisher: Publisher, gateway: str, clock: Callable[[], int]) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._gateway = gateway
        self._clock = clock
        self._sent: dict[Lane, int] = {}
        self._settled: dict[Lane, int] = {}
        self._wanted = asyncio.Event()
        self._unsettled = asyncio.Event()
        self._failures = 0
        self.sent_total = 0
        self.unavailable = ""  # why nothing goes out just now; empty while all is well

    def wake(self) -> None:
        """Something was appended. Call it in the event loop."""
        self._wanted.set()

    async def run(self) -> None:
        """Pump until cancelled. At start, and after the broker was away, all that is not settled is sent again."""
        while True:
            self._sent = dict(self._settled)
            self._unsettled.clear()
            try:
                async with asyncio.TaskGroup() as loops:
                    loops.create_task(self._send())
                    loops.create_task(self._settle())
            except* Unavailable as errors:
                self.unavailable = str(errors.exceptions[0])
                self._failures += 1
                log.warning("the broker takes nothing just now, readings stay in the outbox: %s", self.unavailable)
            await asyncio.sleep(min(_BACK_OFF_S * 2 ** min(self._failures - 1, 10), _BACK_OFF_S_MAX))

    async def _send(self) -> None:
        while True:
            self._wanted.clear()
            batches = await asyncio.to_thread(self._read)
            if not batches:
                await _wait(self._wanted, _IDLE_S)
                continue
            await self._publisher.send([record for _, entries in batches for record in self._records(entries)])
            for lane, entries in batches:
                self._sent[lane] = entries[-1].seq
                self.sent_total += len(entries)
            self._unsettled.set()

    async def _settle(self) -> None:
        while True:
            await self._unsettled.wait()
            self._unsettled.clear()
            reached = dict(self._sent)
            await self._publisher.settle()
            await asyncio.to_thread(self._forget, reached)
            self._failures, self.unavailable = 0, ""
            await asyncio.sleep(_SETTLE_PAUSE_S)

    def _read(self) -> list[tuple[Lane, list[Entry]]]:
        """What each lane still has to send, lanes with nothing left out."""
        found = ((lane, self._outbox.read(*lane, self._sent.get(lane, -1), _LANE_ENTRIES_MAX)) for lane in _LANES)
        return [(lane, entries) for lane, entries in found if entries]

    def _forget(self, reached: dict[Lane, int]) -> None:
        for lane, seq in reached.items():
            if seq > self._settled.get(lane, -1):
                self._outbox.forget(*lane, seq)
                self._settled[lane] = seq

    def _records(self, entries: Sequence[Entry]) -> list[Record]:
        fixed = (
            ("ce_specversion", b"1.0"),
            ("ce_source", f"/borough/gateway/{self._gateway}".encode()),
            ("ce_time", format_time(self._clock()).encode()),
            ("content-type", b"application/json"),
        )
        return [
            Record(
                entry.topic,
                entry.partition,
                entry.key,
                entry.value,
                (
                    ("ce_id", f"{self._gateway}/{entry.topic}/{entry.partition}/{entry.seq}".encode()),
                    ("ce_type", b"borough.readings.frame.v1" if entry.key else b"borough.readings.tick.v1"),
                    *fixed,
                ),
            )
            for entry in entries
        ]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
