"""Alerts: the list, one alert, and what operators do about it."""

import asyncio
import uuid
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from domain.messages import STATES, Action
from web.answers import Answer, make_cursor, read_cursor
from web.parts import WebParts
from web.problems import Problem
from web.shapes import alert_object

ALERTS_DEFAULT = 200
ALERTS_MAX = 1_000


class ActionBody(BaseModel):
    """What an operator does: ``verdict`` goes with the action ``verdict``, ``reason`` is needed for ``comment``."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["acknowledge", "comment", "verdict"]
    reason: str = Field("", max_length=2_000)
    by: str = Field("", max_length=120)
    verdict: Literal["true", "false", "cannot_verify", "sensor_fault"] | None = None

    @model_validator(mode="after")
    def _belong_together(self) -> "ActionBody":
        if (self.action == "verdict") != (self.verdict is not None):
            raise ValueError(
                "verdict is one of true, false, cannot_verify, sensor_fault, and goes with the action verdict only"
            )
        if self.action == "comment" and not self.reason.strip():
            raise ValueError("a comment needs its text in reason")
        return self


def alerts_router(parts: WebParts) -> APIRouter:
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

    @router.get("", summary="Alerts, newest first")
    def list_alerts(
        state: Annotated[str | None, Query(description="active, " + ", ".join(STATES) + "; default: all")] = None,
        area: str | None = None,
        limit: Annotated[int, Query(ge=1, le=ALERTS_MAX)] = ALERTS_DEFAULT,
        cursor: str | None = None,
    ) -> Response:
        if state in ("", "all"):
            state = None
        if state is not None and state not in ("active", *STATES):
            reason = "state is active, all, " + ", ".join(STATES)
            raise Problem(422, f"{reason} (got {state[:120]})", field="state", value=state[:120], reason=reason)
        found = read_cursor(cursor, 2)
        before = (int(found[0]), found[1]) if found else None
        # Read before the list: a live feed opened after this id misses nothing of what the list lacks.
        last_change = parts.alerts.last_change()
        alerts = parts.alerts.find(state, area or None, before, limit + 1)
        links = {}
        if len(alerts) > limit:
            last = alerts[limit - 1]
            query = {"state": state or "all", "area": area or "", "limit": limit}
            links["next"] = "/v1/alerts?" + urlencode({**query, "cursor": make_cursor(last.onset, last.id)})
        return Answer(
            [alert_object(alert) for alert in alerts[:limit]],
            {"zone": parts.zone, "last_change": last_change},
            links,
        )

    @router.get("/{alert}", summary="One alert; every alert ever raised stays readable")
    def one_alert(alert: Annotated[str, Path(max_length=200)]) -> Response:
        found = parts.alerts.get(alert)
        if found is None:
            raise Problem(404, f"There is no alert {alert}.", alert=alert)
        return Answer(alert_object(found), {"zone": parts.zone}, {"actions": f"/v1/alerts/{alert}/actions"})

    @router.post("/{alert}/actions", summary="Acknowledge, comment or judge; answered when it is durable")
    async def act(alert: Annotated[str, Path(max_length=200)], body: ActionBody) -> Response:
        if await asyncio.to_thread(parts.alerts.get, alert) is None:
            raise Problem(404, f"There is no alert {alert}.", alert=alert)
        action = Action(
            id=uuid.uuid4().hex,
            alert=alert,
            action=body.action,
            time=parts.clock(),
            by=body.by.strip(),
            reason=body.reason.strip(),
            verdict=body.verdict or "",
        )
        changed = await parts.act(action)
        return Answer(alert_object(changed), {"action": action.id, "zone": parts.zone}, {"self": f"/v1/alerts/{alert}"})

    return router
