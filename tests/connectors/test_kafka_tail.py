"""Following a topic from where one says, on the embedded broker; the publishers' suite reads with it on Kafka."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.embedded_broker import EmbeddedBroker
from connectors.kafka_publisher import KafkaPublisher
from connectors.kafka_tail import Tailed, tail
from domain.errors import Unavailable
from domain.ports import Record
from domain.topics import ALERTS, HEALTH


@pytest.fixture
async def address() -> AsyncIterator[str]:
    broker = EmbeddedBroker()
    await broker.start()
    yield broker.address
    await broker.stop()


@pytest.fixture
async def publisher(address: str) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(address)
    yield publisher
    await publisher.stop()


async def _write(publisher: KafkaPublisher, *values: bytes) -> None:
    await publisher.send([Record(ALERTS, 2, b"key", value, (("ce_id", b"1"),)) for value in values])
    await publisher.settle()


async def _next(stream: AsyncIterator[list[Tailed]], count: int) -> list[Tailed]:
    found: list[Tailed] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += await anext(stream)
    return found


async def test_from_the_beginning_come_old_and_new(address: str, publisher: KafkaPublisher) -> None:
    await _write(publisher, b"1", b"2")
    stream = tail(address, [ALERTS, HEALTH], start="beginning")
    assert await _next(stream, 2) == [
        Tailed(ALERTS, 2, offset, b"key", value, (("ce_id", b"1"),)) for offset, value in enumerate((b"1", b"2"))
    ]
    await _write(publisher, b"3")
    assert [message.offset for message in await _next(stream, 1)] == [2]
    await stream.aclose()


async def test_from_the_end_come_only_those_after_the_first_batch(address: str, publisher: KafkaPublisher) -> None:
    await _write(publisher, b"1", b"2")
    stream = tail(address, [ALERTS], start="end")
    assert await anext(stream) == []
    await _write(publisher, b"3")
    assert [message.value for message in await _next(stream, 1)] == [b"3"]
    await stream.aclose()


async def test_a_cancelled_reader_lets_go(address: str) -> None:
    async def follow() -> None:
        async for _ in tail(address, [ALERTS], start="end"):
            pass

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await following


async def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"127.0.0.1:1 cannot be followed"):
        await anext(tail("127.0.0.1:1", [ALERTS], start="end"))
