"""Traffic at the loops: demand by the clock, flow–density–speed relation of each road, what the loops count of it."""

from collections.abc import Sequence

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.events import TrafficEvent
from simulator.geometry import LAT, LON
from simulator.local_time import LocalTime, bump, local_time
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.weather import Weather, weather

_NIGHT = {"primary": 0.055, "secondary": 0.10, "tertiary": 0.15}
_JAM = 0.97  # demand over capacity at which flow breaks down on an average day


class Traffic:
    """The loops of a town. Rows are loops, in the order of ``town.loops``."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._seed = seed
        loops = town.loops
        noise = Noise(seed, "roads")
        self._loop_keys = keys_of([site.sensor.sensor for site in loops])
        self._road_keys = keys_of([site.road.name for site in loops])
        self._area_keys = keys_of([site.road.area for site in loops])
        self._town_key = keys_of([town.name])
        self.lanes = np.array([site.road.lanes for site in loops], dtype=np.float64)
        self.capacity = np.array([site.road.lanes * site.road.lane_capacity for site in loops])
        self._free = np.array([site.road.free_flow for site in loops])
        zero = np.zeros(1, np.int64)
        spread = noise.uniform(self._loop_keys, zero)[:, 0]
        self._peak = 0.68 + 0.25 * noise.uniform(self._road_keys, zero)[:, 0] + 0.05 * (spread - 0.5)
        self._inbound = np.array([site.road.inbound for site in loops])
        self._night = np.array([_NIGHT[site.road.road_class] for site in loops])
        # A platoon passes the first loop of a road before the last one.
        self._lag_ms = np.array([int(s.along_km / (0.8 * s.road.free_flow) * HOUR_MS) for s in loops], dtype=np.int64)
        self._length_km = (5.9 + 0.7 * noise.uniform(self._loop_keys, zero + 1)[:, 0]) / 1_000  # vehicle + loop

    def demand(self, t: Ints) -> Floats:
        """``float64[m, n]`` veh/h that want to pass, at times ``[n]`` or ``[m, n]``."""
        clock = local_time(t)
        seed = self._seed
        shared = 0.02 * Noise(seed, "demand-day").smooth(self._town_key, t.reshape(-1), DAY_MS).reshape(t.shape)
        shared = shared + 0.02 * Noise(seed, "demand-hours").smooth(self._town_key, t.reshape(-1), 3 * HOUR_MS).reshape(
            t.shape
        )
        lagged = np.broadcast_to(t, (len(self._lag_ms), t.shape[-1])) - self._lag_ms[:, None]
        own = 0.030 * Noise(seed, "demand-area").smooth(self._area_keys, t, 50 * MINUTE_MS)
        own += 0.035 * Noise(seed, "demand-road").smooth(self._road_keys, lagged, 11 * MINUTE_MS)
        own += 0.020 * Noise(seed, "demand-loop").smooth(self._loop_keys, t, 25 * MINUTE_MS)
        season = 1 - 0.04 * np.cos(clock.season)
        level = season * (1 + shared) * (1 + own)
        return np.asarray((self.capacity * self._peak)[:, None] * self._profile(clock) * level, dtype=np.float64)

    def _profile(self, clock: LocalTime) -> Floats:
        """Share of the peak by the local clock; working days have two peaks, the inbound share tilts them."""
        hour = clock.hour
        inbound, night = self._inbound[:, None], self._night[:, None]
        morning, evening = bump(hour, 8.05, 0.95), bump(hour, 17.3, 1.35)
        midday, late = bump(hour, 13.0, 2.9), bump(hour, 20.3, 1.8)
        work = (0.52 + 0.46 * inbound) * morning + (1.0 - 0.42 * inbound) * evening + 0.50 * midday + 0.20 * late
        rest = 0.62 * bump(hour, 13.6, 3.2) + 0.26 * bump(hour, 18.6, 2.4)
        busy = clock.working * work + (clock.saturday + 0.82 * clock.sunday) * rest
        return night + (0.93 - night) * busy

    def readings(self, t: Ints, events: Sequence[TrafficEvent]) -> tuple[Floats, Floats, Floats]:
        """What the loops report at times ``t[m, n]`` for the minute before: flow veh/h, speed km/h, occupancy 0..1."""
        town = self._town
        sky = weather(self._seed, LAT, LON, t)
        flow, speed = self._fundamental(self.demand(t), sky)
        for event in events:
            event.disturb(town, t, flow, speed, self.capacity)
        return self._count(t, flow, speed)

    def _fundamental(self, demand: Floats, sky: Weather) -> tuple[Floats, Floats]:
        """Flow and speed under a demand: speed falls slowly up to capacity, then flow breaks down (capacity drop)."""
        wet = np.clip(sky.rain / 3, 0, 1)
        capacity = self.capacity[:, None] * (1 - 0.07 * wet)
        free = self._free[:, None] * (1 - 0.05 * wet)
        load = demand / capacity
        jam = 1 / (1 + np.exp((_JAM - load) / 0.045))
        flow = demand + jam * (np.minimum(demand, 0.9 * capacity) - demand)
        easy = free * (1 - 0.24 * np.minimum(load, 1.1) ** 2)
        speed = easy + jam * (0.45 * free - easy)
        return flow, speed

    def _count(self, t: Ints, flow: Floats, speed: Floats) -> tuple[Floats, Floats, Floats]:
        """A minute of vehicles: counts scatter as Poisson (square-root transform), mean speeds by how many there were.

        The outstation takes flow from the headways, so it is no multiple of 60; with no vehicle in the minute it
        reports its smoothed speed.
        """
        seed, keys = self._seed, self._loop_keys
        root = np.sqrt(flow / 60) + 0.5 * Noise(seed, "count").normal(keys, t)
        count = np.maximum(np.where(root > 0, root * root - 0.25, 0), 0)
        scatter = 0.13 * speed / np.sqrt(np.maximum(count, 2))
        measured = np.clip(speed + scatter * Noise(seed, "speed").normal(keys, t), 2, 200)
        covered = count * 60 / (measured * self.lanes[:, None]) * self._length_km[:, None]
        covered = np.clip(covered * (1 + 0.04 * Noise(seed, "occupancy").normal(keys, t)), 0, 1)
        occupancy = np.asarray(np.round(covered, 4), dtype=np.float64)
        return np.round(count * 60), np.round(measured, 1), occupancy
