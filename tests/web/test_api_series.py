"""Series and aggregates: rows, bounds, paging, CSV, and what is refused."""

import csv
import io

import httpx
import numpy as np
import pytest

from domain.times import format_time
from tests.web.fakes import MINUTE, NOON, FakeWorld
from web.shapes import AGGREGATE_COLUMNS

PATH = "/v1/series/loop-001/traffic.flow/aggregates"


async def test_list_has_every_series_with_unit_area_and_latest(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/series")).json()
    assert [row["series"] for row in body["data"]] == ["air-01/air.no2", "loop-001/traffic.flow"]
    air = body["data"][0]
    assert (air["quantity"], air["unit"], air["sensor"], air["area"]) == ("air.no2", "µg/m³", "air-01", "centre")
    assert air["latest"] == {"time": "2026-03-02T12:00:00Z", "value": 41.5}


async def test_latest_falls_back_to_the_store(client: httpx.AsyncClient, world: FakeWorld) -> None:
    world.store.fill("loop-001/traffic.speed", "ring-north", 60, np.array([NOON - MINUTE]), np.array([50.0]))
    row = (await client.get("/v1/series/loop-001/traffic.speed")).json()["data"]
    assert row["latest"] == {"time": "2026-03-02T11:59:00Z", "value": 50.5}


async def test_default_is_the_last_24_hours_of_minutes(client: httpx.AsyncClient) -> None:
    body = (await client.get(PATH)).json()
    rows = body["data"]
    assert len(rows) == 1440
    assert tuple(rows[0]) == AGGREGATE_COLUMNS
    assert rows[0]["window_start"] == "2026-03-01T12:00:00Z"
    assert rows[-1]["window_start"] == "2026-03-02T11:59:00Z"
    assert rows[-3]["mean"] is None
    assert body["meta"]["unit"] == "veh/h"
    assert body["meta"]["zone"] == "Europe/London"


async def test_start_is_inclusive_and_end_exclusive(client: httpx.AsyncClient) -> None:
    query = {"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T10:03:00Z"}
    rows = (await client.get(PATH, params=query)).json()["data"]
    assert [row["window_start"][11:16] for row in rows] == ["10:00", "10:01", "10:02"]


async def test_an_unescaped_offset_is_understood(client: httpx.AsyncClient) -> None:
    rows = (await client.get(f"{PATH}?start=2026-03-02T11:00:00+01:00&end=2026-03-02T10:01:00Z&limit=")).json()
    assert rows["status"] == 422  # an empty limit is no number
    rows = (await client.get(f"{PATH}?start=2026-03-02T11:00:00+01:00&end=2026-03-02T10:01:00Z")).json()["data"]
    assert [row["window_start"] for row in rows] == ["2026-03-02T10:00:00Z"]


async def test_pages_follow_each_other_without_gap_or_repeat(client: httpx.AsyncClient) -> None:
    whole = (await client.get(PATH, params={"start": "2026-03-02T10:00:00Z"})).json()["data"]
    rows: list[dict[str, object]] = []
    url: str | None = f"{PATH}?start=2026-03-02T10:00:00Z&limit=50"
    pages = 0
    while url:
        body = (await client.get(url)).json()
        rows += body["data"]
        url = body["links"].get("next")
        pages += 1
    assert pages == 3
    assert rows == whole
    assert len(whole) == 120


async def test_no_empty_last_page(client: httpx.AsyncClient) -> None:
    query = {"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T10:10:00Z", "limit": "10"}
    body = (await client.get(PATH, params=query)).json()
    assert len(body["data"]) == 10
    assert "next" not in body["links"]


@pytest.mark.parametrize("way", ["suffix", "accept"])
async def test_csv_has_the_rows_of_the_json(client: httpx.AsyncClient, way: str) -> None:
    if way == "suffix":
        answer = await client.get(PATH + ".csv")
    else:
        answer = await client.get(PATH, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    rows = (await client.get(PATH)).json()["data"]
    assert tuple(table[0]) == AGGREGATE_COLUMNS
    assert len(table) == len(rows)
    for line, row in zip(table, rows, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(line[name]) == value
            else:
                assert line[name] == ("" if value is None else str(value))


async def test_csv_without_limit_holds_every_row_of_a_long_span(client: httpx.AsyncClient, world: FakeWorld) -> None:
    start = np.arange(NOON - 25_000 * MINUTE, NOON, MINUTE)
    world.store.fill("loop-001/traffic.occupancy", "ring-north", 60, start, np.zeros(len(start)))
    path = "/v1/series/loop-001/traffic.occupancy/aggregates"
    answer = await client.get(f"{path}.csv", params={"start": format_time(int(start[0]))})
    assert len(answer.text.splitlines()) == 25_001
    limited = await client.get(f"{path}.csv", params={"start": format_time(int(start[0])), "limit": "7"})
    assert len(limited.text.splitlines()) == 8
    assert 'rel="next"' in limited.headers["link"]


async def test_a_browser_gets_json(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, headers={"Accept": "text/html,application/json;q=0.9,text/csv;q=0.1"})
    assert answer.headers["content-type"] == "application/json"


async def test_a_series_without_aggregates_is_known_and_empty(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/series/air-01/air.no2/aggregates?window=3600")
    assert answer.status_code == 200
    assert answer.json()["data"] == []


async def test_a_running_window_has_a_full_day_of_rows(client: httpx.AsyncClient, world: FakeWorld) -> None:
    hours = np.arange(NOON - 72 * 60 * MINUTE, NOON - 23 * 60 * MINUTE, 60 * MINUTE)
    world.store.fill("loop-001/traffic.flow", "ring-north", 86_400, hours, np.ones(len(hours)))
    rows = (await client.get(PATH, params={"window": "86400", "end": "2026-03-02T12:00:00Z"})).json()["data"]
    assert len(rows) >= 24


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("window=61", "window"),
        ("window=x", "window"),
        ("start=yesterday", "start"),
        ("start=2026-03-02T10:00:00", "start"),
        ("end=2026-13-02T10:00:00Z", "end"),
        ("start=2026-03-02T10:00:00Z&end=2026-03-02T10:00:00Z", "start"),
        ("cursor=%21%21", "cursor"),
    ],
)
async def test_a_bad_parameter_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


async def test_an_unknown_series_is_404(client: httpx.AsyncClient) -> None:
    for path in ("loop-001/traffic.weight", "nowhere/air.no2", "loop-001/traffic.flow.csv"):
        for rest in ("", "/aggregates", "/aggregates.csv"):
            answer = await client.get(f"/v1/series/{path}{rest}")
            assert answer.status_code == 404, path
            assert answer.json()["series"] == path
