"""How consumers say what they have taken, where the broker itself is not durable.

With Kafka the broker's acknowledgement is enough (:class:`BrokerProgress`). The embedded broker is memory: there a
message is safe only once everyone who must take it has made it durable, and said so in the :class:`TakenLedger`.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

#: Where a partition stands that nobody has to take.
NOBODY_WAITS = (1 << 63) - 1

Marks = Mapping[tuple[str, int], int]


class Progress(Protocol):
    """What a consumer tells, and is told."""

    def taken(self, consumer: str, topic: str, partition: int, next_offset: int) -> None:
        """``consumer`` has made everything before ``next_offset`` durable; it never has to be read again."""

    async def pressed(self, consumer: str) -> None:
        """Return when a publisher is short of room until ``consumer`` takes more: a good time for a checkpoint."""


class BrokerProgress:
    """Kafka keeps what it has acknowledged: nobody waits for consumers."""

    def taken(self, consumer: str, topic: str, partition: int, next_offset: int) -> None:
        return None

    async def pressed(self, consumer: str) -> None:
        await asyncio.Event().wait()


class Pulse:
    """Wakes everyone who waits, each time it beats. For one event loop."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def beat(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self) -> None:
        """Return at the next beat. Check the condition first: there is no await between the check and the wait."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)


class TakenLedger:
    """Who has taken what, for one start of the embedded broker. For one event loop.

    Args:
        consumers: topic → names of those who must take it; a topic that is missing here need not be waited for.
    """

    def __init__(self, consumers: Mapping[str, frozenset[str]]) -> None:
        self._consumers = {topic: names for topic, names in consumers.items() if names}
        self._next: dict[tuple[str, int], dict[str, int]] = {}
        self._moved: dict[tuple[str, int], Pulse] = {}
        self._pressed: dict[str, asyncio.Event] = {}

    def taken(self, consumer: str, topic: str, partition: int, next_offset: int) -> None:
        """See :class:`Progress`. A lower offset than before changes nothing, nor does a consumer nobody waits for."""
        if consumer not in self._consumers.get(topic, ()):
            return
        offsets = self._next.setdefault((topic, partition), {})
        if next_offset > offsets.get(consumer, 0):
            offsets[consumer] = next_offset
            self._pulse(topic, partition).beat()

    def taken_up_to(self, topic: str, partition: int) -> int:
        """The first offset that somebody still has to take."""
        names = self._consumers.get(topic)
        if names is None:
            return NOBODY_WAITS
        offsets = self._next.get((topic, partition), {})
        return min(offsets.get(name, 0) for name in names)

    async def wait(self, marks: Marks) -> None:
        """Return when, of every topic and partition in ``marks``, everything before its offset is taken."""
        for (topic, partition), next_offset in marks.items():
            while self.taken_up_to(topic, partition) < next_offset:
                await self._pulse(topic, partition).wait()

    def behind(self, marks: Marks) -> dict[str, list[str]]:
        """Consumer → ``topic-partition`` it has yet to take, for a message that says what is being waited for."""
        late: dict[str, list[str]] = {}
        for (topic, partition), next_offset in marks.items():
            offsets = self._next.get((topic, partition), {})
            for name in sorted(self._consumers.get(topic, ())):
                if offsets.get(name, 0) < next_offset:
                    late.setdefault(name, []).append(f"{topic}-{partition}")
        return late

    def press(self, topic: str, partition: int) -> None:
        """A publisher is short of room on this partition: wake the consumers that hold it up."""
        offsets = self._next.get((topic, partition), {})
        up_to = self.taken_up_to(topic, partition)
        for name in self._consumers.get(topic, ()):
            if offsets.get(name, 0) == up_to:
                self._event(name).set()

    async def pressed(self, consumer: str) -> None:
        """See :class:`Progress`."""
        event = self._event(consumer)
        await event.wait()
        event.clear()

    def _pulse(self, topic: str, partition: int) -> Pulse:
        return self._moved.setdefault((topic, partition), Pulse())

    def _event(self, consumer: str) -> asyncio.Event:
        return self._pressed.setdefault(consumer, asyncio.Event())
