"""The city: every reading of every sensor at any time, as a function of the seed and the time alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints, Readings
from domain.sensors import Sensor
from domain.times import MINUTE_MS
from simulator.air import Air
from simulator.energy import Energy
from simulator.instrument import Column, SensorFault
from simulator.noise import Noise, keys_of
from simulator.plan import AIR, ENERGY, TRAFFIC, Town
from simulator.script import QUIET, Script
from simulator.traffic import Traffic
from simulator.world_event import AirEvent, EnergyEvent, TrafficEvent

_HELD_MS = 10 * MINUTE_MS  # a fault that holds a value looks back this far for it
_HELD_KEPT = 1_000


@dataclass(slots=True)
class _Block:
    """What m sensors report: ``t[m, n]``, which of it lies in the stretch, and a value array for each quantity."""

    sensors: Sequence[Sensor]
    t: Ints
    inside: NDArray[np.bool_]
    values: dict[str, Floats]


class City:
    """A town's sensors under a seed. Readings do not depend on how the time range is cut, nor on what was asked before.

    Each sensor reports at its interval, at its own second within it.
    """

    def __init__(self, town: Town, seed: int) -> None:
        self.town = town
        self.seed = seed
        self._traffic = Traffic(town, seed)
        self._air = Air(town, seed, self._traffic)
        self._energy = Energy(town, seed)
        self._slow = np.array([(site.sensor.interval_s or 60) > 60 for site in town.stations], dtype=np.bool_)
        self._phase: dict[tuple[str, int], Ints] = {}
        self._held: dict[tuple[SensorFault, str], float] = {}

    def readings(self, start_ms: int, end_ms: int, script: Script = QUIET) -> Readings:
        """All readings with ``start <= time < end``, in order of time."""
        parts = list(self.by_area(start_ms, end_ms, script).values())
        series = [name for part in parts for name in part.series]
        offsets = np.cumsum([0, *(len(part.series) for part in parts)])
        i = np.concatenate([np.zeros(0, np.int32), *(p.i + np.int32(o) for p, o in zip(parts, offsets, strict=False))])
        t = np.concatenate([np.zeros(0, np.int64), *(part.t for part in parts)])
        x = np.concatenate([np.zeros(0), *(part.x for part in parts)])
        order = np.argsort(t, kind="stable")
        return Readings(series, i[order].astype(np.int32), t[order], x[order])

    def by_area(self, start_ms: int, end_ms: int, script: Script = QUIET) -> dict[str, Readings]:
        """The same, apart for each area that has any; ``series`` lists all series of the area."""
        blocks = self._blocks(start_ms, end_ms, script)
        faults = script.faults(start_ms, end_ms)
        columns: dict[str, list[tuple[str, Ints, Floats]]] = {}
        broken = {fault.target.partition("/")[0] for fault in faults}
        areas: dict[str, list[Readings]] = {}
        for block in blocks:
            for area, rows in _rows_by_area(block.sensors).items():
                areas.setdefault(area, []).append(_flatten(block, rows))
        if broken:
            for block in blocks:
                for row, sensor in enumerate(block.sensors):
                    if sensor.sensor in broken:
                        columns.setdefault(sensor.area, []).extend(self._faulty(block, row, faults, script))
        joined = {area: _measured(_replace(_join(parts), columns.get(area, ()))) for area, parts in areas.items()}
        return {area: readings for area, readings in joined.items() if len(readings)}

    def _blocks(self, start: int, end: int, script: Script) -> list[_Block]:
        """Everything but sensor faults."""
        town = self.town
        events = script.events(start, end)
        loops = [site.sensor for site in town.loops]
        t, inside = self._grid(loops, start, end)
        on_roads = partial(_on_roads, script)
        values = self._traffic.readings(t, on_roads)
        blocks = [_Block(loops, t, inside, dict(zip(TRAFFIC, values, strict=True)))]
        in_air = [event for event in events if isinstance(event, AirEvent)]
        for slow in (False, True):
            rows = np.flatnonzero(self._slow == slow)
            if len(rows):
                stations = [town.stations[row].sensor for row in rows]
                t, inside = self._grid(stations, start, end)
                given = self._air.readings(t, rows, in_air, on_roads)
                blocks.append(_Block(stations, t, inside, {quantity: given[quantity] for quantity in AIR}))
        meters = [site.sensor for site in town.meters]
        t, inside = self._grid(meters, start, end)
        active = [event for event in events if isinstance(event, EnergyEvent)]
        measured = self._energy.readings(t, active, script.energy_events(end))
        blocks.append(_Block(meters, t, inside, dict(zip(ENERGY, measured, strict=True))))
        return blocks

    def _grid(self, sensors: Sequence[Sensor], start: int, end: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Report times ``[m, n]`` of sensors of one interval, and which lie in the stretch."""
        interval = int((sensors[0].interval_s or 60) * 1_000)
        phase = self._phases(sensors)[:, None]
        slots = np.arange(start // interval - 1, max(start, end - 1) // interval + 1, dtype=np.int64)
        t = slots * interval + phase
        inside = (t >= start) & (t < end)
        some = inside.any(axis=0)
        return t[:, some], inside[:, some]

    def _phases(self, sensors: Sequence[Sensor]) -> Ints:
        key = (sensors[0].sensor, len(sensors))
        if key not in self._phase:
            self._phase[key] = phases(self.seed, sensors)
        return self._phase[key]

    def _faulty(
        self, block: _Block, row: int, faults: Sequence[SensorFault], script: Script
    ) -> list[tuple[str, Ints, Floats]]:
        """What is reported for each series of a sensor with faults."""
        columns = []
        mine = block.inside[row]
        others = {quantity: values[row][mine] for quantity, values in block.values.items()}
        for quantity, values in block.values.items():
            name = f"{block.sensors[row].sensor}/{quantity}"
            t, x = block.t[row][mine], values[row][mine]
            reaching = sorted((fault for fault in faults if fault.reaches(name)), key=lambda fault: fault.stage)
            for k, fault in enumerate(reaching):
                if len(t):
                    t, x = self._apply(fault, name, t, x, others if k == 0 else {}, script)
            columns.append((name, t, x))
        return columns

    def _apply(
        self, fault: SensorFault, name: str, t: Ints, x: Floats, others: dict[str, Floats], script: Script
    ) -> tuple[Ints, Floats]:
        acting = (t >= fault.start) & (t < fault.end)
        if not acting.any():
            return t, x
        beside = {quantity: values[acting] for quantity, values in others.items()}
        told = fault.apply(Column(name, t[acting], x[acting], self._held_before(fault, name, script), beside))
        t, x = np.concatenate([t[~acting], told.t]), np.concatenate([x[~acting], told.x])
        order = np.argsort(t, kind="stable")
        return t[order], x[order]

    def _held_before(self, fault: SensorFault, name: str, script: Script) -> float:
        """The last value of a series before a fault, as it was without sensor faults."""
        key = (fault, name)
        if key not in self._held:
            if len(self._held) >= _HELD_KEPT:
                self._held.clear()
            sensor, _, quantity = name.partition("/")
            for block in self._blocks(fault.start - _HELD_MS, fault.start, script):
                for row, one in enumerate(block.sensors):
                    if one.sensor == sensor:
                        values = block.values[quantity][row][block.inside[row]]
                        good = values[~np.isnan(values)]
                        self._held[key] = float(good[-1]) if len(good) else 0.0
        return self._held[key]


def _on_roads(script: Script, start: int, end: int) -> Sequence[TrafficEvent]:
    return [event for event in script.events(start, end) if isinstance(event, TrafficEvent)]


def phases(seed: int, sensors: Sequence[Sensor]) -> Ints:
    """``int64[m]`` ms into its interval at which each sensor reports: a whole second."""
    share = Noise(seed, "phase").uniform(keys_of([sensor.sensor for sensor in sensors]), np.zeros(1, np.int64))[:, 0]
    seconds = np.array([int(sensor.interval_s or 60) for sensor in sensors])
    return np.asarray((share * seconds).astype(np.int64) * 1_000, dtype=np.int64)


def _measured(readings: Readings) -> Readings:
    """Without what could not be measured: it is not reported."""
    there = ~np.isnan(readings.x)
    if there.all():
        return readings
    return Readings(readings.series, readings.i[there], readings.t[there], readings.x[there])


def _rows_by_area(sensors: Sequence[Sensor]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, sensor in enumerate(sensors):
        rows.setdefault(sensor.area, []).append(row)
    return rows


def _flatten(block: _Block, rows: list[int]) -> Readings:
    """The chosen sensors' readings, slot by slot."""
    quantities = list(block.values)
    series = [f"{block.sensors[row].sensor}/{quantity}" for row in rows for quantity in quantities]
    x = np.stack([block.values[quantity][rows] for quantity in quantities], axis=1).reshape(len(series), -1)
    t = np.repeat(block.t[rows], len(quantities), axis=0)
    inside = np.repeat(block.inside[rows], len(quantities), axis=0).T
    i = np.broadcast_to(np.arange(len(series), dtype=np.int32), inside.shape)
    return Readings(series, i[inside], t.T[inside], x.T[inside])


def _join(parts: Sequence[Readings]) -> Readings:
    """Several blocks of an area as one, in order of time."""
    i, start = [], 0
    for part in parts:
        i.append(part.i + np.int32(start))
        start += len(part.series)
    t = np.concatenate([part.t for part in parts])
    order = np.argsort(t, kind="stable")
    x = np.concatenate([part.x for part in parts])
    return Readings([name for part in parts for name in part.series], np.concatenate(i)[order], t[order], x[order])


def _replace(readings: Readings, columns: Sequence[tuple[str, Ints, Floats]]) -> Readings:
    """Put other columns in place of some series."""
    if not columns:
        return readings
    rows = [readings.series.index(name) for name, _, _ in columns]
    kept = ~np.isin(readings.i, rows)
    i = [readings.i[kept], *(np.full(len(t), row, np.int32) for row, (_, t, _) in zip(rows, columns, strict=True))]
    t = np.concatenate([readings.t[kept], *(t for _, t, _ in columns)])
    x = np.concatenate([readings.x[kept], *(x for _, _, x in columns)])
    order = np.lexsort((np.concatenate(i), t))
    return Readings(readings.series, np.concatenate(i)[order], t[order], x[order])
