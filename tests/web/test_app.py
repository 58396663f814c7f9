"""What holds for every answer: problem documents, headers, hosts; and the small routes."""

import httpx
import pytest
from fastapi import APIRouter

from domain.errors import Full, Unavailable
from domain.messages import Forecast, Health, Quarantined, Verdict
from tests.web.fakes import MINUTE, NOON, FakeWorld, make_world
from web.app import create_app

broken = APIRouter()


@broken.get("/broken/bug")
def bug() -> None:
    raise ZeroDivisionError("secret detail")


@broken.get("/broken/down")
def down() -> None:
    raise Unavailable("the store does not answer")


@pytest.fixture
def world() -> FakeWorld:
    return make_world(routers=(broken,))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/static/x/nowhere.js", 404),
        ("DELETE", "/v1/alerts", 405),
        ("GET", "/v1/alerts?limit=0", 422),
        ("GET", "/v1/alerts?limit=many", 422),
        ("GET", "/v1/live?last_event_id=x", 422),
        ("GET", "/v1/sensors?status=odd", 422),
        ("GET", "/v1/forecasts/loop-001/air.no2", 404),
        ("GET", "/broken/down", 503),
        ("GET", "/broken/bug", 500),
    ],
)
async def test_every_error_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/alerts", "/v1/openapi.json", "/healthz"])
async def test_security_headers_and_no_cookie(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


async def test_a_foreign_host_name_is_refused(client: httpx.AsyncClient) -> None:
    for host, status in (("evil.example", 421), ("localhost:9000", 200), ("[::1]:80", 200), ("127.0.0.1", 200)):
        assert (await client.get("/healthz", headers={"Host": host})).status_code == status, host


async def test_another_sites_page_may_not_act(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/alerts/x/actions", headers={"Sec-Fetch-Site": "cross-site"}, json={})
    assert answer.status_code == 403


async def test_ready_names_what_is_missing(client: httpx.AsyncClient, world: FakeWorld) -> None:
    assert (await client.get("/readyz")).status_code == 200
    world.states["broker"] = "waits for 127.0.0.1:9092"
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == {"broker": "waits for 127.0.0.1:9092"}


async def test_metrics_count_by_route_template(client: httpx.AsyncClient) -> None:
    await client.get("/v1/alerts/one")
    await client.get("/v1/alerts/two")
    text = (await client.get("/metrics")).text
    assert 'borough_web_requests_total{method="GET",route="/v1/alerts/{alert}",status="404"} 2.0' in text
    assert "borough_live_clients 0.0" in text


async def test_sensors_and_unregistered_ones(client: httpx.AsyncClient, world: FakeWorld) -> None:
    rows = (await client.get("/v1/sensors")).json()["data"]
    assert [row["sensor"] for row in rows] == ["loop-001", "air-01", "meter-07"]
    assert rows[2]["asset"] == "transformer-3"
    assert {row["status"] for row in rows} == {"waiting"}
    world.held.append(
        {"sensor": "new-1", "count": 4, "first": NOON, "last": NOON + MINUTE, "example": "new-1/air.no2=4"}
    )
    for path in ("/v1/sensors?status=unregistered", "/v1/quarantine/sensors"):
        (row,) = (await client.get(path)).json()["data"]
        assert (row["sensor"], row["count"], row["last"]) == ("new-1", 4, "2026-03-02T12:01:00Z")


async def test_quarantine_health_and_forecasts(client: httpx.AsyncClient, world: FakeWorld) -> None:
    for n in range(3):
        world.store.quarantine.append(Quarantined(str(n), NOON + n, "t", "g", "s/x", "1", "value", f"reason {n % 2}"))
    body = (await client.get("/v1/quarantine?limit=2")).json()
    assert [row["id"] for row in body["data"]] == ["2", "1"]
    assert body["meta"]["counts"] == {"reason 0": 2, "reason 1": 1}
    world.store.healths.append(Health("pump-1", "centre", NOON, {"gap_rate": float("nan"), "noise": 1.5}))
    (health,) = (await client.get("/v1/health?asset=pump-1")).json()["data"]
    assert health["signals"] == {"gap_rate": None, "noise": 1.5}
    from domain.readings import Readings

    world.latest.update(Readings.of([("loop-001/traffic.flow", NOON, 1.0)]))
    world.store.issues.append(
        Forecast(
            "loop-001/traffic.flow", "ring-north", NOON, [NOON + MINUTE, NOON + 2 * MINUTE], [1, 2], [0, 1], [2, 3]
        )
    )
    rows = (await client.get("/v1/forecasts/loop-001/traffic.flow")).json()["data"]
    assert [row["target"][11:16] for row in rows] == ["12:01", "12:02"]


async def test_the_worklist_goes_by_impact(client: httpx.AsyncClient, world: FakeWorld) -> None:
    def verdicts(*impacts: float) -> list[Verdict]:
        return [Verdict(f"s{x:g}", "Constant" if x else "good", "stuck" if x else "", 0.5, x) for x in impacts]

    assert (await client.get("/v1/worklist")).json()["data"] == []
    world.store.healths += [
        Health("pump-2", "north", NOON, {}, verdicts=verdicts(0, 7)),
        Health("pump-1", "centre", NOON, {}, verdicts=verdicts(5, 90)),
    ]
    body = (await client.get("/v1/worklist?limit=2")).json()
    assert [(row["rank"], row["sensor"], row["verdict"], row["cause"]) for row in body["data"]] == [
        (1, "s90", "Constant", "stuck"),
        (2, "s7", "Constant", "stuck"),
    ]
    assert body["meta"]["found"] == 3
    (row,) = (await client.get("/v1/worklist?area=north&day=2026-03-02T00:00:00Z")).json()["data"]
    assert row == {
        "rank": 2, "day": "2026-03-02T12:00:00Z", "sensor": "s7", "area": "north", "asset": "pump-2",
        "verdict": "Constant", "cause": "stuck", "share": 0.5, "impact": 7.0,
    }  # fmt: skip
    assert (await client.get("/v1/worklist?day=yesterday")).status_code == 422
    assert (await client.get("/v1/worklist?day=2026-02-02T00:00:00Z")).json()["data"] == []


async def test_openapi_lists_the_fixed_routes(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    fixed = {
        "/v1/series",
        "/v1/series/{sensor}/{quantity}/aggregates",
        "/v1/sensors",
        "/v1/alerts",
        "/v1/alerts/{alert}",
        "/v1/alerts/{alert}/actions",
        "/v1/live",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert fixed <= set(document["paths"])
    page = (await client.get("/docs")).text
    assert all(path in page for path in fixed)


async def test_a_full_disk_answers_503() -> None:
    world = make_world()
    world.parts.store.series = lambda: (_ for _ in ()).throw(Full("disk"))
    transport = httpx.ASGITransport(create_app(world.parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/v1/series")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
