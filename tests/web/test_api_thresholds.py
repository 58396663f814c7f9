"""Thresholds and recomputation through the API: who is asked, what is answered, what is refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.errors import Rejected
from domain.messages import Alert
from tests.web.fakes import NOON, FakeWorld, make_world
from tests.web.town import CASES, make_alert, sensors
from web.api_explain import explain_router
from web.api_thresholds import thresholds_router
from web.app import create_app

PROPOSALS = [
    {"rule": "r", "area": "a", "threshold": 0.6, "effect": {"not_raised": 3}},
    {"rule": "q", "area": "b", "threshold": 0.7, "effect": {"not_raised": 1}},
]
WHO = {"by": "ana", "reason": "too many"}


class Asked:
    """Writes down what it was asked."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []

    def in_force(self) -> list[dict[str, Any]]:
        return [{"id": "1"}]

    def history(self) -> list[dict[str, Any]]:
        return [{"id": "1"}, {"id": "0"}]

    def proposals(self) -> list[dict[str, Any]]:
        return PROPOSALS

    def effect_of(self, rule: str, area: str, threshold: float) -> dict[str, Any]:
        return {"rule": rule, "area": area, "threshold": threshold}

    async def adopt(self, *given: Any) -> dict[str, Any]:
        self.taken.append(given)
        return {"id": "2"}

    async def revert(self, *given: Any) -> dict[str, Any]:
        if given[0] != "2":
            raise Rejected("adoption", given[0], "it is not in force any more")
        self.taken.append(given)
        return {"id": "3"}


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def client(asked: Asked) -> AsyncIterator[httpx.AsyncClient]:
    world: FakeWorld = make_world()
    rows = sensors()
    world.alerts.put([make_alert(rows[CASES[0][0]], CASES[0], NOON, 1)])

    def recompute(alert: Alert) -> dict[str, Any]:
        return {"alert": alert.id, "equal": True}

    routers = [thresholds_router(asked), explain_router(world.parts.alerts, recompute)]
    transport = httpx.ASGITransport(create_app(replace(world.parts, routers=routers)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_what_is_in_force_and_what_ever_was(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/thresholds")).json()["data"] == [{"id": "1"}]
    assert (await client.get("/v1/thresholds/adoptions")).json()["data"] == [{"id": "1"}, {"id": "0"}]


async def test_proposals_all_some_or_what_if(client: httpx.AsyncClient) -> None:
    async def get(query: str) -> Any:
        return (await client.get("/v1/thresholds/proposals" + query)).json()["data"]

    assert await get("") == PROPOSALS
    assert await get("?rule=q") == PROPOSALS[1:]
    assert await get("?area=nowhere") == []
    assert await get("?rule=r&area=a&threshold=0.9") == [{"rule": "r", "area": "a", "threshold": 0.9}]
    assert (await client.get("/v1/thresholds/proposals?threshold=2")).status_code == 422


async def test_adopt_and_take_back(client: httpx.AsyncClient, asked: Asked) -> None:
    body = {"rule": "r", "area": "a", "threshold": 0.6, **WHO}
    assert (await client.post("/v1/thresholds/adoptions", json=body)).json()["data"] == {"id": "2"}
    assert (await client.post("/v1/thresholds/adoptions/2/reversals", json=WHO)).json()["data"] == {"id": "3"}
    assert asked.taken == [("r", "a", 0.6, "ana", "too many"), ("2", "ana", "too many")]
    refused = await client.post("/v1/thresholds/adoptions/9/reversals", json=WHO)
    assert refused.status_code == 422
    assert "not in force" in refused.text


@pytest.mark.parametrize("lacking", ["rule", "area", "threshold", "by", "reason"])
async def test_an_adoption_needs_all_of_it(client: httpx.AsyncClient, asked: Asked, lacking: str) -> None:
    body = {"rule": "r", "area": "a", "threshold": 0.6, **WHO}
    del body[lacking]
    assert (await client.post("/v1/thresholds/adoptions", json=body)).status_code == 422
    assert asked.taken == []


async def test_an_alert_recomputed(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/alerts/alert-0001/recomputation")).json()
    assert found["data"] == {"alert": "alert-0001", "equal": True}
    assert (await client.get("/v1/alerts/nothing/recomputation")).status_code == 404
