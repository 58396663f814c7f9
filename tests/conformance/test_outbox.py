"""Every outbox keeps the promises of domain.ports.Outbox."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from connectors.outbox import SqliteOutbox
from domain.errors import Full
from domain.ports import Entry, Outbox

LIMIT = 100_000


class MemoryOutbox:
    """The promises in their plainest form, without durability."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._next: dict[tuple[str, int], int] = {}
        self._entries: list[Entry] = []

    def next_seq(self, topic: str, partition: int) -> int:
        return self._next.get((topic, partition), 1)

    def append(self, entries: Sequence[Entry]) -> None:
        size = sum(len(entry.key) + len(entry.value) for entry in (*self._entries, *entries))
        if size > self._bytes_max:
            raise Full("memory")
        for entry in entries:
            self._next[entry.topic, entry.partition] = entry.seq + 1
        self._entries += entries

    def read(self, topic: str, partition: int, after_seq: int, limit: int) -> list[Entry]:
        lane = [e for e in self._entries if (e.topic, e.partition) == (topic, partition) and e.seq > after_seq]
        return sorted(lane, key=lambda entry: entry.seq)[:limit]

    def forget(self, topic: str, partition: int, up_to_seq: int) -> None:
        self._entries = [e for e in self._entries if (e.topic, e.partition) != (topic, partition) or e.seq > up_to_seq]

    def depth(self) -> int:
        return len(self._entries)


@pytest.fixture(params=["sqlite", "memory"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    if request.param == "memory":
        yield MemoryOutbox(LIMIT)
        return
    sqlite = SqliteOutbox(tmp_path / "outbox.sqlite", LIMIT)
    yield sqlite
    sqlite.close()


def put(outbox: Outbox, topic: str, partition: int, count: int, size: int = 10) -> list[Entry]:
    first = outbox.next_seq(topic, partition)
    entries = [Entry(topic, partition, seq, b"area", b"%d" % seq * size) for seq in range(first, first + count)]
    outbox.append(entries)
    return entries


def test_gives_back_what_was_put_in_in_order(outbox: Outbox) -> None:
    entries = put(outbox, "readings.air", 2, 5)
    assert outbox.read("readings.air", 2, -1, 100) == entries
    assert outbox.read("readings.air", 2, entries[1].seq, 2) == entries[2:4]
    assert outbox.read("readings.air", 2, entries[-1].seq, 100) == []
    assert outbox.depth() == 5


def test_topics_and_partitions_do_not_mix(outbox: Outbox) -> None:
    a = put(outbox, "readings.air", 0, 2)
    b = put(outbox, "readings.air", 1, 3)
    c = put(outbox, "readings.energy", 0, 1)
    assert outbox.read("readings.air", 0, -1, 10) == a
    assert outbox.read("readings.air", 1, -1, 10) == b
    assert outbox.read("readings.energy", 0, -1, 10) == c
    assert outbox.read("readings.energy", 3, -1, 10) == []
    outbox.forget("readings.air", 1, b[-1].seq)
    assert outbox.read("readings.air", 0, -1, 10) == a
    assert outbox.depth() == 3


def test_seq_rises_by_one_and_does_not_fall_when_all_is_forgotten(outbox: Outbox) -> None:
    entries = put(outbox, "readings.air", 0, 4)
    following = outbox.next_seq("readings.air", 0)
    assert following == entries[-1].seq + 1
    outbox.forget("readings.air", 0, entries[-1].seq)
    assert outbox.next_seq("readings.air", 0) == following
    assert outbox.depth() == 0


def test_forgets_up_to_and_including(outbox: Outbox) -> None:
    entries = put(outbox, "readings.air", 0, 4)
    outbox.forget("readings.air", 0, entries[1].seq)
    outbox.forget("readings.air", 0, entries[1].seq)
    outbox.forget("readings.air", 3, 1_000)
    assert outbox.read("readings.air", 0, -1, 10) == entries[2:]


def fill(outbox: Outbox) -> int:
    for taken in range(1_000):
        try:
            put(outbox, "readings.air", 0, 1, 1_000)
        except Full:
            return taken
    raise AssertionError("it was never full")


@pytest.mark.parametrize("also", [lambda outbox: None, lambda outbox: put(outbox, "readings.energy", 1, 1)])
def test_full_takes_nothing_and_has_room_again(outbox: Outbox, also: Callable[[Outbox], object]) -> None:
    also(outbox)
    taken = fill(outbox)
    assert taken > 10
    depth, following = outbox.depth(), outbox.next_seq("readings.air", 0)
    with pytest.raises(Full):
        put(outbox, "readings.air", 0, 50, 1_000)
    assert (outbox.depth(), outbox.next_seq("readings.air", 0)) == (depth, following)
    outbox.forget("readings.air", 0, following)
    assert put(outbox, "readings.air", 0, 1, 1_000)[0].seq == following
