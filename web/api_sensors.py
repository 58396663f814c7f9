"""Sensors, the map of the town, and sensors that send without being registered."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from domain.sensors import Sensor
from domain.times import SECOND_MS
from web.answers import Answer
from web.parts import WebParts
from web.shapes import sensor_object, time_text

#: A sensor is silent when nothing came for so many of its intervals, in event time.
SILENT_INTERVALS = 3
INTERVAL_DEFAULT_S = 900.0

Status = Literal["reporting", "silent", "waiting", "unregistered"]


def sensor_status(sensor: Sensor, last: int | None, now: int | None) -> Status:
    """``waiting`` until the first reading, then ``reporting`` or ``silent``; times in epoch ms."""
    if last is None or now is None:
        return "waiting"
    patience_ms = SILENT_INTERVALS * (sensor.interval_s or INTERVAL_DEFAULT_S) * SECOND_MS
    return "silent" if now - last > patience_ms else "reporting"


def held_objects(parts: WebParts) -> list[dict[str, Any]]:
    """Sensors that are not registered, those that sent most first."""
    rows = sorted(parts.held(), key=lambda row: (-row["count"], row["sensor"]))
    return [
        {**row, "status": "unregistered", "first": time_text(row["first"]), "last": time_text(row["last"])}
        for row in rows
    ]


def sensor_objects(parts: WebParts) -> list[dict[str, Any]]:
    """Every registered sensor with its status, in the order of the register."""
    last: dict[str, int] = {}
    for series, latest in parts.latest.snapshot().items():
        name = series.partition("/")[0]
        last[name] = max(last.get(name, latest.time), latest.time)
    rows = []
    for sensor in list(parts.register):
        newest = last.get(sensor.sensor)
        rows.append(sensor_object(sensor, sensor_status(sensor, newest, parts.latest.now), newest))
    return rows


def sensors_router(parts: WebParts) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["sensors"])

    @router.get("/sensors", summary="The sensors table, with how each sensor does")
    def sensors(
        area: str | None = None,
        status: Annotated[Status | None, Query(description="Only sensors in this status.")] = None,
    ) -> Response:
        if status == "unregistered":
            rows = held_objects(parts)
        else:
            rows = [row for row in sensor_objects(parts) if status is None or row["status"] == status]
            rows = [row for row in rows if not area or row["area"] == area]
        return Answer(rows, {"found": len(rows), "zone": parts.zone}, {"unregistered": "/v1/quarantine/sensors"})

    @router.get("/map", summary="The map of the town as GeoJSON, null when there is none")
    def town_map() -> Response:
        return Answer(parts.map, {"town": parts.town})

    return router
