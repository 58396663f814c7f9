"""What has stopped speaking, told at the highest level that is down: feed, line, controller, area, sensor, series.

The first three are columns of the sensors table. State is kept per area, so a feed that serves several areas is found
in each of them under its own name; the desk folds these into one alert (``streams/desk.py``). Suppressed is the
alerting, never the watching: while a finding of a higher level is open, its sensors are still followed, and those
that stay silent when it is over get findings of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from domain.codec import decode_as, encode
from domain.messages import Channel, Finding, ModelRef, Why
from domain.readings import Floats
from domain.scores import Judged
from domain.times import format_time
from models.missing import Missing
from models.series_spec import SeriesSpec
from models.silence import Gap, Silence
from streams.quarantine import identity

#: From the highest down; what is not in a sensor's row of the table is passed over.
LEVELS = ("feed", "line", "controller", "area", "sensor", "series")
_GROUP_SENSORS_MIN = 2
_AREA_SENSORS_MIN = 3
_AREA_SHARE = 0.5
_SEVERITY = {"feed": "high", "line": "high", "controller": "medium", "area": "high", "sensor": "low", "series": "low"}
_SCORE = {"sensor": 0.6, "series": 0.55}
_WORDS = {
    "feed": "Feed {} is down: all its sensors here have sent nothing since {} (silent)",
    "line": "Line {} is down: all its sensors here have sent nothing since {} (silent)",
    "controller": "Controller {} is down: all its sensors have sent nothing since {} (silent)",
    "area": "Most sensors of {} have sent nothing since {} (silent): look at the feed first",
    "sensor": "{} has sent nothing since {} (silent, drop-out: readings are missing)",
    "series": "{} has sent nothing since {} though its sensor speaks (silent, drop-out: readings are missing)",
}
Place = tuple[str, str]  # level and name


@dataclass(frozen=True, slots=True)
class _Quiet:
    """Since when something says nothing: its last reading, and when the next one was due; epoch ms."""

    last: int
    due: int


class SilenceWatch:
    """Dead-man timers of one area."""

    def __init__(self, area: str, specs: list[SeriesSpec]) -> None:
        self._area = area
        self._specs = specs
        self._timers = Silence()
        self._missing = Missing()
        self._open: dict[Place, Finding] = {}
        self._told: dict[Place, int] = {}  # the last silence that each place was told of, by its onset
        self._interval_s: Floats | None = None

    def seen(self, readings: Judged, now: int, interval_s: Floats) -> None:
        self._interval_s = interval_s
        for row in self._missing.waiting():
            spoke = readings.t[(readings.row == row) & (readings.t > self._timers.last()[row])]
            if len(spoke):
                self._missing.end(row, int(spoke.min()))
        self._timers.seen(readings.row, readings.t, now, interval_s)

    def gaps(self) -> list[Finding]:
        """Silences that began and ended since the last look at the clock: each is opened and closed at once."""
        found: list[Finding] = []
        by_sensor: dict[str, list[Gap]] = {}
        for gap in self._timers.gaps():
            by_sensor.setdefault(self._specs[gap[0]].sensor.sensor, []).append(gap)
            row, last, until, due = gap
            self._missing.begin(row, last, due)
            self._missing.end(row, until)
        for sensor, gaps in by_sensor.items():
            rows = {k for k, spec in enumerate(self._specs) if spec.sensor.sensor == sensor}
            whole = rows == {gap[0] for gap in gaps} and len({gap[1:3] for gap in gaps}) == 1
            for row, last, until, due in gaps[:1] if whole else gaps:
                place = ("sensor", sensor) if whole else self._series_place(row)
                opened = self._begin(place, _Quiet(last, due), self._told_at(row, last))
                found += [opened, self._close(place, until)]
        return found

    def check(self, now: int, interval_s: Floats) -> list[Finding]:
        """What opens and closes at ``now``."""
        self._interval_s = interval_s
        last = self._timers.last()
        for row in self._timers.overdue(now, interval_s).tolist():
            self._missing.begin(row, int(last[row]), self._timers.due_ms(row, int(last[row]), interval_s)[0])
        self._missing.on_time(now)
        self._timers.back()
        wanted = self._wanted()
        found = [self._close(place, now) for place in [*self._open] if place not in wanted]
        return found + [self._begin(place, quiet, now) for place, quiet in wanted.items() if place not in self._open]

    def missing(self) -> Judged:
        """Readings found missing by the last ``seen`` and ``gaps``, or ``check``: see :mod:`models.missing`."""
        return self._missing.told()

    def _wanted(self) -> dict[Place, _Quiet]:
        """The highest places that are silent, each since the latest word of anything in it."""
        last = self._timers.last()
        silent = {int(row): self._quiet(int(row), int(last[row])) for row in self._timers.silent()}
        spoke = [row for row in range(len(last)) if last[row] > 0]
        wanted: dict[Place, _Quiet] = {}
        for level in LEVELS if silent else ():
            groups: dict[str, list[int]] = {}
            for row in spoke:
                if (name := self._name(level, row)) is not None:
                    groups.setdefault(name, []).append(row)
            for name, rows in groups.items():
                quiet = [row for row in rows if row in silent]
                if quiet and self._down(level, rows, quiet):
                    choose = min if level == "area" else max
                    wanted[level, name] = choose((silent[row] for row in quiet), key=lambda q: q.last)
                    for row in quiet:
                        del silent[row]
                    spoke = [row for row in spoke if row not in quiet]
        return wanted

    def _down(self, level: str, rows: list[int], quiet: list[int]) -> bool:
        """Whether a group counts as silent, ``quiet`` being those of its rows that are."""
        speaking = {self._specs[row].sensor.sensor for row in rows if row not in quiet}
        sensors = {self._specs[row].sensor.sensor for row in rows}
        mute = len(sensors - speaking)
        if level == "area":
            return mute >= max(_AREA_SENSORS_MIN, _AREA_SHARE * len(sensors))
        if level in ("sensor", "series"):
            return not speaking
        return not speaking and mute >= _GROUP_SENSORS_MIN

    def _name(self, level: str, row: int) -> str | None:
        spec = self._specs[row]
        known = {"area": self._area, "sensor": spec.sensor.sensor, "series": spec.name}
        return known.get(level) or spec.sensor.extra.get(level, "").strip() or None

    def _series_place(self, row: int) -> Place:
        """A series on its own, or its sensor where that measures nothing else."""
        sensor = self._specs[row].sensor.sensor
        alone = sum(spec.sensor.sensor == sensor for spec in self._specs) == 1
        return ("sensor", sensor) if alone else ("series", self._specs[row].name)

    def _quiet(self, row: int, last: int) -> _Quiet:
        assert self._interval_s is not None
        return _Quiet(last, self._timers.due_ms(row, last, self._interval_s)[0])

    def _told_at(self, row: int, last: int) -> int:
        assert self._interval_s is not None
        return self._timers.due_ms(row, last, self._interval_s)[1]

    def _begin(self, place: Place, quiet: _Quiet, now: int) -> Finding:
        level, name = place
        series = [spec.name for row, spec in enumerate(self._specs) if self._name(level, row) == name]
        sensor = next((spec.sensor for spec in self._specs if spec.sensor.sensor == name), None)
        where = (sensor.place or name) if sensor and level == "sensor" else name
        rule = f"silence.{level}"
        why = Why(
            sentence=_WORDS[level].format(where, format_time(quiet.last)) + ".",
            observed=None,
            expected=None,
            lower=None,
            upper=None,
            one_in=None,
            since=quiet.last,
            channels=[Channel("silence", 1.0)],
            model=ModelRef("silence", Silence.version, {"intervals": 5.0, "at_least_s": 120.0, "cause": "silent"}),
        )
        # A place whose finding a higher one had swallowed may open another for the same silence.
        again = (now,) if self._told.get(place) == quiet.due else ()
        finding = Finding(
            id=identity(rule, self._area, name, quiet.due, *again),
            rule=rule,
            kind="silence",
            phase="open",
            area=self._area,
            place=where,
            series=series,
            time=now,
            onset=quiet.due,
            score=_SCORE.get(level, 0.8),
            severity=_SEVERITY[level],
            why=why,
        )
        self._told[place] = quiet.due
        self._open[place] = finding
        return finding

    def _close(self, place: Place, now: int) -> Finding:
        return replace(self._open.pop(place), phase="close", time=now)

    def snapshot(self) -> dict[str, Any]:
        return {
            "timers": self._timers.snapshot(),
            "missing": self._missing.snapshot(),
            "open": [[*place, encode(finding)] for place, finding in self._open.items()],
            "told": [[*place, onset] for place, onset in self._told.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._timers.restore(payload["timers"])
        self._missing.restore(payload["missing"])
        self._open = {(level, name): decode_as(Finding, raw) for level, name, raw in payload["open"]}
        self._told = {(level, name): int(onset) for level, name, onset in payload["told"]}
