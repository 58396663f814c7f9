"""Power and energy at the meters.

Power without instrument noise runs in straight lines between nodes every 15 minutes; the counter is its exact
integral. What a meter reports as power scatters round it by :data:`METER_NOISE`, so over an hour counter and mean
reported power agree to about 0.2 %.
"""

from collections.abc import Sequence

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.events import EnergyEvent
from simulator.geometry import LAT, LON
from simulator.local_time import LocalTime, bump, local_time
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.weather import Weather, weather

METER_NOISE = 0.012
COMMISSIONED_MS = 1_767_225_600_000  # 2026-01-01: counters are known exactly here and are integrated from here
_STEP_MS = 15 * MINUTE_MS
_BLOCK_MS = 4 * DAY_MS
_CELLS = _BLOCK_MS // _STEP_MS
_CELL_H = _STEP_MS / HOUR_MS
_KEPT_BLOCKS = 3


def _homes(clock: LocalTime, sky: Weather) -> Floats:
    hour, home = clock.hour, 1 - clock.working
    shape = 0.17 + 0.20 * bump(hour, 7.6, 1.0) * (1 - 0.5 * home) + 0.42 * bump(hour, 18.6, 1.9)
    shape = shape + (0.12 + 0.12 * home) * bump(hour, 13.0, 3.0) + 0.10 * bump(hour, 21.6, 1.6)
    return shape * (1 + 0.022 * np.clip(15 - sky.temperature, 0, 20))


def _offices(clock: LocalTime, sky: Weather) -> Floats:
    opened = 1 / (1 + np.exp(-(clock.hour - 7.6) * 2.2)) - 1 / (1 + np.exp(-(clock.hour - 18.2) * 1.9))
    busy = clock.mixed(1.0, 0.25, 0.12)
    climate = 1 + 0.012 * np.abs(sky.temperature - 16)
    return 0.16 + 0.56 * opened * busy * climate


def _lighting(clock: LocalTime, sky: Weather) -> Floats:
    dark = 1 / (1 + np.exp((sky.elevation + 3) * 1.5))
    dimmed = 1 - 0.25 * bump(clock.hour, 3.0, 1.6)  # dimmed in the small hours
    return 0.05 + 0.85 * dark * dimmed


def _vehicles(clock: LocalTime, sky: Weather) -> Floats:
    work = 0.16 * bump(clock.hour, 10.5, 2.2) * clock.mixed(1.0, 0.6, 0.6)
    return (0.10 + 0.46 * bump(clock.hour, 20.4, 2.6) + work) * (1 + 0.008 * np.clip(12 - sky.temperature, 0, 20))


def _school(clock: LocalTime, sky: Weather) -> Floats:
    """A solar roof behind a zero-export inverter: it lowers the import, at most to the inverter's standing load."""
    opened = 1 / (1 + np.exp(-(clock.hour - 7.4) * 2.5)) - 1 / (1 + np.exp(-(clock.hour - 16.2) * 2.0))
    load = 0.16 + 0.58 * opened * clock.mixed(1.0, 0.06, 0.06)
    return np.maximum(load - 0.42 * sky.sun, 0.06)


def _substation(clock: LocalTime, sky: Weather) -> Floats:
    mixed = 0.52 * _homes(clock, sky) + 0.30 * _offices(clock, sky) + 0.07 * _lighting(clock, sky)
    return mixed + 0.11 * _vehicles(clock, sky)


#: kind of customer → share of the rated power by clock and weather
KINDS = {
    "homes": _homes,
    "offices": _offices,
    "lighting": _lighting,
    "vehicles": _vehicles,
    "school": _school,
    "substation": _substation,
}
_LIVELY = {"homes": 0.06, "offices": 0.04, "lighting": 0.006, "vehicles": 0.11, "school": 0.05, "substation": 0.02}


