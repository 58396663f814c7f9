"""A real Kafka that dies, stalls and comes back: nothing that was sent is lost, order is kept."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber

from connectors import kafka_admin
from connectors.kafka_publisher import KafkaPublisher
from connectors.kafka_tail import tail
from domain.errors import Misconfigured, Unavailable
from domain.ports import Record
from domain.topics import ALERT_ACTIONS, READINGS_AIR, READINGS_ENERGY, READINGS_TRAFFIC
from tests.native import tools
from tests.native.kafka import NativeKafka


@pytest.fixture(scope="module")
def kafka() -> Iterator[NativeKafka]:
    """A broker of their own: these tests kill it. Each test has a topic for itself."""
    try:
        kafka = NativeKafka()
    except tools.Missing as error:
        pytest.skip(f"needs Kafka: {error}")
    with kafka:
        kafka_admin.provision(kafka.address)
        yield kafka


def _records(topic: str, begin: int, end: int) -> list[Record]:
    return [Record(topic, n % 2, b"area", b"%d" % n) for n in range(begin, end)]


async def _values(address: str, topic: str, until: int) -> dict[int, list[int]]:
    """Partition → numbers in the order of the log, up to where ``until`` was seen."""
    found: dict[int, list[int]] = {0: [], 1: []}
    stream = tail(address, [topic], start="beginning")
    async with asyncio.timeout(60):
        async for batch in stream:
            for message in batch:
                found[message.partition].append(int(message.value))
            if any(until in numbers for numbers in found.values()) and not batch:
                break
    await stream.aclose()
    return found


async def test_a_broker_that_is_killed_and_comes_back(kafka: NativeKafka) -> None:
    publisher = KafkaPublisher(kafka.address, patience_s=4.0)
    await publisher.send(_records(READINGS_ENERGY, 0, 1_000))
    await publisher.settle()
    await asyncio.to_thread(kafka.kill)
    await publisher.send(_records(READINGS_ENERGY, 1_000, 1_100))
    with pytest.raises(Unavailable, match="100 messages not acknowledged"):
        await publisher.settle()
    await asyncio.to_thread(kafka.start)
    async with asyncio.timeout(60):
        while True:
            try:
                await publisher.settle()
                break
            except Unavailable:
                continue
    await publisher.send(_records(READINGS_ENERGY, 1_100, 1_200))
    await publisher.settle()
    await publisher.stop()
    found = await _values(kafka.address, READINGS_ENERGY, 1_199)
    assert found == {p: list(range(p, 1_200, 2)) for p in (0, 1)}  # idempotent: once each, although repeated


async def test_a_batch_that_is_given_up_goes_out_again_in_order(kafka: NativeKafka) -> None:
    publisher = KafkaPublisher(kafka.address, patience_s=10.0)
    await publisher.send(_records(READINGS_AIR, 0, 100))
    await publisher.settle()
    with kafka.paused():  # so that all of it is under way
        await publisher.send(_records(READINGS_AIR, 100, 200))
        publisher._producer._message_accumulator.fail_all(OutOfOrderSequenceNumber())
    async with asyncio.timeout(60):
        await publisher.settle()
    await publisher.stop()
    found = await _values(kafka.address, READINGS_AIR, 199)
    for partition, numbers in found.items():
        once = list(dict.fromkeys(numbers))
        assert once == list(range(partition, 200, 2))


async def test_memory_is_bounded_while_the_broker_stalls(kafka: NativeKafka) -> None:
    publisher = KafkaPublisher(kafka.address, patience_s=5.0, bytes_in_flight_max=50_000)
    await publisher.send(_records(READINGS_TRAFFIC, 0, 2))
    await publisher.settle()
    taken = 2

    async def fill() -> None:
        nonlocal taken
        while True:
            await publisher.send([Record(READINGS_TRAFFIC, 0, b"area", b"%d" % taken + b" " * 1_000)])
            taken += 1

    with kafka.paused():
        with pytest.raises(Unavailable):
            await fill()
        assert 2 + 30 < taken < 2 + 50
    async with asyncio.timeout(60):
        while True:
            try:
                await publisher.settle()
                break
            except Unavailable:
                continue
    await publisher.stop()
    found = await _values(kafka.address, READINGS_TRAFFIC, taken - 1)
    assert sorted(found[0] + found[1]) == list(range(taken))


async def test_a_partition_that_does_not_exist_is_misconfigured(kafka: NativeKafka) -> None:
    publisher = KafkaPublisher(kafka.address)
    with pytest.raises(Misconfigured, match="no partition 9"):
        await publisher.send([Record(ALERT_ACTIONS, 9, b"area", b"1")])
    await publisher.send([Record(ALERT_ACTIONS, 1, b"area", b"1")])
    await publisher.settle()
    await publisher.stop()


async def test_nobody_there_is_unavailable() -> None:
    publisher = KafkaPublisher("127.0.0.1:1", patience_s=1.0)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"127.0.0.1:1 cannot be reached"):
            await publisher.send([Record(ALERT_ACTIONS, 0, b"area", b"1")])
    await publisher.settle()
    await publisher.stop()
