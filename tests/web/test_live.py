"""The live feed: replay, order, coalescing, slow clients; and as bytes over HTTP."""

import asyncio
import json
from contextlib import aclosing, suppress

import msgspec
import pytest
import uvicorn

from domain.messages import Alert
from domain.readings import Readings
from tests.web.fakes import NOON, FakeWorld, make_world
from tests.web.town import CASES, make_alert, sensors
from web.app import create_app
from web.live import LiveEvent, LiveFeed


def an_alert(number: int, revision: int = 1) -> Alert:
    alert = make_alert(sensors()[14], CASES[0], NOON, number)
    return msgspec.structs.replace(alert, revision=revision)


async def take(world: FakeWorld, last_id: int | None, count: int, kinds: tuple[str, ...]) -> list[LiveEvent]:
    found: list[LiveEvent] = []
    async with aclosing(world.live.subscribe(last_id)) as events:
        async for event in events:
            if event.kind in kinds:
                found.append(event)
            if len(found) == count:
                break
    return found


async def test_replay_gives_what_came_after_the_id_then_what_comes() -> None:
    world = make_world()
    world.alerts.put([an_alert(n) for n in range(5)])
    reading = asyncio.create_task(take(world, 2, 4, ("alert",)))
    while not world.live.clients:
        await asyncio.sleep(0)
    world.live.publish(world.alerts.put([an_alert(9)]))
    events = await reading
    assert [event.id for event in events] == [3, 4, 5, 6]
    assert [json.loads(event.data)["id"] for event in events][-1] == "alert-0009"


async def test_without_an_id_nothing_is_replayed() -> None:
    world = make_world()
    world.alerts.put([an_alert(1)])
    reading = asyncio.create_task(take(world, None, 1, ("alert",)))
    while not world.live.clients:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    world.live.publish(world.alerts.put([an_alert(2)]))
    assert [event.id for event in await reading] == [2]


async def test_an_id_of_another_history_asks_for_a_resync() -> None:
    world = make_world()
    world.alerts.put([an_alert(1)])
    (event,) = await take(world, 77, 1, ("alert", "resync"))
    assert (event.kind, event.id) == ("resync", 1)


async def test_latest_values_are_gathered() -> None:
    world = make_world(every_s=0.05)
    reading = asyncio.create_task(take(world, None, 1, ("latest",)))
    while not world.live.clients:
        await asyncio.sleep(0)
    for n in range(20):
        world.latest.update(Readings.of([("loop-001/traffic.flow", NOON + n, float(n))]))
    (event,) = await reading
    assert json.loads(event.data) == {"loop-001/traffic.flow": {"time": "2026-03-02T12:00:00.019Z", "value": 19.0}}


async def test_the_clock_tells_event_time_and_silence() -> None:
    world = make_world()
    (first,) = await take(world, None, 1, ("clock",))
    assert json.loads(first.data)["time"] is None
    world.latest.tick(NOON)
    (event,) = await take(world, None, 1, ("clock",))
    body = json.loads(event.data)
    assert body["time"] == "2026-03-02T12:00:00Z"
    assert body["silent_s"] is None
    assert body["stale_after_s"] == 30


async def test_a_slow_client_is_let_go_and_misses_nothing_when_it_comes_back() -> None:
    world = make_world()
    feed = LiveFeed(world.alerts, world.latest, every_s=60, queue_max=3)
    async with aclosing(feed.subscribe(0)) as slow:
        await anext(slow)
        feed.publish(world.alerts.put([an_alert(0)]))
        first = await anext(slow)
        for n in range(1, 12):
            feed.publish(world.alerts.put([an_alert(n)]))
        rest = [event async for event in slow]
    assert feed.dropped == 1
    assert feed.clients == 0
    seen = [event.id for event in (first, *rest) if event.id]
    replayed: list[int | None] = []
    async with aclosing(feed.subscribe(seen[-1])) as back:
        await anext(back)
        while len(seen) + len(replayed) < 12:
            replayed.append((await anext(back)).id)
    assert seen + replayed == list(range(1, 13))


async def test_close_ends_every_stream() -> None:
    world = make_world()
    reading = asyncio.create_task(take(world, None, 99, ("alert",)))
    while not world.live.clients:
        await asyncio.sleep(0)
    world.live.close()
    assert await asyncio.wait_for(reading, 5) == []


async def read_lines(port: int, headers: str, until: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode())
    text = ""
    while until not in text:
        text += (await reader.read(65_536)).decode()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return text


@pytest.fixture
async def served():
    """A world behind a real server, as (world, port)."""
    world = make_world()
    server = uvicorn.Server(uvicorn.Config(create_app(world.parts), host="127.0.0.1", port=0, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield world, server.servers[0].sockets[0].getsockname()[1]
    world.live.close()
    server.should_exit = True
    await running


async def test_over_http_with_last_event_id(served: tuple[FakeWorld, int]) -> None:
    world, port = served
    world.alerts.put([an_alert(n) for n in range(4)])
    text = await read_lines(port, "Last-Event-ID: 2\r\n", "id: 4\n")
    assert "content-type: text/event-stream" in text
    assert "x-accel-buffering: no" in text.lower()
    assert "event: clock\n" in text
    assert "id: 3\n" in text
    assert "id: 2\n" not in text
    data = [line for line in text.splitlines() if line.startswith("data: ") and "alert-0003" in line]
    assert json.loads(data[0][6:])["why"]["sentence"]


async def test_a_client_that_leaves_is_forgotten(served: tuple[FakeWorld, int]) -> None:
    world, port = served
    await read_lines(port, "", "event: clock")
    for _ in range(200):
        if not world.live.clients:
            break
        await asyncio.sleep(0.02)
    assert world.live.clients == 0