class Energy:
    """The meters of a town. Rows are meters, in the order of ``town.meters``."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._seed = seed
        names = [site.sensor.sensor for site in town.meters]
        self._keys = keys_of(names)
        self._rated = np.array([site.sensor.rated_kw or 0.0 for site in town.meters])
        self._customers = np.array([site.customer for site in town.meters])
        self._lively = np.array([_LIVELY[site.customer] for site in town.meters])[:, None]
        self._level = 0.88 + 0.24 * Noise(seed, "level").uniform(self._keys, np.zeros(1, np.int64))[:, 0]
        first = Noise(seed, "first-reading").uniform(self._keys, np.zeros(1, np.int64))[:, 0]
        self._at_start = np.round(self._rated * 8_766 * (3 + 2 * first), 3)  # some years of use
        self._blocks: dict[int, tuple[Floats, Floats]] = {}
        self._totals: dict[int, Floats] = {0: np.zeros(len(names))}
        self._lost: dict[EnergyEvent, Floats] = {}

    def readings(self, t: Ints, active: Sequence[EnergyEvent], earlier: Sequence[EnergyEvent]) -> tuple[Floats, Floats]:
        """Active power kW and counter kWh at times ``t[m, n]``.

        Args:
            active: events that act somewhere in ``t``. earlier: all that began before its end, counters keep them.
        """
        if t.size == 0:
            return np.zeros(t.shape), np.zeros(t.shape)
        power, counter = self._true(t)
        for event in active:
            inside = (t >= event.start) & (t < event.end)
            power = power * np.where(inside, event.factors(self._town)[:, None], 1.0)
        for event in earlier:
            counter = counter + self._lost_to(event, t)
        power = power * (1 + METER_NOISE * Noise(self._seed, "meter").normal(self._keys, t))
        return np.round(power, 3), np.round(counter, 3)

    def _lost_to(self, event: EnergyEvent, t: Ints) -> Floats:
        """kWh by which an event has changed the counters at times ``t``: exact, as the factor is constant."""
        change = (event.factors(self._town) - 1)[:, None]
        if int(t.min()) >= event.end:
            if event not in self._lost:
                bounds = np.array([[event.start, event.end]] * len(self._keys), dtype=np.int64)
                counter = self._true(bounds)[1]
                self._lost[event] = change * (counter[:, 1:] - counter[:, :1])
            return self._lost[event]
        since = np.broadcast_to(np.int64(event.start), (len(self._keys), 1))
        return np.asarray(change * (self._true(np.clip(t, event.start, event.end))[1] - self._true(since)[1]))

    def _true(self, t: Ints) -> tuple[Floats, Floats]:
        """Power and counter without events and noise at times ``t[m, n]``."""
        power, counter = np.empty(t.shape), np.empty(t.shape)
        blocks = (t - COMMISSIONED_MS) // _BLOCK_MS
        for block in np.unique(blocks):
            nodes, sums = self._block(int(block))
            at = t - COMMISSIONED_MS - int(block) * _BLOCK_MS
            cell = np.clip(at // _STEP_MS, 0, _CELLS - 1)
            share = (at - cell * _STEP_MS) / _STEP_MS
            before = np.take_along_axis(nodes, cell, 1)
            now = before + (np.take_along_axis(nodes, cell + 1, 1) - before) * share
            total = np.take_along_axis(sums, cell, 1) + (before + now) * (0.5 * _CELL_H) * share
            total = total + (self._total_before(int(block)) + self._at_start)[:, None]
            here = blocks == block
            power[here], counter[here] = now[here], total[here]
        return power, counter

    def _block(self, block: int) -> tuple[Floats, Floats]:
        """Power at the nodes of a block and energy since its beginning, both ``float64[m, _CELLS + 1]``."""
        found = self._blocks.get(block)
        if found is None:
            nodes = self._nodes(COMMISSIONED_MS + block * _BLOCK_MS + np.arange(_CELLS + 1, dtype=np.int64) * _STEP_MS)
            sums = np.zeros_like(nodes)
            np.cumsum((nodes[:, 1:] + nodes[:, :-1]) * (0.5 * _CELL_H), axis=1, out=sums[:, 1:])
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            found = self._blocks[block] = (nodes, sums)
        return found

    def _total_before(self, block: int) -> Floats:
        """kWh from the commissioning to the beginning of a block; negative before it."""
        while block not in self._totals:
            if block > 0:
                last = max(self._totals)
                self._totals[last + 1] = self._totals[last] + self._block(last)[1][:, -1]
            else:
                first = min(self._totals)
                self._totals[first - 1] = self._totals[first] - self._block(first - 1)[1][:, -1]
        return self._totals[block]

    def _nodes(self, t: Ints) -> Floats:
        clock, sky = local_time(t), weather(self._seed, LAT, LON, t)
        shares = {kind: shape(clock, sky) for kind, shape in KINDS.items()}
        share = (
            np.stack([shares[str(customer)] for customer in self._customers]) if len(self._customers) else t[None, :0]
        )
        wander = Noise(self._seed, "load").smooth(self._keys, t, 100 * MINUTE_MS)
        busy = Noise(self._seed, "load-day").smooth(self._keys, t, DAY_MS)
        jumpy = Noise(self._seed, "load-nodes").normal(self._keys, t)
        level = self._level[:, None] * (1 + self._lively * (0.6 * wander + 0.4 * busy + 0.35 * jumpy))
        return np.asarray(np.maximum(share * level, 0.01) * self._rated[:, None], dtype=np.float64)
