"""Traffic at the loops: what each counts of the vehicles that pass."""

import numpy as np

from domain.readings import Floats, Ints
from domain.times import MINUTE_MS
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.road_flow import Events, RoadFlow, nothing

_STANDING = 2.0  # km/h


class Traffic:
    """The loops of a town. Rows are loops, in the order of ``town.loops``."""

    def __init__(self, town: Town, seed: int) -> None:
        self._seed = seed
        self.roads = RoadFlow(town, seed)
        loops = town.loops
        self._loop_keys = keys_of([site.sensor.sensor for site in loops])
        self._lanes = np.array([site.road.lanes for site in loops], dtype=np.float64)
        spread = Noise(seed, "roads").uniform(self._loop_keys, np.ones(1, np.int64))[:, 0]
        self._length_km = (5.9 + 0.7 * spread) / 1_000  # vehicle + loop

    def readings(self, t: Ints, events: Events = nothing) -> tuple[Floats, Floats, Floats]:
        """What the loops report at times ``t[m, n]`` for the minute before: flow veh/h, speed km/h (NaN: no vehicle),
        occupancy 0..1."""
        if t.size == 0:
            return np.zeros(t.shape), np.zeros(t.shape), np.zeros(t.shape)
        minute, within = np.divmod(t, MINUTE_MS)
        first = int(minute.min()) - 1
        last = int(minute.max())
        share, at = within / MINUTE_MS, minute - first

        def blend(events: Events) -> list[Floats]:
            return [
                (1 - share) * np.take_along_axis(node, at - 1, 1) + share * np.take_along_axis(node, at, 1)
                for node in self.roads.minutes(first, last, events)
            ]

        flow, speed = blend(events)
        acting = events(first * MINUTE_MS, (last + 1) * MINUTE_MS)
        early = t < min((event.start for event in acting), default=0)
        if early.any():  # in the minute in which it happens, what is reported before it does not know of it
            quiet = blend(nothing)
            flow, speed = np.where(early, quiet[0], flow), np.where(early, quiet[1], speed)
        return self._count(t, flow, speed)

    def _count(self, t: Ints, flow: Floats, speed: Floats) -> tuple[Floats, Floats, Floats]:
        """A minute of vehicles: counts scatter as Poisson (square-root transform), mean speeds by how many there were.

        The outstation takes flow from the headways, so it is no multiple of 60. With no vehicle in the minute there is
        neither flow nor occupancy, and no speed to be measured (NaN); where all stand, one stands on the loop.
        """
        seed, keys = self._seed, self._loop_keys
        standing = speed < _STANDING
        root = np.sqrt(flow / 60) + 0.5 * Noise(seed, "count").normal(keys, t)
        count = np.maximum(np.where(root > 0, root * root - 0.25, 0), 0)
        count = np.where(standing & (flow < 3), 0.0, count)  # nobody gets past
        scatter = 0.13 * speed / np.sqrt(np.maximum(count, 2))
        measured = np.clip(speed + scatter * Noise(seed, "speed").normal(keys, t), 0.1, 200)
        # Occupancy follows from who passes, and in a standing queue from who is there.
        density = np.where(standing, np.maximum(flow, 1.0) / speed, count * 60 / measured) / self._lanes[:, None]
        covered = density * self._length_km[:, None]
        covered = np.clip(covered * (1 + 0.04 * Noise(seed, "occupancy").normal(keys, t)), 0, 1)
        told, occupancy = np.round(count * 60), np.asarray(np.round(covered, 4), dtype=np.float64)
        nobody = (told == 0) | (occupancy == 0)
        occupancy = np.where(nobody, standing.astype(np.float64), occupancy)
        unmeasured = np.where(standing, 0.0, np.nan)
        return np.where(nobody, 0.0, told), np.where(nobody, unmeasured, np.round(measured, 1)), occupancy
