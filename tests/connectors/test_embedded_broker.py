"""The embedded broker loses nothing as long as the publisher's window holds."""

import asyncio
import hashlib
import resource
import socket

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connectors.embedded_broker import EmbeddedBroker, EmbeddedPublisher
from connectors.kafka_tail import tail
from connectors.progress import TakenLedger
from domain.errors import Unavailable
from domain.ports import Record
from domain.topics import READINGS_AIR, READINGS_TRAFFIC, TOPICS

TOPIC = READINGS_TRAFFIC
MEGABYTE = 1_000_000


@pytest.fixture
async def broker():
    broker = EmbeddedBroker()
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
def ledger() -> TakenLedger:
    return TakenLedger({TOPIC: frozenset({"analyse"})})


async def test_it_listens_on_loopback_only_and_goes_away(capfd: pytest.CaptureFixture[str]) -> None:
    broker = EmbeddedBroker()
    await broker.start()
    first, address = broker.instance, broker.address
    host, port = address.split(":")
    assert host == "127.0.0.1"
    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    await consumer.start()
    assert await consumer.topics() >= set(TOPICS)
    await consumer.stop()
    await broker.stop()
    await broker.stop()
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0
    await broker.start()
    assert broker.instance != first
    await broker.stop()
    assert capfd.readouterr().err == ""


async def test_without_a_window_the_oldest_5_megabytes_are_all_that_is_kept(broker: EmbeddedBroker) -> None:
    """Why the window is there; when this fails, the window may grow."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, max_request_size=4 * MEGABYTE)
    await producer.start()
    for n in range(20):
        await producer.send_and_wait(TOPIC, b"%02d" % n + b"x" * MEGABYTE, b"", 0)
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address)
    await consumer.start()
    place = TopicPartition(TOPIC, 0)
    begin, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
    await consumer.stop()
    assert end == 20
    assert 4 <= end - begin <= 5


async def test_200_megabytes_through_one_partition_with_a_slow_consumer(
    broker: EmbeddedBroker, ledger: TakenLedger
) -> None:
    count, size = 10_000, 20_000
    publisher = EmbeddedPublisher(broker.address, ledger)
    sent, got = hashlib.sha256(), hashlib.sha256()

    async def consume() -> int:
        seen, next_offset, taken = 0, 0, 0
        stream = tail(broker.address, [TOPIC], start="beginning", batch_max=40)
        async for batch in stream:
            for message in batch:
                assert message.offset == next_offset, f"lost {next_offset} to {message.offset}"
                next_offset = message.offset + 1
                got.update(message.value)
                seen += 1
            await asyncio.sleep(0.005)  # slower than the publisher
            if next_offset - taken >= 60 or seen == count:  # in leaps, as checkpoints do
                ledger.taken("analyse", TOPIC, 0, next_offset)
                taken = next_offset
            if seen == count:
                break
        await stream.aclose()
        return seen

    consuming = asyncio.create_task(consume())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(count):
        value = n.to_bytes(8, "big") + bytes([n % 251]) * (size - 8)
        sent.update(value)
        await publisher.send([Record(TOPIC, 0, b"ring-north", value)])
    await publisher.settle()
    assert await consuming == count
    assert got.digest() == sent.digest()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    assert grown_mb < 60, f"{grown_mb:.0f} MB more for 200 MB sent: the broker's memory is not bounded"
    await publisher.stop()


async def test_a_full_partition_does_not_hold_up_the_others(broker: EmbeddedBroker, ledger: TakenLedger) -> None:
    publisher = EmbeddedPublisher(broker.address, ledger, bytes_in_flight_max=100_000)
    stuck = asyncio.create_task(publisher.send([Record(TOPIC, 0, b"a", b"x" * 60_000)] * 3))
    async with asyncio.timeout(10):
        await publisher.send([Record(TOPIC, 1, b"b", b"x" * 60_000)])
        await publisher.send([Record(READINGS_AIR, 0, b"b", b"x" * 60_000)] * 10)  # nobody has to take these
    assert not stuck.done()
    async with asyncio.timeout(10):
        while not stuck.done():
            await asyncio.sleep(0.01)
            ledger.taken("analyse", TOPIC, 0, ledger.taken_up_to(TOPIC, 0) + 1)
        await stuck
    await publisher.stop()


async def test_settle_waits_until_everybody_has_taken(broker: EmbeddedBroker) -> None:
    ledger = TakenLedger({TOPIC: frozenset({"store", "desk"})})
    publisher = EmbeddedPublisher(broker.address, ledger)
    await publisher.send([Record(TOPIC, 2, b"a", b"%d" % n) for n in range(10)])
    settling = asyncio.create_task(publisher.settle())
    ledger.taken("store", TOPIC, 2, 10)
    ledger.taken("desk", TOPIC, 2, 9)
    await asyncio.sleep(0.3)
    assert not settling.done()
    assert ledger.behind({(TOPIC, 2): 10}) == {"desk": [f"{TOPIC}-2"]}
    ledger.taken("desk", TOPIC, 2, 10)
    async with asyncio.timeout(5):
        await settling
    await publisher.stop()


async def test_a_waiting_publisher_presses_the_consumer(broker: EmbeddedBroker, ledger: TakenLedger) -> None:
    publisher = EmbeddedPublisher(broker.address, ledger, bytes_in_flight_max=100_000)
    pressed = asyncio.create_task(ledger.pressed("analyse"))
    await publisher.send([Record(TOPIC, 0, b"a", b"x" * 40_000)])
    await asyncio.sleep(0.05)
    assert not pressed.done()
    sending = asyncio.create_task(publisher.send([Record(TOPIC, 0, b"a", b"x" * 40_000)] * 2))
    async with asyncio.timeout(5):
        await pressed
    ledger.taken("analyse", TOPIC, 0, 1)
    async with asyncio.timeout(5):
        await sending
    await publisher.stop()


async def test_a_cancelled_wait_frees_the_place_in_the_queue(broker: EmbeddedBroker, ledger: TakenLedger) -> None:
    publisher = EmbeddedPublisher(broker.address, ledger, bytes_in_flight_max=100_000)
    await publisher.send([Record(TOPIC, 0, b"a", b"x" * 90_000)])
    waiting = asyncio.create_task(publisher.send([Record(TOPIC, 0, b"a", b"never")] * 5 + [_big()]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ledger.taken("analyse", TOPIC, 0, 6)
    async with asyncio.timeout(5):
        await publisher.send([_big()])
    await publisher.stop()


def _big() -> Record:
    return Record(TOPIC, 0, b"a", b"x" * 90_000)


async def test_a_broker_that_is_gone_is_unavailable(ledger: TakenLedger) -> None:
    broker = EmbeddedBroker()
    await broker.start()
    publisher = EmbeddedPublisher(broker.address, ledger, patience_s=1.0)
    await publisher.send([Record(TOPIC, 0, b"a", b"1")])
    await publisher._kafka.settle()
    await broker.stop()
    await publisher.send([Record(TOPIC, 0, b"a", b"2")])
    for _ in range(2):  # it stays under way, and may be waited for again
        with pytest.raises(Unavailable, match="1 messages not acknowledged"):
            await publisher.settle()
    async with asyncio.timeout(10):
        await publisher.stop()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await EmbeddedPublisher("127.0.0.1:1", ledger, patience_s=1.0).send([Record(TOPIC, 0, b"a", b"1")])
