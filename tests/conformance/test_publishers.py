"""What every publisher does, on the embedded broker and on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pytest

from connectors import kafka_admin
from connectors.embedded_broker import EmbeddedBroker, EmbeddedPublisher
from connectors.kafka_publisher import MESSAGE_BYTES_MAX, KafkaPublisher
from connectors.kafka_tail import Tailed, tail
from connectors.progress import TakenLedger
from domain.errors import Rejected
from domain.ports import Record
from domain.topics import PARTITIONS, READINGS_AIR, READINGS_TRAFFIC

TOPIC = READINGS_TRAFFIC


class StoppablePublisher(Protocol):
    async def send(self, records: Sequence[Record]) -> None: ...
    async def settle(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass
class Place:
    """A publisher, and how to read what it wrote."""

    address: str
    publisher: StoppablePublisher
    ledger: TakenLedger | None

    async def read(self, count: int, topic: str = TOPIC) -> list[Tailed]:
        """The first ``count`` messages behind ``self.begin``; taken, where that matters."""
        found: list[Tailed] = []
        stream = tail(self.address, [topic], start="beginning")
        async with asyncio.timeout(30):
            async for batch in stream:
                found += [message for message in batch if message.offset >= self.begin[topic, message.partition]]
                for message in batch:
                    if self.ledger is not None:
                        self.ledger.taken("analyse", topic, message.partition, message.offset + 1)
                if len(found) >= count:
                    break
        await stream.aclose()
        return found

    def __post_init__(self) -> None:
        self.begin: dict[tuple[str, int], int] = {}


@pytest.fixture(params=["embedded", "kafka"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    broker = EmbeddedBroker()
    if request.param == "embedded":
        await broker.start()
        ledger = TakenLedger({TOPIC: frozenset({"analyse"})})
        made = Place(broker.address, EmbeddedPublisher(broker.address, ledger), ledger)
    else:
        address = request.getfixturevalue("kafka_address")
        await asyncio.to_thread(kafka_admin.provision, address)
        made = Place(address, KafkaPublisher(address), None)
    made.begin = await _ends(made.address)
    yield made
    await made.publisher.stop()
    await broker.stop()


async def _ends(address: str) -> dict[tuple[str, int], int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    await consumer.start()
    places = [TopicPartition(topic, n) for topic in (TOPIC, READINGS_AIR) for n in range(PARTITIONS)]
    ends = await consumer.end_offsets(places)
    await consumer.stop()
    return {(found.topic, found.partition): offset for found, offset in ends.items()}


def _records(count: int, size: int = 100) -> list[Record]:
    return [Record(TOPIC, n % PARTITIONS, b"area-%d" % (n % 7), b"%d " % n + b"x" * size) for n in range(count)]


async def test_order_within_a_partition_is_kept(place: Place) -> None:
    records = _records(2_000)
    reading = asyncio.create_task(place.read(len(records)))
    for at in range(0, len(records), 37):
        await place.publisher.send(records[at : at + 37])
    await place.publisher.settle()
    found = await reading
    for partition in range(PARTITIONS):
        assert [(m.key, m.value) for m in found if m.partition == partition] == [
            (r.key, r.value) for r in records if r.partition == partition
        ]


async def test_key_headers_and_partition_arrive_as_given(place: Place) -> None:
    headers = (("ce_id", b"gw-1:4711"), ("ce_type", b"frame"), ("ce_id", b"twice"))
    await place.publisher.send([Record(TOPIC, 3, b"ring-north", b"\x00\xff", headers), Record(TOPIC, 0, b"", b"{}")])
    found = sorted(await place.read(2), key=lambda message: -message.partition)
    assert [(m.partition, m.key, m.value, m.headers) for m in found] == [
        (3, b"ring-north", b"\x00\xff", headers),
        (0, b"", b"{}", ()),
    ]


async def test_what_is_settled_is_there_for_others(place: Place) -> None:
    """A topic that nobody has to take: the broker's acknowledgement is all there is."""
    records = [Record(READINGS_AIR, n % PARTITIONS, b"a", b"%d" % n) for n in range(50)]
    await place.publisher.send(records)
    await place.publisher.settle()
    ends = await _ends(place.address)
    written = sum(ends[READINGS_AIR, n] - place.begin[READINGS_AIR, n] for n in range(PARTITIONS))
    assert written == len(records)


async def test_settling_nothing_returns(place: Place) -> None:
    async with asyncio.timeout(5):
        await place.publisher.settle()


async def test_a_message_beyond_the_limit_is_rejected_and_the_next_one_passes(place: Place) -> None:
    with pytest.raises(Rejected, match="longer than"):
        await place.publisher.send([Record(TOPIC, 1, b"a", b"x" * (MESSAGE_BYTES_MAX + 1))])
    await place.publisher.send([Record(TOPIC, 1, b"a", b"good")])
    assert [m.value for m in await place.read(1)] == [b"good"]


async def test_a_message_larger_than_the_window_passes_on_its_own(place: Place) -> None:
    big = b"y" * (MESSAGE_BYTES_MAX - 10_000)
    reading = asyncio.create_task(place.read(3))
    await place.publisher.send([Record(TOPIC, 2, b"a", value) for value in (b"before", big, b"after")])
    await place.publisher.settle()
    assert [m.value for m in await reading] == [b"before", big, b"after"]


async def test_a_cancelled_send_leaves_the_publisher_usable(place: Place) -> None:
    records = _records(20_000, size=2_000)
    sending = asyncio.create_task(place.publisher.send(records))
    await asyncio.sleep(0.02)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    reading = asyncio.create_task(_last_value(place, b"the end"))
    await place.publisher.send([Record(TOPIC, 0, b"a", b"the end")])
    async with asyncio.timeout(30):
        await place.publisher.settle()
        await reading


async def _last_value(place: Place, value: bytes) -> None:
    stream = tail(place.address, [TOPIC], start="beginning")
    async for batch in stream:
        for message in batch:
            if place.ledger is not None:
                place.ledger.taken("analyse", TOPIC, message.partition, message.offset + 1)
        if any(message.value == value for message in batch):
            break
    await stream.aclose()


async def test_several_tasks_may_share_a_publisher(place: Place) -> None:
    async def one(partition: int) -> None:
        for n in range(100):
            await place.publisher.send([Record(TOPIC, partition, b"a", b"%d" % n)])
        await place.publisher.settle()

    reading = asyncio.create_task(place.read(100 * PARTITIONS))
    async with asyncio.timeout(30):
        await asyncio.gather(*(one(partition) for partition in range(PARTITIONS)))
    found = await reading
    for partition in range(PARTITIONS):
        assert [int(m.value) for m in found if m.partition == partition] == list(range(100))
