"""Daily verdicts on sensors in the words of PeMS, with a named cause and what it costs (:mod:`domain.worklist`).

The day is 05:00 to 21:59 UTC for the traffic tests (PeMS; a local clock is not known here, and the tests need only the
busy hours) and the whole day for the others. Counts are kept per series and UTC day and told when the day is closed;
readings that come later are passed over.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from domain.flags import Flag, Test
from domain.messages import Verdict
from domain.readings import Floats, Ints
from domain.scores import Judged
from domain.times import DAY_MS, HOUR_MS
from models.causes import CAUSES
from models.contract import Payload
from models.quality_limits import CARD_OFF, IMPORTANCE, PEMS
from models.series_spec import SeriesSpec

_FLOW, _OCCUPANCY = "traffic.flow", "traffic.occupancy"
_APART: Final = next(k for k, cause in enumerate(CAUSES) if cause.tests == Test.NEIGHBOUR)
_BAD_BEFORE: Final = ~int(Test.NEIGHBOUR | Test.LATE | Test.GAP) & 0xFFFFFFFF  # other bits: it was bad before
_BLOCKS: Final = 6  # of four hours: PeMS 'Constant'
(SEEN, BUSY, ZERO, HIGH, BAD) = range(5)
_COUNTS: Final = 5


class _Day:
    """Counts of one day, by row."""

    def __init__(self, rows: int) -> None:
        self.counts = np.zeros((_COUNTS, rows))
        self.causes = np.zeros((len(CAUSES), rows))
        self.moved = np.zeros((_BLOCKS, rows))  # sum of |change| in each block of four hours
        self.level = np.zeros((_BLOCKS, rows))  # sum of values in it

    NAMES: ClassVar[tuple[str, ...]] = ("counts", "causes", "moved", "level")

    def grow(self, rows: int) -> None:
        for name in self.NAMES:
            old = getattr(self, name)
            if old.shape[1] < rows:
                setattr(self, name, np.pad(old, ((0, 0), (0, rows - old.shape[1]))))


class DayVerdicts:
    """Counts readings per row and day; ``close_day`` gives one verdict per sensor."""

    kind: ClassVar[str] = "day-verdicts"
    version: ClassVar[str] = "2"  # 2: one more cause

    def __init__(self) -> None:
        self._specs: list[SeriesSpec] = []
        self._days: dict[int, _Day] = {}
        self._closed = np.iinfo(np.int64).min
        self._last: Floats = np.empty(0)
        self._first_day: Ints = np.empty(0, np.int64)
        self._occupancy = np.empty(0, dtype=bool)
        self._limits: Floats = np.empty((2, 0))  # what counts as zero, and as high, per row

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        more = len(specs) - len(self._last)
        if more <= 0:
            return
        self._specs = list(specs)
        self._last = np.append(self._last, np.full(more, np.nan))
        self._first_day = np.append(self._first_day, np.full(more, np.iinfo(np.int64).max))
        new = [spec.quantity.name for spec in specs[-more:]]
        high = {_OCCUPANCY: PEMS.high_occupancy, _FLOW: PEMS.high_flow_per_hour}
        fresh = np.array([[0.0] * more, [high.get(name, np.inf) for name in new]])
        self._limits = np.concatenate([self._limits, fresh], axis=1)
        self._occupancy = np.append(self._occupancy, [name == _OCCUPANCY for name in new])
        for day in self._days.values():
            day.grow(len(specs))

    def observe(self, readings: Judged) -> None:
        """Fold readings in, sorted by (row, t)."""
        number = readings.t // DAY_MS
        fresh = number >= self._closed
        if not fresh.all():
            readings, number = readings.take(fresh), number[fresh]
        if not len(readings):
            return
        row, x = readings.row, readings.x
        start = np.diff(row, prepend=-1) != 0
        before = np.where(start, self._last[row], np.roll(x, 1))
        change = np.nan_to_num(np.abs(x - before))
        first = np.flatnonzero(start)
        self._first_day[row[first]] = np.minimum(self._first_day[row[first]], number[first])
        for k in np.unique(number).tolist():
            day = self._days.setdefault(k, _Day(len(self._last)))
            self._add(day, readings, change, number == k)
        ends = np.flatnonzero(np.diff(row, append=-1))
        self._last[row[ends]] = x[ends]

    def observe_apart(self, readings: Judged) -> None:
        """Readings already folded in that have failed against their neighbours since, each told once."""
        number = readings.t // DAY_MS
        bad_before = (readings.tests & np.uint32(_BAD_BEFORE)) != 0
        for k in np.unique(number[number >= self._closed]).tolist():
            day, here = self._days.get(k), number == k
            if day is not None:
                day.causes[_APART] += np.bincount(readings.row[here], minlength=len(self._last))
                day.counts[BAD] += np.bincount(readings.row[here & ~bad_before], minlength=len(self._last))

    def _add(self, day: _Day, readings: Judged, change: Floats, chosen: Any) -> None:
        row, x, tests = readings.row[chosen], readings.x[chosen], readings.tests[chosen]
        rows, hour = len(self._last), (readings.t[chosen] // HOUR_MS) % 24
        busy = (hour >= PEMS.from_hour) & (hour < PEMS.to_hour)
        bad = (readings.flag[chosen] == Flag.SUSPECT) | (readings.flag[chosen] == Flag.FAIL)
        columns = (np.ones(len(row)), busy, busy & (x == 0), busy & (x > self._limits[1, row]), bad)
        for k, column in enumerate(columns):
            day.counts[k] += np.bincount(row, column.astype(np.float64), rows)
        if tests.any():
            for k, cause in enumerate(CAUSES):
                day.causes[k] += np.bincount(row, ((tests & np.uint32(cause.tests)) != 0).astype(np.float64), rows)
        road = self._occupancy[row]
        if road.any():
            cell = (hour // (24 // _BLOCKS) * rows + row)[road]
            day.moved += np.bincount(cell, change[chosen][road], _BLOCKS * rows).reshape(_BLOCKS, rows)
            day.level += np.bincount(cell, np.abs(x[road]), _BLOCKS * rows).reshape(_BLOCKS, rows)

    def close_day(self, end_ms: int, interval_s: Floats) -> dict[int, list[Verdict]]:
        """Verdicts of the days that end by ``end_ms``, by the start of the day (epoch ms)."""
        end = end_ms // DAY_MS
        told = {}
        for number in sorted(k for k in self._days if k < end):
            told[number * DAY_MS] = self._verdicts(number, self._days.pop(number), interval_s)
        self._closed = max(self._closed, end)
        return told

    def _verdicts(self, number: int, day: _Day, interval_s: Floats) -> list[Verdict]:
        day.grow(len(self._last))
        sensors: dict[str, list[int]] = {}
        for row, spec in enumerate(self._specs):
            if self._first_day[row] < number or (self._first_day[row] == number and day.counts[SEEN, row]):
                sensors.setdefault(spec.sensor.sensor, []).append(row)
        return [self._sensor(name, rows, number, day, interval_s) for name, rows in sensors.items()]

    def _sensor(self, name: str, rows: list[int], number: int, day: _Day, interval_s: Floats) -> Verdict:
        """The worst of what is wrong with the sensor's series: the one that most of its readings speak for."""
        wrong = [told for row in rows for told in self._series(row, number, day, interval_s)]
        wrong += self._pairs(rows, day)
        if not wrong:
            return Verdict(name, "good", "", 0.0, 0.0)
        verdict, cause, share, readings, row = max(wrong, key=lambda told: (told[3], told[0]))
        weight = IMPORTANCE.get(self._specs[row].quantity.field, 1.0)
        return Verdict(name, verdict, cause, round(min(share, 1.0), 4), round(readings * weight, 1))

    def _series(self, row: int, number: int, day: _Day, interval_s: Floats) -> list[tuple[str, str, float, float, int]]:
        seen, busy, zero, high, bad = day.counts[:, row].tolist()
        spec, found = self._specs[row], []
        if np.isfinite(interval_s[row]) and self._first_day[row] < number:
            expected = max(1.0, DAY_MS / 1_000 / float(interval_s[row]))
            if seen < PEMS.sufficient * expected:
                lost = expected - seen
                found.append(("Insufficient" if seen else "No data", "silent", lost / expected, lost, row))
        if spec.quantity.name == _OCCUPANCY and busy:
            card_off = CARD_OFF.get(spec.sensor.road_class or "", CARD_OFF["urban"])
            if zero >= card_off * busy:
                found.append(("Card off", "dropout", zero / busy, zero, row))
            if high >= PEMS.high_share * busy:
                found.append(("High value", "clipped", high / busy, high, row))
            still = (day.moved[:, row] < PEMS.constant) & (day.level[:, row] > 0)
            if still.any():
                found.append(("Constant", "stuck", float(still.mean()), seen * float(still.mean()), row))
        if spec.quantity.name == _FLOW and busy and (spec.sensor.road_class or "") == "ramp":
            if zero >= PEMS.ramp_zero_flow * busy:
                found.append(("Card off", "dropout", zero / busy, zero, row))
            if high >= PEMS.high_share * busy:
                found.append(("High value", "clipped", high / busy, high, row))
        causes = day.causes[:, row]
        if seen and bad >= PEMS.failed_share * seen and causes.any():
            cause = CAUSES[int(np.argmax(causes))].rule.removeprefix("quality.")
            found.append(("Failed tests", cause, bad / seen, bad, row))
        return found

    def _pairs(self, rows: list[int], day: _Day) -> list[tuple[str, str, float, float, int]]:
        """PeMS 'Intermittent' of a detector, from the physics flags of its flow and occupancy."""
        physics = next(k for k, cause in enumerate(CAUSES) if cause.rule == "quality.physics")
        found = []
        for row in rows:
            seen, broken = day.counts[SEEN, row], float(day.causes[physics, row])
            if self._specs[row].quantity.name in (_FLOW, _OCCUPANCY) and seen and broken >= PEMS.intermittent * seen:
                found.append(("Intermittent", "intermittent", broken / seen, broken, row))
        return found

    def snapshot(self) -> Payload:
        return {
            "last": self._last.copy(),
            "first_day": self._first_day.copy(),
            "closed": int(self._closed),
            "days": [[k, {name: getattr(day, name).copy() for name in _Day.NAMES}] for k, day in self._days.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """After ``ensure`` with the series of the state."""
        self._last = np.array(payload["last"], np.float64)
        self._first_day = np.array(payload["first_day"], np.int64)
        self._closed = int(payload["closed"])
        self._days = {}
        for k, columns in payload["days"]:
            day = self._days[int(k)] = _Day(0)
            for name in _Day.NAMES:
                setattr(day, name, np.array(columns[name], np.float64))
