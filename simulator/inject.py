"""Labelled faults put onto a recording: the same kinds as in the simulated town, on readings that are real."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from domain.readings import Floats, Ints, Readings
from domain.sensors import Sensor
from domain.times import DAY_MS, format_time
from simulator.geometry import lay_out
from simulator.instrument import Column, SensorFault
from simulator.kinds import KINDS, Item
from simulator.plan import NEIGHBOURHOODS, Town
from simulator.scenario import made
from simulator.scenario_checks import check_together
from simulator.scenario_fields import Step
from simulator.scenario_nodes import Problems, nearest
from simulator.transport import Arrivals, TransportFault, arrivals
from simulator.truth import Truth


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recording holds: its series, and the first and last time (epoch ms)."""

    series: tuple[str, ...]
    first: int
    last: int

    @classmethod
    def of(cls, chunks: Iterable[Readings]) -> "Recording":
        """One pass over it; an empty one has no series."""
        names: dict[str, None] = {}
        first, last = None, 0
        for chunk in chunks:
            names.update(dict.fromkeys(chunk.series))
            first = int(chunk.t[0]) if first is None and len(chunk) else first
            last = max(last, int(chunk.t[-1])) if len(chunk) else last
        return cls(tuple(names), first or 0, last)


class Recorded(Town):
    """A town of which no more is known than the sensors of a recording."""

    def __init__(self, series: Sequence[str], sensors: Mapping[str, Sensor]) -> None:
        super().__init__(0, lay_out(0, NEIGHBOURHOODS), (), (), (), [], "the recording")
        quantities: dict[str, list[str]] = {}
        for name in series:
            sensor, _, quantity = name.partition("/")
            quantities.setdefault(sensor, []).append(quantity)
        known = [sensors.get(name) or Sensor(name, name) for name in quantities]
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_quantities", quantities)

    @cached_property
    def sensors(self) -> list[Sensor]:
        return list(self._known)  # type: ignore[attr-defined]

    def quantities(self, sensor: Sensor) -> tuple[str, ...]:
        return tuple(self._quantities[sensor.sensor])  # type: ignore[attr-defined]


