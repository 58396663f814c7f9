import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from connectors import http_door
from connectors.gateway import Gateway
from connectors.held import HeldReadings
from connectors.http_door import readings_router
from connectors.outbox import SqliteOutbox
from domain.sensors import Sensor, SensorRegister

NOW = 1_772_431_200_000
GOOD = {"time": "2026-03-02T06:00:00Z", "series": "loop-1/traffic.speed", "value": 51.2}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[FastAPI, Gateway]]:
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite", 20_000)
    held = HeldReadings(tmp_path / "held.sqlite")
    gateway = Gateway(outbox.name, outbox, SensorRegister([Sensor("loop-1", "ring")]), held, lambda: NOW)
    app = FastAPI()
    app.include_router(readings_router(gateway))
    yield app, gateway
    await gateway.stop()
    outbox.close()
    held.close()


@pytest.fixture
async def client(door: tuple[FastAPI, Gateway]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door[0]), base_url="http://test") as made:
        yield made


@pytest.fixture
def gateway(door: tuple[FastAPI, Gateway]) -> Gateway:
    return door[1]


async def still_takes_readings(client: httpx.AsyncClient, gateway: Gateway) -> None:
    depth = gateway.outbox.depth()
    answer = await client.post("/v1/readings", json=GOOD)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": [], "held": 0})
    assert gateway.outbox.depth() == depth + 1


async def test_accepted_means_durable(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await still_takes_readings(client, gateway)


async def test_the_answer_names_position_field_value_and_reason(client: httpx.AsyncClient) -> None:
    items = [GOOD, {**GOOD, "value": "fast"}, {**GOOD, "series": "loop-9/traffic.speed"}, GOOD]
    answer = await client.post("/v1/readings", json=items)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["held"]) == (2, 1)
    assert body["rejected"][0] == {"position": 1, "field": "value", "value": "fast", "reason": "value is a number"}
    assert {key: body["rejected"][1][key] for key in ("position", "field", "value")} == {
        "position": 2,
        "field": "series",
        "value": "loop-9/traffic.speed",
    }
    shown = (await client.get("/v1/gateway")).json()["data"]
    assert shown["held"]["sensors"][0]["sensor"] == "loop-9"
    assert (shown["held"]["readings"], shown["accepted"], shown["rejected"]) == (1, 2, 2)
    assert shown["outbox"] == {"entries": 1}


async def test_a_readable_body_without_one_good_reading_is_202(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/readings", json={**GOOD, "value": None})
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 0, 1)
    assert (await client.post("/v1/readings", json=[])).json() == {"accepted": 0, "rejected": [], "held": 0}


async def test_gzip_by_header_and_csv(client: httpx.AsyncClient) -> None:
    csv = b"time,series,value\n2026-03-02T06:00:00Z,loop-1/traffic.speed,50\n"
    headers = {"content-encoding": "gzip", "content-type": "text/csv"}
    answer = await client.post("/v1/readings", content=gzip.compress(csv), headers=headers)
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"nonsense", {}, 400),
        (b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b'[{"time": "\xff"}]', {"content-type": "application/json"}, 400),
        (gzip.compress(json.dumps([GOOD] * 100).encode())[:-9], {"content-encoding": "gzip"}, 400),
        (b'{"value": "' + b"9" * (10 << 20) + b'"}', {}, 413),
        (b"9" * ((1 << 20) + 1), {}, 413),
        (gzip.compress(bytes(40 << 20)), {"content-encoding": "gzip"}, 413),
        (json.dumps(GOOD).encode(), {"content-type": "image/png"}, 415),
        (json.dumps(GOOD).encode(), {"content-encoding": "br"}, 415),
    ],
)
async def test_what_cannot_be_used_gets_a_problem_and_the_next_is_taken(
    client: httpx.AsyncClient, gateway: Gateway, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/v1/readings", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    await still_takes_readings(client, gateway)


async def test_a_chunked_body_is_measured_as_it_comes(client: httpx.AsyncClient, gateway: Gateway) -> None:
    pulled = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pulled
        while True:
            pulled += 1
            yield bytes(1 << 20)

    answer = await client.post("/v1/readings", content=endless())
    assert answer.status_code == 413
    assert pulled < 50
    await still_takes_readings(client, gateway)


async def test_a_body_of_exactly_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = json.dumps(GOOD).encode().ljust(1 << 20)
    assert (await client.post("/v1/readings", content=body)).json()["accepted"] == 1


async def test_a_body_that_does_not_come_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_door, "_BODY_S_MAX", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(30)

    assert (await client.post("/v1/readings", content=slow())).status_code == 408


async def test_a_full_outbox_is_503_with_retry_after_and_nothing_taken(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    many = [{**GOOD, "time": f"2026-03-02T05:00:{k % 60:02d}.{k // 60:03d}Z"} for k in range(3_000)]
    answer = await client.post("/v1/readings", json=many)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "full" in answer.json()["detail"]
    assert gateway.outbox.depth() == 0
    await still_takes_readings(client, gateway)


async def test_a_stopping_gateway_is_503(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await gateway.stop()
    assert (await client.post("/v1/readings", json=GOOD)).status_code == 503


async def test_replay_takes_the_far_past_under_a_name(client: httpx.AsyncClient, gateway: Gateway) -> None:
    old = {**GOOD, "time": "1998-01-01T00:00:00Z"}
    assert (await client.post("/v1/readings", json=old)).json()["accepted"] == 0
    answer = await client.post("/v1/replay?gateway=m25&tick=1998-01-01T00:01:00Z", json=old)
    assert answer.json() == {"accepted": 1, "rejected": [], "held": 0}
    assert gateway.outbox.depth() == 1 + 12
    for query in ("", "?gateway=", "?gateway=a/b", "?gateway=m25&tick=noon"):
        assert (await client.post(f"/v1/replay{query}", json=old)).status_code == 400


async def test_large_requests_do_not_hold_up_small_ones(client: httpx.AsyncClient) -> None:
    large = json.dumps([0] * 50_000).encode()
    answers = await asyncio.gather(
        client.post("/v1/readings", content=large), *(client.post("/v1/readings", json=GOOD) for _ in range(20))
    )
    assert len(answers[0].json()["rejected"]) == 50_000
    assert [answer.json()["accepted"] for answer in answers[1:]] == [1] * 20


def test_the_openapi_document_describes_the_door(door: tuple[FastAPI, Gateway]) -> None:
    paths = door[0].openapi()["paths"]
    post = paths["/v1/readings"]["post"]
    assert set(post["requestBody"]["content"]) == {"application/json", "application/x-ndjson", "text/csv"}
    assert {"202", "400", "413", "415", "503"} <= set(post["responses"])
    assert "gateway" in {parameter["name"] for parameter in paths["/v1/replay"]["post"]["parameters"]}


async def test_over_a_socket_a_body_of_10_mb_gets_413_and_not_a_reset(door: tuple[FastAPI, Gateway]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(door[0], log_level="error"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/readings"
        async with httpx.AsyncClient(timeout=30) as client:
            for _ in range(100):
                if server.started:
                    break
                await asyncio.sleep(0.02)
            for _ in range(2):
                answer = await client.post(address, content=b"9" * (10 << 20))
                assert answer.status_code == 413
                assert (await client.post(address, json=GOOD)).status_code == 202
    finally:
        server.should_exit = True
        await serving
        listener.close()
