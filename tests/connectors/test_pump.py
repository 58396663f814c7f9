import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors import pump as pump_module
from connectors.outbox import SqliteOutbox
from connectors.pump import Pump
from domain.errors import Unavailable
from domain.ports import Entry, Record

Place = tuple[str, int]
AIR: Place = ("readings.air", 1)
TRAFFIC: Place = ("readings.traffic", 3)


class Broker:
    """A publisher whose broker can be away, and whose settling can be held back."""

    def __init__(self) -> None:
        self.got: list[Record] = []
        self.away_after: int | None = None
        self.settling_fails = 0
        self.may_settle = asyncio.Event()
        self.may_settle.set()

    async def send(self, records: Sequence[Record]) -> None:
        for record in records:
            if self.away_after is not None and len(self.got) >= self.away_after:
                raise Unavailable("no broker at 127.0.0.1:1")
            self.got.append(record)

    async def settle(self) -> None:
        await self.may_settle.wait()
        if self.settling_fails:
            self.settling_fails -= 1
            raise Unavailable("not acknowledged")

    def values(self, place: Place) -> list[bytes]:
        return [record.value for record in self.got if (record.topic, record.partition) == place]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    made = SqliteOutbox(tmp_path / "outbox.sqlite", 1 << 24)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump_module, "_BACK_OFF_S", 0.01)
    monkeypatch.setattr(pump_module, "_SETTLE_PAUSE_S", 0.001)


def put(outbox: SqliteOutbox, place: Place, count: int, key: bytes = b"park") -> list[bytes]:
    first = outbox.next_seq(*place)
    entries = [Entry(*place, seq, key, b"%d" % seq) for seq in range(first, first + count)]
    outbox.append(entries)
    return [entry.value for entry in entries]


@asynccontextmanager
async def running(pump: Pump) -> AsyncIterator[None]:
    task = asyncio.create_task(pump.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_sends_in_order_and_forgets_what_is_settled(outbox: SqliteOutbox) -> None:
    broker = Broker()
    pump = Pump(outbox, broker, outbox.name, lambda: 0)
    air, traffic = put(outbox, AIR, 200), put(outbox, TRAFFIC, 3)
    async with running(pump):
        await until(lambda: outbox.depth() == 0)
        assert broker.values(AIR) == air
        assert broker.values(TRAFFIC) == traffic
        more = put(outbox, AIR, 2)
        pump.wake()
        await until(lambda: outbox.depth() == 0)
        assert broker.values(AIR) == air + more
        assert pump.sent_total == 205


async def test_keeps_everything_until_it_is_settled(outbox: SqliteOutbox) -> None:
    broker = Broker()
    broker.may_settle.clear()
    put(outbox, AIR, 5)
    pump = Pump(outbox, broker, outbox.name, lambda: 0)
    async with running(pump):
        await until(lambda: len(broker.got) == 5)
        put(outbox, AIR, 5)  # while the first settle waits: it does not cover these
        pump.wake()
        await until(lambda: len(broker.got) == 10)
        assert outbox.depth() == 10
        broker.may_settle.set()
        await until(lambda: outbox.depth() == 0)


async def test_a_settle_covers_only_what_was_sent_before_it(outbox: SqliteOutbox) -> None:
    class Counting(Broker):
        settles = 0

        async def settle(self) -> None:
            self.settles += 1
            if self.settles == 2:
                self.may_settle.clear()
            await super().settle()

    broker = Counting()
    broker.may_settle.clear()
    put(outbox, AIR, 2)
    pump = Pump(outbox, broker, outbox.name, lambda: 0)
    async with running(pump):
        await until(lambda: len(broker.got) == 2 and broker.settles == 1)
        late = put(outbox, AIR, 3)
        pump.wake()
        await until(lambda: len(broker.got) == 5)
        broker.may_settle.set()
        await until(lambda: broker.settles == 2)
        assert [entry.value for entry in outbox.read(*AIR, 0, 99)] == late


async def test_after_an_outage_it_sends_again_from_the_last_settled_in_order(outbox: SqliteOutbox) -> None:
    broker = Broker()
    sent = put(outbox, AIR, 10)
    broker.away_after = 4
    pump = Pump(outbox, broker, outbox.name, lambda: 0)
    async with running(pump):
        await until(lambda: pump.unavailable != "")
        assert outbox.depth() == 10
        broker.away_after = None
        await until(lambda: outbox.depth() == 0)
        assert broker.values(AIR) == sent[:4] + sent
        assert pump.unavailable == ""


async def test_what_was_sent_and_not_acknowledged_is_sent_again(outbox: SqliteOutbox) -> None:
    broker = Broker()
    broker.settling_fails = 2
    sent = put(outbox, AIR, 3)
    async with running(Pump(outbox, broker, outbox.name, lambda: 0)):
        await until(lambda: outbox.depth() == 0)
    assert broker.values(AIR) == sent * 3


async def test_a_restart_sends_all_that_the_outbox_holds(outbox: SqliteOutbox) -> None:
    first, second = Broker(), Broker()
    first.may_settle.clear()
    sent = put(outbox, AIR, 4)
    async with running(Pump(outbox, first, outbox.name, lambda: 0)):
        await until(lambda: len(first.got) == 4)
    async with running(Pump(outbox, second, outbox.name, lambda: 0)):
        await until(lambda: outbox.depth() == 0)
    assert first.values(AIR) == second.values(AIR) == sent


async def test_messages_carry_cloudevents_attributes(outbox: SqliteOutbox) -> None:
    broker = Broker()
    put(outbox, AIR, 1)
    put(outbox, AIR, 1, key=b"")
    async with running(Pump(outbox, broker, "gw-1", lambda: 1_772_431_200_000)):
        await until(lambda: len(broker.got) == 2)
    frame, tick = (dict(record.headers) for record in broker.got)
    assert frame == {
        "ce_specversion": b"1.0",
        "ce_id": b"gw-1/readings.air/1/1",
        "ce_type": b"borough.readings.frame.v1",
        "ce_source": b"/borough/gateway/gw-1",
        "ce_time": b"2026-03-02T06:00:00Z",
        "content-type": b"application/json",
    }
    assert (tick["ce_id"], tick["ce_type"]) == (b"gw-1/readings.air/1/2", b"borough.readings.tick.v1")
