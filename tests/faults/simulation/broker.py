"""A broker of lists: partitions, offsets, what is not flushed is lost in a crash, and groups that share partitions out.

Consumers see what is flushed. A group evicts members that are silent for a session; commits of an earlier generation
are refused, everything else a member woken too late may still do.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from connectors.kafka_publisher import Sent, size_of
from domain.errors import Unavailable
from domain.ports import Record
from domain.topics import PARTITIONS
from streams.agents import AgentSpec, Revoke, Take
from tests.faults.simulation.loop import Process, current_process

Place = tuple[str, int]

SESSION_S = 10.0
_HEARTBEAT_S = 1.0
_COMMIT_S = 0.5
_REFUSE = 0.01  # share of calls that fail for no reason at all


class SimBroker:
    """``logs`` by topic and partition; ``flushed`` is how much of each survives a crash.

    Args:
        volatile: the embedded one: memory of its process, so what it has taken counts as flushed at once.
    """

    def __init__(self, rng: random.Random, instance: str, *, volatile: bool) -> None:
        self.volatile = volatile
        self.rng = rng
        self.instance = instance
        self.logs: defaultdict[Place, list[bytes]] = defaultdict(list)
        self.flushed: defaultdict[Place, int] = defaultdict(int)
        self.up = True
        self.epoch = 0
        self.calm = False  # from here on nothing fails any more

    async def call(self) -> None:
        """The way there. Raises: Unavailable."""
        await asyncio.sleep(self.rng.random() * 0.01)
        if not self.up or (not self.calm and self.rng.random() < _REFUSE):
            raise Unavailable("the broker does not answer")

    def append(self, record: Record) -> int:
        log = self.logs[record.topic, record.partition]
        log.append(record.value)
        return len(log) - 1

    def flush(self, places: Iterable[Place]) -> None:
        for place in places:
            self.flushed[place] = len(self.logs[place])

    def crash(self) -> None:
        """Down; of what was not flushed a part is there again when it comes up."""
        self.up = False
        self.epoch += 1
        for place, log in self.logs.items():
            del log[self.rng.randint(self.flushed[place], len(log)) :]
            self.flushed[place] = len(log)


class SimKafka:
    """What :class:`connectors.kafka_publisher.KafkaPublisher` promises: what it took is repeated until it is there."""

    def __init__(self, broker: SimBroker) -> None:
        self._broker = broker
        self._epoch = broker.epoch
        self._under_way: list[tuple[Sent, int]] = []
        self._turn = asyncio.Lock()

    async def send(self, records: Sequence[Record]) -> None:
        for record in records:
            await self.begin(record)

    async def begin(self, record: Record) -> Sent:
        async with self._turn:
            await self._repair()
            if self._broker.rng.random() < 0.3:
                await self._broker.call()
            if not self._broker.up:
                raise Unavailable("the broker is down")
            await self._repair()
            sent = Sent(record, size_of(record))
            self._under_way.append((sent, self._broker.append(record)))
            if self._broker.volatile:
                self._acknowledge()
            return sent

    async def settle(self) -> None:
        async with self._turn:
            await self._broker.call()
            await self._repair()
            self._acknowledge()
            if self._broker.rng.random() < 0.5:
                await self._broker.call()  # it is there, and the answer may still be lost

    async def stop(self) -> None: ...

    def _acknowledge(self) -> None:
        self._broker.flush(sorted({(sent.record.topic, sent.record.partition) for sent, _ in self._under_way}))
        for sent, offset in self._under_way:
            sent.offset = offset
        self._under_way = []

    async def _repair(self) -> None:
        while self._epoch != self._broker.epoch:
            await self._broker.call()
            self._epoch = self._broker.epoch
            self._under_way = [(sent, self._broker.append(sent.record)) for sent, _ in self._under_way]


class SimPast:
    """Implements ``domain.ports.Log``: what is flushed, and now and then no answer in the middle of it."""

    def __init__(self, broker: SimBroker) -> None:
        self._broker = broker

    async def end(self, topic: str, partition: int) -> int:
        await self._broker.call()
        return self._broker.flushed[topic, partition]

    async def between(self, topic: str, partition: int, begin: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
        await self._broker.call()
        for offset in range(begin, min(end, self._broker.flushed[topic, partition])):
            yield offset, self._broker.logs[topic, partition][offset]
            if self._broker.rng.random() < 0.1:
                await self._broker.call()


@dataclass(eq=False)
class Member:
    """One process in a group: reads its partitions, one message at a time, each to the end."""

    process: Process
    take: Take
    revoke: Revoke
    generation: int = -1
    seen: float = 0.0
    position: dict[Place, int] = field(default_factory=dict)
    acked: dict[Place, set[int]] = field(default_factory=dict)


class SimGroup:
    """The coordinator of one consumer group. Its own steps belong to no process."""

    def __init__(self, spec: AgentSpec, broker: SimBroker) -> None:
        self._broker = broker
        self.places = [(topic, n) for topic in spec.topics for n in range(PARTITIONS)]
        self.committed: dict[Place, int] = dict.fromkeys(self.places, 0)
        self._members: list[Member] = []
        self._joined: set[int] = set()  # by id: members that have given up what they had before this generation
        self._generation = 0
        self.eager = broker.rng.random() < 0.5  # whether a rebalance takes everything away, or only what moves

    def start(self, take: Take, revoke: Revoke = lambda places: None) -> Member:
        """A member of the process whose step this is; returns at once."""
        process = current_process()
        assert process is not None
        member = Member(process, take, revoke, seen=_now())
        self._members.append(member)
        self._rebalance()
        for work in (self._read(member), self._heartbeats(member), self._commits(member)):
            asyncio.get_running_loop().create_task(work)
        return member

    async def leave(self, member: Member) -> None:
        """In good order: what is acknowledged is committed first."""
        self._commit(member)
        self._members = [other for other in self._members if other is not member]
        member.position = {}
        self._rebalance()

    async def watch(self) -> None:
        """Evict who is silent, for ever."""
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            silent = [member for member in self._members if _now() - member.seen > SESSION_S]
            if silent:
                self._members = [member for member in self._members if member not in silent]
                self._rebalance()

    def _rebalance(self) -> None:
        self._generation += 1
        self._joined = set()

    def _assigned(self, member: Member) -> list[Place]:
        if self._joined != {id(other) for other in self._members}:
            return []
        turn = self._members.index(member)
        return [place for place in self.places if place[1] % len(self._members) == turn]

    async def _heartbeats(self, member: Member) -> None:
        while True:
            await asyncio.sleep(self._broker.rng.random() * 2 * _HEARTBEAT_S)
            if not self._broker.up:
                continue
            if member not in self._members:
                if not member.process.alive:
                    return
                self._members.append(member)  # woken after its session: it has to begin anew
                self._rebalance()
            member.seen = _now()
            if member.generation != self._generation:
                self._give_up(member)
            self._take_over(member)

    def _give_up(self, member: Member) -> None:
        self._commit(member)
        member.generation = self._generation
        self._joined.add(id(member))
        if self.eager:
            member.revoke(list(member.position))
            member.position, member.acked = {}, {}

    def _take_over(self, member: Member) -> None:
        assigned = self._assigned(member)
        if not assigned:
            return
        lost = [place for place in member.position if place not in assigned]
        if lost:
            member.revoke(lost)
        member.acked = {place: member.acked.get(place, set()) for place in assigned}
        member.position = {place: member.position.get(place, self.committed[place]) for place in assigned}

    async def _read(self, member: Member) -> None:
        rng = self._broker.rng
        while True:
            ready = [p for p, at in member.position.items() if self._broker.up and at < self._broker.flushed[p]]
            if not ready:
                await asyncio.sleep(0.1 + rng.random() * 0.6)
                continue
            place = ready[rng.randrange(len(ready))]
            offset = member.position[place]
            member.position[place] += 1
            value = self._broker.logs[place][offset]
            if rng.random() < 0.1:
                await asyncio.sleep(0)  # fetched, not yet handed over
            await member.take(*place, offset, value, self._acknowledge(member, place, offset))

    def _acknowledge(self, member: Member, place: Place, offset: int) -> Callable[[], None]:
        def ack() -> None:
            member.acked.setdefault(place, set()).add(offset)

        return ack

    async def _commits(self, member: Member) -> None:
        while True:
            await asyncio.sleep(_COMMIT_S)
            if self._broker.up:
                self._commit(member)

    def _commit(self, member: Member) -> None:
        if member not in self._members or member.generation < self._generation - (not self._joined):
            return  # of an earlier generation; while nobody has joined the next one, the last one still counts
        for place in list(member.position):
            acked, at = member.acked.get(place, set()), self.committed[place]
            while at in acked:
                at += 1
            self.committed[place] = max(at, self.committed[place])


def _now() -> float:
    return asyncio.get_running_loop().time()