class Injector:
    """Faults on their way into a recording."""

    def __init__(self, town: Town, steps: Sequence[Step], recording: Recording, file: str) -> None:
        """Day 1 of the faults is the day (UTC) of the first reading.

        Raises:
            BadFile: a fault is on nothing that was recorded, or two exclude each other; every one is told.
        """
        self._town = town
        self._series = recording.series
        items = [(step, made(step, recording.first // DAY_MS * DAY_MS)) for step in steps]
        problems = Problems(file)
        _check_targets(problems, town, items, recording)
        problems.check()
        check_together(problems, town, items)
        problems.check()
        self.truths: list[Truth] = [item.truth(town) for _, item in items]
        faults = [item for _, item in items if isinstance(item, SensorFault)]
        self._faults = sorted(faults, key=lambda fault: fault.stage)
        self._labelled = [frozenset(fault.truth(town).series) for fault in self._faults]
        self._transport = [item for _, item in items if isinstance(item, TransportFault)]
        self._last: dict[str, float] = {}
        self._held: dict[tuple[int, str], float] = {}

    def played(self, chunks: Iterable[Readings]) -> Iterator[Arrivals]:
        """What arrives, chunk by chunk of a recording in order of time; the last holds what is still on its way."""
        waiting: Arrivals | None = None
        for chunk in _whole_times(chunks):
            fresh = self._travelled(self._measured(chunk))
            waiting = fresh if waiting is None else waiting.merged(fresh)
            due, waiting = waiting.split(int(chunk.t[-1]) - 1)
            yield due
        if waiting is not None:
            yield waiting

    def _measured(self, chunk: Readings) -> Readings:
        """What the faulty instruments report instead."""
        before = dict(self._last)
        columns = _columns(chunk)
        told: dict[str, tuple[Ints, Floats]] = {}
        for number, labelled in enumerate(self._labelled):
            for name in columns:
                if name in labelled:
                    t, x = told.get(name, columns[name])
                    told[name] = self._apply(number, name, t, x, columns, before)
        for name, (_, x) in columns.items():
            good = x[~np.isnan(x)]
            if len(good):
                self._last[name] = float(good[-1])
        return _replaced(chunk, told) if told else chunk

    def _apply(
        self,
        number: int,
        name: str,
        t: Ints,
        x: Floats,
        columns: Mapping[str, tuple[Ints, Floats]],
        before: Mapping[str, float],
    ) -> tuple[Ints, Floats]:
        """One series of a chunk under fault ``number``; ``before`` has the last good value of each earlier."""
        fault = self._faults[number]
        acting = (t >= fault.start) & (t < fault.end)
        if not acting.any():
            return t, x
        held = self._held.setdefault((number, name), _held(t, x, fault.start, before.get(name)))
        sensor = name.partition("/")[0]
        others = {
            other.partition("/")[2]: _last_at(t[acting], columns.get(other), before.get(other, np.nan))
            for other in self._series
            if other != name and other.partition("/")[0] == sensor
        }
        column = fault.apply(Column(name, t[acting], x[acting], held, others))
        t, x = np.concatenate([t[~acting], column.t]), np.concatenate([x[~acting], column.x])
        order = np.argsort(t, kind="stable")
        return t[order], x[order]

    def _travelled(self, readings: Readings) -> Arrivals:
        """As it arrives. A recording without transport faults arrives when it was measured."""
        if not self._transport:
            return Arrivals(readings.t, readings)
        return arrivals(self._town, readings, self._transport, 0)


def _whole_times(chunks: Iterable[Readings]) -> Iterator[Readings]:
    """The same, cut so that what was read at one time is together: inputs of one instrument are."""
    held: Readings | None = None
    for chunk in chunks:
        if not len(chunk):
            continue
        whole = chunk if held is None else Readings.joined([held, chunk])
        first = whole.t < whole.t[-1]
        if first.any():
            yield whole.take(first)
        held = whole.take(~first)
    if held is not None:
        yield held


def _check_targets(problems: Problems, town: Town, items: Sequence[tuple[Step, Item]], recording: Recording) -> None:
    for step, item in items:
        whole = [sensor.area for sensor in town.sensors]
        places, wanted = whole, "area"
        if KINDS[step.kind].cause == "sensor":
            places, wanted = [sensor.sensor for sensor in town.sensors], "sensor"
            if "series" in KINDS[step.kind].targets:
                places, wanted = [*places, *town.series], "sensor or series"
        if step.target not in places:
            reason = f"no such {wanted} was recorded{nearest(step.target, sorted(set(places)))}"
            problems.add(step.line, "target", step.target, reason)
        elif not item.truth(town).series:
            problems.add(step.line, "target", step.target, f"measures nothing that {step.kind} could change")
        if item.start > recording.last or item.end <= recording.first:
            problems.add(step.line, "at", format_time(item.start), "nothing was recorded in this time")


def _columns(chunk: Readings) -> dict[str, tuple[Ints, Floats]]:
    order = np.argsort(chunk.i, kind="stable")
    rows, starts = np.unique(chunk.i[order], return_index=True)
    parts = zip(rows, np.split(order, starts[1:]), strict=True)
    return {chunk.series[row]: (chunk.t[part], chunk.x[part]) for row, part in parts}


def _replaced(chunk: Readings, told: Mapping[str, tuple[Ints, Floats]]) -> Readings:
    """Other columns in place of some; every row stays where it was, in order of time."""
    row_of = {name: row for row, name in enumerate(chunk.series)}
    untouched = np.flatnonzero(~np.isin(chunk.i, [row_of[name] for name in told]))
    i, t, x, place = [chunk.i[untouched]], [chunk.t[untouched]], [chunk.x[untouched]], [untouched]
    for name, (times, values) in told.items():
        mine = np.flatnonzero(chunk.i == row_of[name])
        i.append(np.full(len(times), row_of[name], np.int32))
        t.append(times)
        x.append(values)
        place.append(mine[np.minimum(np.searchsorted(chunk.t[mine], times), len(mine) - 1)])
    order = np.lexsort((np.concatenate(place), np.concatenate(t)))
    return Readings(chunk.series, np.concatenate(i)[order], np.concatenate(t)[order], np.concatenate(x)[order])


def _last_at(t: Ints, column: tuple[Ints, Floats] | None, before: float) -> Floats:
    """What an input shows at times ``t``: its last value until then, ``before`` where none has come yet."""
    if column is None:
        return np.full(len(t), before)
    there = ~np.isnan(column[1])
    times, values = column[0][there], np.append(column[1][there], before)
    return np.asarray(values[np.searchsorted(times, t, side="right") - 1], dtype=np.float64)


def _held(t: Ints, x: Floats, start: int, before: float | None) -> float:
    """The last good value before a fault; where there is none, the first of all."""
    good = x[(t < start) & ~np.isnan(x)]
    if len(good):
        return float(good[-1])
    return float(x[0]) if before is None else before
