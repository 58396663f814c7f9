"""Sensors that have stopped speaking: one finding per sensor, or one for the area when most of it is silent.

Suppressed is the alerting, never the watching: while an area's finding is open, its sensors are still followed, and
those that stay silent when the area speaks again get findings of their own.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from domain.codec import decode_as, encode
from domain.messages import Channel, Finding, ModelRef, Why
from domain.readings import Floats
from domain.scores import Judged
from domain.times import format_time
from models.series_spec import SeriesSpec
from models.silence import Silence
from streams.quarantine import identity

_AREA = ""  # the place of the area's own finding
_AREA_SENSORS_MIN = 3
_AREA_SHARE = 0.5


class SilenceWatch:
    """Dead-man timers of one area."""

    def __init__(self, area: str, specs: list[SeriesSpec]) -> None:
        self._area = area
        self._specs = specs
        self._timers = Silence()
        self._open: dict[str, Finding] = {}  # by sensor; _AREA for the area

    def seen(self, readings: Judged, now: int, interval_s: Floats) -> None:
        self._timers.seen(readings.row, readings.t, now, interval_s)

    def check(self, now: int, interval_s: Floats) -> list[Finding]:
        """What opens and closes at ``now``."""
        self._timers.overdue(now, interval_s)
        self._timers.back()
        silent = self._silent_sensors()
        sensors = {spec.sensor.sensor for spec in self._specs}
        most = len(silent) >= max(_AREA_SENSORS_MIN, _AREA_SHARE * len(sensors))
        wanted = {_AREA: min(silent.values())} if most else silent
        found = [self._close(place, now) for place in [*self._open] if place not in wanted]
        return found + [self._begin(place, since, now) for place, since in wanted.items() if place not in self._open]

    def _silent_sensors(self) -> dict[str, int]:
        """Sensors of which every series that ever spoke is silent now, and since when."""
        silent, last = set(self._timers.silent().tolist()), self._timers.last()
        since: dict[str, int] = {}
        speaking = {
            spec.sensor.sensor
            for row, spec in enumerate(self._specs[: len(last)])
            if row not in silent and last[row] > 0
        }
        for row in sorted(silent):
            sensor = self._specs[row].sensor.sensor
            if sensor not in speaking:
                since[sensor] = max(since.get(sensor, 0), int(last[row]))
        return since

    def _begin(self, place: str, since: int, now: int) -> Finding:
        series = [spec.name for spec in self._specs if place in (_AREA, spec.sensor.sensor)]
        rule = "silence.sensor" if place else "silence.area"
        sensor = next((spec.sensor for spec in self._specs if spec.sensor.sensor == place), None)
        where = (sensor.place or sensor.sensor) if sensor else self._area
        words = (
            f"{where} has sent nothing since {format_time(since)}"
            if place
            else f"Most sensors of {self._area} have sent nothing since {format_time(since)}: look at the feed first"
        )
        why = Why(
            sentence=words + ".",
            observed=None,
            expected=None,
            lower=None,
            upper=None,
            one_in=None,
            since=since,
            channels=[Channel("silence", 1.0)],
            model=ModelRef("silence", Silence.version, {"intervals": 5.0, "at_least_s": 120.0}),
        )
        finding = Finding(
            # With ``now``: a sensor whose finding the area's had swallowed may open another for the same silence.
            id=identity(rule, self._area, place, since, now),
            rule=rule,
            kind="silence",
            phase="open",
            area=self._area,
            place=where,
            series=series,
            time=now,
            onset=since,
            score=0.6 if place else 0.8,
            severity="low" if place else "high",
            why=why,
        )
        self._open[place] = finding
        return finding

    def _close(self, place: str, now: int) -> Finding:
        return replace(self._open.pop(place), phase="close", time=now)

    def snapshot(self) -> dict[str, Any]:
        return {"timers": self._timers.snapshot(), "open": {p: encode(f) for p, f in self._open.items()}}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._timers.restore(payload["timers"])
        self._open = {place: decode_as(Finding, raw) for place, raw in payload["open"].items()}
