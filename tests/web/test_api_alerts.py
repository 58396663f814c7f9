"""Alerts: shape, filters, paging, actions."""

import httpx
import pytest

from domain.errors import Full, Rejected, Unavailable
from tests.web.fakes import NOON, FakeWorld
from tests.web.town import CASES, make_alert, sensors

ALERT_KEYS = {
    "id", "kind", "severity", "state", "area", "place", "series", "onset", "raised", "cleared", "score", "why",
}  # fmt: skip
WHY_KEYS = {"sentence", "observed", "expected", "lower", "upper", "one_in", "since", "channels", "neighbours", "model"}


@pytest.fixture
def world(world: FakeWorld) -> FakeWorld:
    rows = sensors()
    world.alerts.put([make_alert(rows[case[0]], case, NOON, n) for n, case in enumerate(CASES, start=1)])
    return world


async def test_an_alert_has_the_fields_of_the_design(client: httpx.AsyncClient) -> None:
    alert = (await client.get("/v1/alerts/alert-0001")).json()["data"]
    assert set(alert) >= ALERT_KEYS
    assert set(alert["why"]) >= WHY_KEYS
    assert set(alert["why"]["model"]) >= {"name", "version"}
    assert sum(channel["share"] for channel in alert["why"]["channels"]) == pytest.approx(1)
    assert alert["onset"] == "2026-03-02T11:54:00Z"
    assert alert["cleared"] is None
    assert alert["why"]["neighbours"][0]["time"] == "2026-03-02T11:54:00Z"
    assert set(alert["why"]["trace"][0]) == {"time", "value", "expected", "lower", "upper"}


async def test_newest_first_and_paged_without_loss(client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/alerts")).json()["data"]
    assert [alert["onset"] for alert in whole] == sorted((alert["onset"] for alert in whole), reverse=True)
    seen, url = [], "/v1/alerts?limit=3"
    while url:
        body = (await client.get(url)).json()
        seen += [alert["id"] for alert in body["data"]]
        url = body["links"].get("next")
    assert seen == [alert["id"] for alert in whole]
    assert len(seen) == len(CASES)


async def test_filters(client: httpx.AsyncClient) -> None:
    active = (await client.get("/v1/alerts?state=active")).json()["data"]
    assert {alert["state"] for alert in active} == {"open", "acknowledged"}
    assert len(active) == 6
    one = (await client.get("/v1/alerts", params={"state": "closed", "area": "town"})).json()["data"]
    assert [alert["id"] for alert in one] == ["alert-0007"]
    assert (await client.get("/v1/alerts?state=happy")).json()["field"] == "state"


async def test_acknowledge_is_answered_with_the_durable_alert(client: httpx.AsyncClient, world: FakeWorld) -> None:
    body = {"action": "acknowledge", "reason": "crew sent", "by": "PB"}
    answer = await client.post("/v1/alerts/alert-0001/actions", json=body)
    assert answer.status_code == 200
    alert = answer.json()["data"]
    assert alert["state"] == "acknowledged"
    assert alert["actions"][0]["by"] == "PB"
    assert alert["actions"][0]["time"] == "2026-03-02T12:00:00Z"
    (action,) = world.desk.taken
    assert (action.action, action.reason, action.time) == ("acknowledge", "crew sent", NOON)
    assert (await client.get("/v1/alerts/alert-0001")).json()["data"]["state"] == "acknowledged"


async def test_verdict(client: httpx.AsyncClient, world: FakeWorld) -> None:
    body = {"action": "verdict", "verdict": "cannot_verify"}
    assert (await client.post("/v1/alerts/alert-0002/actions", json=body)).status_code == 200
    assert world.desk.taken[0].verdict == "cannot_verify"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "delete"},
        {"action": "verdict"},
        {"action": "acknowledge", "verdict": "true"},
        {"action": "verdict", "verdict": "maybe"},
        {"action": "comment", "reason": "  "},
        {"action": "comment", "reason": "x" * 2_001},
        {"action": "acknowledge", "colour": "red"},
        {},
        [],
    ],
)
async def test_a_wrong_action_is_refused(client: httpx.AsyncClient, world: FakeWorld, body: object) -> None:
    answer = await client.post("/v1/alerts/alert-0001/actions", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert world.desk.taken == []


async def test_an_unknown_alert_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/alerts/nope")).status_code == 404
    answer = await client.post("/v1/alerts/nope/actions", json={"action": "acknowledge"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("desk restarts"), 503), (Full("disk"), 503), (Rejected("action", "x", "already over"), 422)],
)
async def test_the_desk_may_refuse(client: httpx.AsyncClient, world: FakeWorld, error: Exception, status: int) -> None:
    world.desk.error = error
    answer = await client.post("/v1/alerts/alert-0001/actions", json={"action": "acknowledge"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
