"""Going back in a topic: the stretch that is asked for, whatever is missing of it."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from connectors import kafka_admin
from connectors.kafka_past import KafkaPast
from domain.errors import Unavailable
from domain.topics import READINGS_AIR


@pytest.fixture
async def address(kafka_address: str) -> str:
    await asyncio.to_thread(kafka_admin.provision, kafka_address)
    return kafka_address


async def write(address: str, count: int, **options: object) -> tuple[int, list[bytes]]:
    """``count`` messages to partition 3; the offset of the first, and what they are."""
    producer = AIOKafkaProducer(bootstrap_servers=address, **options)
    await producer.start()
    values = [f"{uuid4().hex}-{k}".encode() for k in range(count)]
    if "transactional_id" in options:
        async with producer.transaction():
            found = [await producer.send_and_wait(READINGS_AIR, value, partition=3) for value in values]
    else:
        found = [await producer.send_and_wait(READINGS_AIR, value, partition=3) for value in values]
    await producer.stop()
    return int(found[0].offset), values


async def test_a_stretch_is_read_whole_and_no_further(address: str) -> None:
    first, values = await write(address, 20)
    past = KafkaPast(address)
    assert await past.end(READINGS_AIR, 3) == first + 20
    for begin, end in ((first, first + 20), (first + 5, first + 6), (first + 7, first + 7), (first + 18, first + 99)):
        found = [entry async for entry in past.between(READINGS_AIR, 3, begin, end)]
        assert found == [(first + k, value) for k, value in enumerate(values) if begin <= first + k < end]
    await past.stop()


async def test_markers_of_transactions_are_passed_over(address: str) -> None:
    first, values = await write(address, 2, transactional_id=uuid4().hex)
    past = KafkaPast(address)
    end = await past.end(READINGS_AIR, 3)
    assert end == first + 3  # the marker
    assert [value async for _, value in past.between(READINGS_AIR, 3, first, end)] == values
    assert [value async for _, value in past.between(READINGS_AIR, 3, first + 2, end)] == []
    await past.stop()


async def test_nobody_there_is_unavailable() -> None:
    past = KafkaPast("127.0.0.1:1", patience_s=1.0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        await past.end(READINGS_AIR, 0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        _ = [entry async for entry in past.between(READINGS_AIR, 0, 0, 1)]
    await past.stop()
