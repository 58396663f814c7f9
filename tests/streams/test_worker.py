"""Where a worker goes on: the state decides, never what the broker happens to deliver."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

import pytest

from connectors.progress import BrokerProgress
from domain.codec import decode_aggregates
from domain.ports import Record
from domain.sensors import Sensor, SensorRegister
from domain.topics import AGGREGATES, READINGS_AIR, partition_of
from streams.area_clock import Patience
from streams.setup import Setup
from streams.worker import Worker, rank_of

AREA = "park"
PLACE = partition_of(AREA)
BEGIN = 1_772_431_200_000


class Log:
    """A partition as the broker keeps it; ``start`` is where retention has come to."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = list(messages)
        self.start = 0
        self.read: list[int] = []

    async def end(self, topic: str, partition: int) -> int:
        return len(self.messages)

    async def between(self, topic: str, partition: int, begin: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
        for offset in range(max(begin, self.start), min(end, len(self.messages))):
            self.read.append(offset)
            yield offset, self.messages[offset]


class Results:
    """Keeps what was published; durable at once."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def send(self, records: Sequence[Record]) -> None:
        self.records += records

    async def settle(self) -> None:
        return None

    def counts(self) -> dict[int, int]:
        """Start of the window → readings, as a store that keeps the newest revision has it."""
        newest: dict[int, tuple[int, int]] = {}
        for record in self.records:
            if record.topic == AGGREGATES:
                batch = decode_aggregates(record.value)
                if batch.window_s == 60:
                    for start, revision, count in zip(batch.start, batch.revision, batch.count, strict=True):
                        newest[int(start)] = max(newest.get(int(start), (0, 0)), (int(revision), int(count)))
        return {start: count for start, (_, count) in newest.items()}


class Kept:
    """As the compacted topic: of several states of a key the one of the highest rank."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}

    async def save(self, states: Mapping[str, bytes]) -> None:
        for key, state in states.items():
            if key not in self.states or rank_of(state) >= rank_of(self.states[key]):
                self.states[key] = state

    async def load(self, key: str) -> bytes | None:
        return self.states.get(key)


def frames(count: int) -> list[bytes]:
    """One reading each, 20 s apart, and a tick at the end that closes every window."""
    body = {"v": 1, "gateway": "gw", "area": AREA, "series": ["air-1/air.no2"], "i": [0]}
    lines = [{**body, "seq": k, "t": [BEGIN + k * 20_000], "x": [10.0 + k]} for k in range(count)]
    end = {"v": 1, "gateway": "gw", "seq": count, "tick": BEGIN + count * 20_000 + 3_600_000}
    return [json.dumps(line).encode() for line in [*lines, end]]


Start = Callable[[Log, Kept, Results], Worker]


@pytest.fixture
def start() -> Start:
    setup = Setup(SensorRegister([Sensor("air-1", AREA, interval_s=20.0)]), Patience(1_000, 86_400_000), "seasonal")

    def started(log: Log, kept: Kept, results: Results) -> Worker:
        return Worker(setup.analyser, results, results, kept, BrokerProgress(), "kafka", log)

    return started


async def deliver(worker: Worker, log: Log, offsets: Sequence[int], acked: list[int] | None = None) -> None:
    done = [] if acked is None else acked
    for offset in offsets:
        await worker.take(READINGS_AIR, PLACE, offset, log.messages[offset], partial(done.append, offset))


async def test_what_a_rebalance_dropped_is_read_from_the_log(start: Start) -> None:
    log, kept, results = Log(frames(30)), Kept(), Results()
    worker = start(log, kept, results)
    await deliver(worker, log, range(10))
    await worker.checkpoint()
    worker.revoke([(READINGS_AIR, PLACE)])
    await deliver(worker, log, [17, 18])  # a delivery of before the rebalance, then the same from the commit on
    await deliver(worker, log, range(10, 31))
    assert log.read == list(range(10, 17))
    assert results.counts() == {BEGIN + k * 60_000: 3 for k in range(10)}


async def test_a_commit_ahead_of_the_checkpoint_loses_nothing(start: Start) -> None:
    log, kept, results = Log(frames(30)), Kept(), Results()
    first = start(log, kept, results)
    await deliver(first, log, range(6))
    await first.checkpoint()
    older = dict(kept.states)
    acked: list[int] = []
    await deliver(first, log, range(6, 20), acked)
    await first.checkpoint()
    assert acked == list(range(6, 20))
    kept.states = older  # the newest state turns out to be damaged
    await deliver(start(log, kept, results), log, range(20, 31))
    assert log.read == list(range(6, 20))
    assert results.counts() == {BEGIN + k * 60_000: 3 for k in range(10)}


async def test_without_any_checkpoint_the_state_is_rebuilt_from_what_is_left(start: Start) -> None:
    log, kept, results = Log(frames(30)), Kept(), Results()
    log.start = 3
    await deliver(start(log, kept, results), log, [30])
    assert results.counts() == {BEGIN + k * 60_000: 3 for k in range(1, 10)}


async def test_a_log_that_is_shorter_than_the_checkpoint_is_read_from_its_beginning(start: Start) -> None:
    log, kept, results = Log(frames(30)), Kept(), Results()
    worker = start(log, kept, results)
    await deliver(worker, log, range(20))
    await worker.checkpoint()
    shorter = Log(frames(30)[12:19])  # the disk lost the rest, or the topic was made anew
    shorter.messages += frames(30)[20:]
    await deliver(start(shorter, kept, results), shorter, range(18))
    assert results.counts() == {BEGIN + k * 60_000: 3 for k in range(10)}


async def test_a_zombie_repeats_what_was_said_and_its_state_does_not_win(start: Start) -> None:
    log, kept = Log(frames(30)), Kept()
    zombie_says, owner_says = Results(), Results()
    zombie, owner = start(log, kept, zombie_says), start(log, kept, owner_says)
    await deliver(zombie, log, range(5))
    await zombie.checkpoint()
    before = len(zombie_says.records)
    await deliver(zombie, log, range(5, 12))  # then it is paused, and another goes on from the checkpoint
    await deliver(owner, log, range(5, 31))
    await owner.checkpoint()
    rank = rank_of(next(iter(kept.states.values())))
    await deliver(zombie, log, range(12, 20))
    await zombie.checkpoint()
    assert rank_of(next(iter(kept.states.values()))) == rank
    said = {(r.topic, r.partition, r.key, r.value) for r in owner_says.records}
    twice = [r for r in zombie_says.records[before:] if r.topic == AGGREGATES]
    assert twice
    assert all((r.topic, r.partition, r.key, r.value) in said for r in twice)
    owner_says.records = zombie_says.records + owner_says.records + zombie_says.records[before:]
    assert owner_says.counts() == {BEGIN + k * 60_000: 3 for k in range(10)}
