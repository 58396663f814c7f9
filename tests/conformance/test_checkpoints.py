"""What every keeper of checkpoints does, in a folder and on a real Kafka."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from connectors import kafka_admin
from connectors.checkpoints_file import FileCheckpoints
from connectors.checkpoints_kafka import KafkaCheckpoints


class StoppableCheckpoints(Protocol):
    damaged: list[str]

    async def save(self, states: Mapping[str, bytes]) -> None: ...
    async def load(self, key: str) -> bytes | None: ...
    async def stop(self) -> None: ...


Make = Callable[[], StoppableCheckpoints]


@pytest.fixture(params=["file", "kafka"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes one more keeper of the same checkpoints, as a program started anew would."""
    made: list[StoppableCheckpoints] = []
    address = ""
    if request.param == "kafka":
        address = request.getfixturevalue("kafka_address")
        await asyncio.to_thread(kafka_admin.provision, address)

    def one_more() -> StoppableCheckpoints:
        made.append(FileCheckpoints(tmp_path) if request.param == "file" else KafkaCheckpoints(address))
        return made[-1]

    yield one_more
    for keeper in made:
        await keeper.stop()


@pytest.fixture
def key() -> str:
    """A key that no other test uses: Kafka outlives the test."""
    return f"{uuid4().hex}-0"


async def test_what_was_never_saved_is_none(make: Make, key: str) -> None:
    assert await make().load(key) is None


async def test_a_state_comes_back_byte_by_byte_to_another_keeper(make: Make, key: str) -> None:
    states = {key: bytes(range(256)), f"{key}1": b"", f"{key}2": b"\x00" * 10}
    await make().save(states)
    other = make()
    assert {name: await other.load(name) for name in states} == states
    assert other.damaged == []


async def test_the_newest_wins_and_others_stay(make: Make, key: str) -> None:
    keeper = make()
    other = f"{key}-other"
    await keeper.save({key: b"1", other: b"stays"})
    for n in range(2, 12):
        await keeper.save({key: b"%d" % n})
    for reader in (keeper, make()):
        assert await reader.load(key) == b"11"
        assert await reader.load(other) == b"stays"


async def test_saving_nothing_is_harmless(make: Make, key: str) -> None:
    keeper = make()
    await keeper.save({key: b"1"})
    await keeper.save({})
    assert await make().load(key) == b"1"


async def test_20_megabytes_that_do_not_compress(make: Make, key: str) -> None:
    state = random.Random(7).randbytes(20_000_000)
    await make().save({key: state, f"{key}-small": b"small"})
    reader = make()
    assert await reader.load(key) == state
    assert await reader.load(f"{key}-small") == b"small"


async def test_a_cancelled_save_leaves_the_old_or_the_new_state(make: Make, key: str) -> None:
    keeper = make()
    old, new = b"old" * 1_000_000, b"new" * 1_000_000
    await keeper.save({key: old})
    saving = asyncio.create_task(keeper.save({key: new}))
    await asyncio.sleep(0)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert await keeper.load(key) in (old, new)
    await keeper.save({key: b"next"})
    assert await make().load(key) == b"next"
