"""What else the store keeps: quarantine, health of assets, the worklist of sensors, forecasts."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from domain.times import DAY_MS
from web.answers import Answer, read_time
from web.api_sensors import held_objects
from web.catalogue import find_series
from web.parts import WebParts
from web.shapes import forecast_rows, health_object, quarantined_object
from web.worklist import work_rows

Limit = Annotated[int, Query(ge=1, le=1_000)]


def records_router(parts: WebParts) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["records"])

    @router.get("/quarantine", summary="What could not be used, newest first, and how many by reason")
    def quarantine(start: str | None = None, end: str | None = None, limit: Limit = 100) -> Response:
        last = read_time("end", end)
        if last is None:
            last = max(parts.clock(), parts.latest.now or 0) + DAY_MS
        found = parts.store.quarantined(read_time("start", start) or 0, last, limit)
        counts = parts.store.quarantine_counts()
        return Answer(
            [quarantined_object(item) for item in found],
            {"counts": counts, "total": sum(counts.values()), "zone": parts.zone},
            {"sensors": "/v1/quarantine/sensors"},
        )

    @router.get("/quarantine/sensors", summary="Sensors that send without being registered")
    def quarantined_sensors() -> Response:
        rows = held_objects(parts)
        return Answer(rows, {"found": len(rows), "zone": parts.zone})

    @router.get("/health", summary="Health messages of assets, newest first")
    def health(asset: str | None = None, limit: Limit = 100) -> Response:
        found = parts.store.health(asset or None, limit)
        return Answer([health_object(item) for item in found], {"found": len(found), "zone": parts.zone})

    @router.get("/worklist", summary="Sensors to see to, by impact: verdict of the day, named cause, readings affected")
    def worklist(
        day: Annotated[str | None, Query(description="A time of that day; default: the newest day.")] = None,
        area: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 100,
    ) -> Response:
        rows = [row for row in work_rows(parts.store, read_time("day", day)) if not area or row["area"] == area]
        return Answer(rows[:limit], {"found": len(rows), "zone": parts.zone}, {"health": "/v1/health"})

    @router.get("/forecasts/{sensor}/{quantity}", summary="Forecasts of a series, the newest issue first")
    def forecasts(
        sensor: str, quantity: str, limit: Annotated[int, Query(ge=1, le=100, description="Issues.")] = 1
    ) -> Response:
        known = find_series(parts, sensor, quantity)
        issues = parts.store.forecasts(known.series, limit)
        rows = [row for issue in issues for row in forecast_rows(issue)]
        return Answer(rows, {"series": known.series, "unit": known.unit, "issues": len(issues), "zone": parts.zone})

    return router
