"""Records of what could not be used. The id is a hash of the thing itself: the same thing again is the same record."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from domain import topics
from domain.errors import Rejected, Rejection, shorten
from domain.messages import Finding, Forecast, Health, Quarantined
from domain.ports import Result
from domain.readings import Readings
from domain.series import parse_series
from domain.times import TIME_MS_MAX
from domain.windows import Aggregates

_EXCERPT_CHARS = 500

#: Why a reading of a frame was put aside: the field at fault and the sentence.
REASONS = {
    "name": ("series", "not a series name that can be used"),
    "unknown": ("series", "unknown sensor: put aside until it is registered"),
    "time": ("time", "not a time that can be kept"),
    "future": ("time", "too far ahead of the clock"),
    "range": ("value", "outside what an instrument can measure in this unit"),
    "lost": ("time", "its window was published before the state was lost: it can no longer be revised"),
    "late": ("time", "too late: beyond the horizon within which windows are revised"),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from; ``gateway`` is empty for readings that came on their own."""

    topic: str
    gateway: str


def identity(*parts: object) -> str:
    """A short stable id of the parts, in their order."""
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass"))
        digest.update(b"\x1f")
    return digest.hexdigest()


def put_aside(origin: Origin, now: int, readings: Readings, aside: dict[str, NDArray[np.intp]]) -> list[Quarantined]:
    """One record for each reading that was put aside; ``aside`` holds positions by reason."""
    records = []
    for kind, positions in aside.items():
        field, reason = REASONS[kind]
        for k in positions.tolist():
            series, t, x = readings.series[readings.i[k]], int(readings.t[k]), float(readings.x[k])
            why = _name_error(series) if kind == "name" else reason
            records.append(
                Quarantined(
                    id=identity(series, t, x, kind),
                    time=max(now, 0),  # before the first tick there is no time yet
                    topic=origin.topic,
                    gateway=origin.gateway,
                    series=shorten(series),
                    value=repr(x),
                    field=field,
                    reason=why,
                    reading_time=t if abs(t) < TIME_MS_MAX else None,
                )
            )
    return records


def unreadable(origin: Origin, now: int, raw: bytes, position: int, field: str, value: str, reason: str) -> Quarantined:
    """A record of a message, or of one entry of it, that is no reading."""
    return Quarantined(
        id=identity(raw, position),
        time=now,
        topic=origin.topic,
        gateway=origin.gateway,
        series="",
        value=value,
        field=field,
        reason=reason,
        excerpt=raw[:_EXCERPT_CHARS].decode("utf-8", "replace"),
    )


def refused_result(result: Result, rejection: Rejection) -> Quarantined | None:
    """A record of a result that the store refused for good; None for one that is such a record itself."""
    match result:
        case Quarantined():
            return None
        case Aggregates():
            topic, series, time = topics.AGGREGATES, result.series[int(result.i[0])], int(result.start.max())
        case Finding():
            topic, series, time = topics.FINDINGS, result.place, result.time
        case Forecast():
            topic, series, time = topics.FORECASTS, result.series, result.issued
        case Health():
            topic, series, time = topics.HEALTH, result.asset, result.time
    clean = rejection.value.encode("utf-8", "replace").decode()
    return Quarantined(
        id=identity("refused", topic, series, time, rejection.value),
        time=max(time, 0),
        topic=topic,
        gateway="",
        series=shorten(series.encode("utf-8", "replace").decode()),
        value=shorten(clean),
        field=rejection.field,
        reason=f"the store refused this result: {rejection.reason}",
        excerpt=clean[:_EXCERPT_CHARS],
    )


def _name_error(series: str) -> str:
    try:
        parse_series(series)
    except Rejected as error:
        return error.reason
    return REASONS["name"][1]
