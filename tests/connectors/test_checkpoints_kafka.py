"""The state that is furthest is loaded, whoever wrote last; damage is passed over; outages are said."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from connectors import kafka_admin
from connectors.checkpoints_kafka import KafkaCheckpoints, intact, pack, unpack
from domain.errors import Unavailable
from domain.topics import CHECKPOINTS, partition_of


def _offset(state: bytes) -> int:
    return int(state)


@pytest.fixture
async def address(kafka_address: str) -> str:
    await asyncio.to_thread(kafka_admin.provision, kafka_address)
    return kafka_address


@pytest.fixture
def key() -> str:
    return f"{uuid4().hex}-0"


async def test_a_zombie_that_writes_last_does_not_win(address: str, key: str) -> None:
    owner, zombie = (KafkaCheckpoints(address, rank=_offset) for _ in range(2))
    await zombie.save({key: b"100"})
    await owner.save({key: b"250"})
    await zombie.save({key: b"120"})
    assert await owner.load(key) == b"250"
    assert await KafkaCheckpoints(address).load(key) == b"250"  # the rank travels with the state
    await owner.save({key: b"300"})
    assert await owner.load(key) == b"300"
    await asyncio.gather(owner.stop(), zombie.stop())


async def test_a_damaged_state_is_passed_over_and_said(address: str, key: str) -> None:
    keeper = KafkaCheckpoints(address)
    await keeper.save({key: b"good"})
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    raw = bytearray(pack(b"newer"))
    raw[-1] ^= 1
    for value in (bytes(raw), b"", raw[:6], None):
        await producer.send_and_wait(CHECKPOINTS, value and bytes(value), key.encode(), partition_of(key))
    await producer.stop()
    assert await keeper.load(key) == b"good"
    assert [line.startswith(f"{key}: ") for line in keeper.damaged] == [True] * 3
    await keeper.stop()


async def test_a_state_without_rank_in_its_header_is_ranked_by_its_inside(address: str, key: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    for state in (b"7", b"9", b"8"):
        await producer.send_and_wait(CHECKPOINTS, pack(state), key.encode(), partition_of(key))
    await producer.stop()
    assert await KafkaCheckpoints(address, rank=_offset).load(key) == b"9"


async def test_the_newest_are_enough_however_many_there_are(address: str, key: str) -> None:
    keeper = KafkaCheckpoints(address, rank=_offset)
    other = next(name for k in range(99) if partition_of(name := f"{key}{k}") == partition_of(key))
    await keeper.save({other: b"7"})
    for n in range(1, 200):
        await keeper.save({key: b"%d" % n})
    await keeper.save({key: b"150"})  # of a zombie
    reader = KafkaCheckpoints(address, rank=_offset)
    assert await reader.load(key) == b"199"
    assert await reader.load(other) == b"7"  # far behind the newest
    assert await reader.load(f"{other}-never") is None
    await asyncio.gather(keeper.stop(), reader.stop())


async def test_nobody_there_is_unavailable() -> None:
    keeper = KafkaCheckpoints("127.0.0.1:1", patience_s=1.0)
    with pytest.raises(Unavailable, match=r"127.0.0.1:1 keeps no checkpoint"):
        await keeper.save({"a": b"1"})
    with pytest.raises(Unavailable, match=r"127.0.0.1:1 gives no checkpoint"):
        await keeper.load("a")
    await keeper.stop()


@pytest.mark.parametrize("state", [b"", b"x", b"\x00" * 100_000, bytes(range(256)) * 50])
def test_packing_and_damage(state: bytes) -> None:
    value = pack(state)
    assert intact(value)
    assert unpack(value) == state
    for at in range(0, len(value), max(1, len(value) // 40)):
        assert not intact(value[:at] + bytes([value[at] ^ 0x40]) + value[at + 1 :])
        assert not intact(value[:at])
