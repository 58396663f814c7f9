"""How the words of the domain look as JSON objects and CSV rows: times RFC 3339 UTC, NaN as null."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np

from domain.messages import Action, Alert, Forecast, Health, Point, Quarantined, Why
from domain.sensors import Sensor
from domain.times import format_time
from domain.windows import Aggregates
from web.latest import Latest

AGGREGATE_COLUMNS = (
    "window_start", "window_s", "series", "count", "mean", "min", "max", "last", "coverage", "flag", "revision",
)  # fmt: skip


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()  # numbers inside model parameters, neighbours or the map may be numpy's
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def dumps(value: Any) -> str:
    """JSON text on one line; NaN and infinities become null."""
    return _encoder.encode(value).decode()


def time_text(ms: int | None) -> str | None:
    """RFC 3339 UTC, or None."""
    return None if ms is None else format_time(ms)


def latest_object(latest: Latest) -> dict[str, Any]:
    return {"time": format_time(latest.time), "value": latest.value}


def sensor_object(sensor: Sensor, status: str, last: int | None) -> dict[str, Any]:
    """The columns of the sensors table as they came in, other columns too, and how the sensor does."""
    return {
        "sensor": sensor.sensor,
        "area": sensor.area,
        "lat": sensor.lat,
        "lon": sensor.lon,
        "interval_s": sensor.interval_s,
        "place": sensor.place,
        "asset": sensor.asset_name,
        "road_class": sensor.road_class,
        "free_flow_speed": sensor.free_flow_speed,
        "rated_kw": sensor.rated_kw,
        "extra": sensor.extra,
        "status": status,
        "last": time_text(last),
    }


def action_object(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "action": action.action,
        "time": format_time(action.time),
        "by": action.by,
        "reason": action.reason,
        "verdict": action.verdict or None,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "time": format_time(point.time),
        "value": point.value,
        "expected": point.expected,
        "lower": point.lower,
        "upper": point.upper,
    }


def _neighbour(neighbour: dict[str, Any]) -> dict[str, Any]:
    time = neighbour.get("time")
    return {**neighbour, "time": format_time(time)} if isinstance(time, int) else neighbour


def why_object(why: Why) -> dict[str, Any]:
    return {
        "sentence": why.sentence,
        "observed": why.observed,
        "expected": why.expected,
        "lower": why.lower,
        "upper": why.upper,
        "one_in": why.one_in,
        "since": format_time(why.since),
        "channels": [{"name": channel.name, "share": channel.share} for channel in why.channels],
        "neighbours": [_neighbour(neighbour) for neighbour in why.neighbours],
        "model": {"name": why.model.name, "version": why.model.version, "parameters": why.model.parameters},
        "trace": [_point(point) for point in why.trace],
        "earlier": [{"time": format_time(e.time), "value": e.value} for e in why.earlier or ()],
    }


def alert_object(alert: Alert) -> dict[str, Any]:
    """An alert as design.md fixes it, with its actions, rule and revision."""
    return {
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "area": alert.area,
        "place": alert.place,
        "series": alert.series,
        "onset": format_time(alert.onset),
        "raised": format_time(alert.raised),
        "cleared": time_text(alert.cleared),
        "score": alert.score,
        "rule": alert.rule,
        "revision": alert.revision,
        "incident": alert.incident or None,
        "why": why_object(alert.why),
        "actions": [action_object(action) for action in alert.actions],
    }


def health_object(health: Health) -> dict[str, Any]:
    return {
        "asset": health.asset,
        "area": health.area,
        "time": format_time(health.time),
        "signals": health.signals,
        "remaining_life": health.remaining_life,
        "lower": health.lower,
        "upper": health.upper,
        "p_failure": health.p_failure,
        "note": health.note,
    }


def forecast_rows(forecast: Forecast) -> Iterator[dict[str, Any]]:
    """One row per target, with the columns of forecasts.csv."""
    issued = format_time(forecast.issued)
    for target, value, lower, upper in zip(
        forecast.target, forecast.value, forecast.lower, forecast.upper, strict=True
    ):
        yield {
            "issued": issued,
            "target": format_time(target),
            "series": forecast.series,
            "value": value,
            "lower": lower,
            "upper": upper,
        }


def quarantined_object(item: Quarantined) -> dict[str, Any]:
    return {
        "id": item.id,
        "time": format_time(item.time),
        "reading_time": time_text(item.reading_time),
        "topic": item.topic,
        "gateway": item.gateway,
        "series": item.series,
        "field": item.field,
        "value": item.value,
        "reason": item.reason,
        "excerpt": item.excerpt,
    }


def aggregate_rows(batch: Aggregates) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of ``AGGREGATE_COLUMNS``; values as Python numbers."""
    columns = (
        batch.i, batch.start, batch.count, batch.mean, batch.min, batch.max, batch.last,
        batch.coverage, batch.flag, batch.revision,
    )  # fmt: skip
    for i, start, *rest in zip(*(column.tolist() for column in columns), strict=True):
        yield (format_time(start), batch.window_s, batch.series[i], *rest)


def csv_text(rows: Iterable[tuple[Any, ...]]) -> str:
    """CSV lines without header; NaN becomes an empty cell, floats keep every digit that matters."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(["" if cell != cell else cell for cell in row] for row in rows)
    return text.getvalue()
