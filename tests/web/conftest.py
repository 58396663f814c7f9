from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from domain.readings import Readings
from tests.web.fakes import MINUTE, NOON, FakeWorld, make_world
from web.app import create_app


@pytest.fixture
def world() -> FakeWorld:
    """Two days of minute means of one series, to noon; another has only a latest value."""
    world = make_world()
    start = np.arange(NOON - 2 * 1440 * MINUTE, NOON, MINUTE)
    mean = np.arange(len(start), dtype=np.float64) / 7
    mean[-3] = np.nan
    world.store.fill("loop-001/traffic.flow", "ring-north", 60, start, mean)
    world.latest.update(Readings.of([("air-01/air.no2", NOON, 41.5), ("loop-001/traffic.flow", NOON, 612.0)]))
    return world


@pytest.fixture
async def client(world: FakeWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
