"""What the store refuses for good stands in quarantine, with the reason; the rest is stored and acknowledged."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.duckdb_store import DuckDbStore
from connectors.progress import BrokerProgress
from domain import topics
from domain.codec import encode
from domain.errors import Rejection, Unavailable
from domain.messages import Health
from domain.ports import Result
from domain.times import DAY_MS
from streams.takers import StoreTaker

DAY = 1_772_409_600_000


class Picky(DuckDbStore):
    """A store that has no room for one asset, and is away at first."""

    away = 2

    def write(self, results: list[Result]) -> list[Rejection]:  # type: ignore[override]
        if self.away:
            self.away -= 1
            raise Unavailable("not yet")
        bad = [k for k, result in enumerate(results) if isinstance(result, Health) and result.asset == "pump-2"]
        super().write([result for k, result in enumerate(results) if k not in bad])
        return [Rejection(k, "line", "health,asset=pump-2 …", "partial write: field type conflict") for k in bad]


@pytest.mark.filterwarnings("ignore")
async def test_refused_results_are_put_aside_and_the_rest_is_stored(tmp_path: Path) -> None:
    store = Picky(tmp_path / "history.duckdb")
    taker = StoreTaker(store, BrokerProgress())
    acked: list[int] = []
    for offset, asset in enumerate(["pump-1", "pump-2", "pump-3"]):
        message = encode(Health(asset, "works", DAY + offset, {"gap_rate": 0.5}))
        await taker.take(topics.HEALTH, 0, offset, message, lambda n=offset: acked.append(n))  # type: ignore[misc]
    running = asyncio.create_task(taker.run())
    async with asyncio.timeout(30):
        while len(acked) < 3:
            await asyncio.sleep(0.05)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert acked == [0, 1, 2]
    assert {one.asset for one in store.health(None, 10)} == {"pump-1", "pump-3"}
    (aside,) = store.quarantined(DAY - DAY_MS, DAY + DAY_MS, 10)
    assert (aside.topic, aside.series, aside.field) == (topics.HEALTH, "pump-2", "line")
    assert aside.reason == "the store refused this result: partial write: field type conflict"
    assert (taker.written, taker.refused) == (2, 1)
    store.close()
