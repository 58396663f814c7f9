"""The demo's addresses over HTTP; without a demo they are not there."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.errors import Rejected, Unavailable
from tests.web.fakes import NOON
from tests.web.town import make_town
from web.app import create_app

EVENT = {"kind": "crash", "place": "here", "start": "2026-03-02T12:00:00Z"}


class FakeEngine:
    def __init__(self) -> None:
        self.begun: list[tuple[str, str | None]] = []
        self.error: Exception | None = None

    async def begin(self, kind: str, target: str | None) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.begun.append((kind, target))
        return EVENT

    async def score(self) -> dict[str, Any]:
        return {"events": [EVENT], "figures": {"found": 1}, "now": "2026-03-02T12:00:30Z"}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def client(engine: FakeEngine | None) -> httpx.AsyncClient:
    app = create_app(replace(make_town(NOON, every_s=0.25).parts, demo=engine))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_begin_and_score(engine: FakeEngine) -> None:
    async with client(engine) as http:
        answer = await http.post("/v1/demo/events", json={"kind": "crash"})
        assert (answer.status_code, answer.json()["data"]) == (201, EVENT)
        await http.post("/v1/demo/events", json={"kind": "silent", "target": "air-001"})
        assert engine.begun == [("crash", None), ("silent", "air-001")]
        score = (await http.get("/v1/demo/score")).json()
        assert (score["data"], score["meta"]["figures"]) == ([EVENT], {"found": 1})


async def test_refusals_are_problems(engine: FakeEngine) -> None:
    async with client(engine) as http:
        assert (await http.post("/v1/demo/events", json={})).status_code == 422
        assert (await http.post("/v1/demo/events", json={"kind": "crash", "colour": 1})).status_code == 422
        engine.error = Rejected("kind", "crsh", "unknown; did you mean crash?")
        refused = await http.post("/v1/demo/events", json={"kind": "crsh"})
        assert (refused.status_code, refused.json()["field"]) == (422, "kind")
        engine.error = Unavailable("the town's past is still being played")
        assert (await http.post("/v1/demo/events", json={"kind": "crash"})).status_code == 503
        foreign = await http.post("/v1/demo/events", json={"kind": "crash"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403


async def test_the_page_has_the_buttons_only_in_the_demo(engine: FakeEngine) -> None:
    for given, shown in ((engine, True), (None, False)):
        async with client(given) as http:
            assert ("data-break" in (await http.get("/")).text) is shown
            assert ((await http.get("/v1/demo/score")).status_code == 200) is shown
            assert ("/v1/demo/score" in (await http.get("/v1/openapi.json")).text) is shown
