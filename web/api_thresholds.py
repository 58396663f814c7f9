"""Thresholds of rules in areas: what is in force, what the verdicts ask for and what it would change, adopting."""

import asyncio
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web.answers import Answer


class Thresholds(Protocol):
    """Who knows and decides; objects as they are answered."""

    def in_force(self) -> list[dict[str, Any]]: ...

    def history(self) -> list[dict[str, Any]]: ...

    def proposals(self) -> list[dict[str, Any]]: ...

    def effect_of(self, rule: str, area: str, threshold: float) -> dict[str, Any]: ...

    async def adopt(self, rule: str, area: str, threshold: float, by: str, reason: str) -> dict[str, Any]: ...

    async def revert(self, adoption: str, by: str, reason: str) -> dict[str, Any]: ...


class AdoptionBody(BaseModel):
    """A threshold for a rule in an area, from now on; who adopts it and why is kept for good."""

    model_config = ConfigDict(extra="forbid")

    rule: str = Field(min_length=1, max_length=120)
    area: str = Field(min_length=1, max_length=128)
    threshold: float = Field(ge=0, le=1)
    by: str = Field(min_length=1, max_length=120)
    reason: str = Field(min_length=1, max_length=2_000)


class ReversalBody(BaseModel):
    """Who takes an adoption back, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=120)
    reason: str = Field(min_length=1, max_length=2_000)


def thresholds_router(thresholds: Thresholds) -> APIRouter:
    router = APIRouter(prefix="/v1/thresholds", tags=["thresholds"])

    @router.get("", summary="Thresholds in force that were adopted")
    def in_force() -> Response:
        return Answer(thresholds.in_force(), {}, {"proposals": "/v1/thresholds/proposals"})

    @router.get("/adoptions", summary="Everything that was ever adopted or taken back, newest first")
    def history() -> Response:
        return Answer(thresholds.history())

    @router.get("/proposals", summary="What the verdicts ask for, and what it would have changed in the last 30 days")
    def proposals(
        rule: Annotated[str | None, Query(max_length=120)] = None,
        area: Annotated[str | None, Query(max_length=128)] = None,
        threshold: Annotated[float | None, Query(ge=0, le=1, description="what this one would have changed")] = None,
    ) -> Response:
        if threshold is not None and rule and area:
            return Answer([thresholds.effect_of(rule, area, threshold)])
        found = thresholds.proposals()
        return Answer([p for p in found if rule in (None, p["rule"]) and area in (None, p["area"])])

    @router.post("/adoptions", summary="Adopt a threshold; answered when it is durable")
    async def adopt(body: AdoptionBody) -> Response:
        return Answer(await thresholds.adopt(body.rule, body.area, body.threshold, body.by, body.reason))

    @router.post("/adoptions/{adoption}/reversals", summary="Take an adoption back; answered when it is durable")
    async def revert(adoption: Annotated[str, Path(max_length=64)], body: ReversalBody) -> Response:
        return Answer(await asyncio.shield(thresholds.revert(adoption, body.by, body.reason)))

    return router
