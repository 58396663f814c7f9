"""How many want to drive: by hour, kind of day, season, school holidays and football nights."""

from collections.abc import Sequence

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.geometry import Road
from simulator.local_time import LocalTime, bump, local_time
from simulator.noise import Noise, keys_of

_NIGHT = {"primary": 0.055, "secondary": 0.10, "tertiary": 0.15}
_FOOTBALL = 0.22  # of a road's peak, on the roads to the ground
_TO_THE_GROUND = "south"


class Demand:
    """Of the roads of a town, in their order."""

    def __init__(self, roads: Sequence[Road], peak: Floats, seed: int, town: str) -> None:
        self._seed = seed
        self._keys = keys_of([road.name for road in roads])
        self._area_keys = keys_of([road.area for road in roads])
        self._town_key = keys_of([town])
        self._volume = peak * np.array([road.lanes * road.lane_capacity for road in roads])
        self._inbound = np.array([road.inbound for road in roads])[:, None]
        self._night = np.array([_NIGHT[road.road_class] for road in roads])[:, None]
        self._football = _FOOTBALL * np.array([road.area.endswith(_TO_THE_GROUND) for road in roads])[:, None]

    def at(self, t: Ints) -> Floats:
        """``float64[roads, n]`` veh/h at times ``[n]``."""
        clock, seed = local_time(t), self._seed
        shared = 0.045 * Noise(seed, "demand-day").smooth(self._town_key, t, DAY_MS)
        shared = shared + 0.02 * Noise(seed, "demand-hours").smooth(self._town_key, t, 3 * HOUR_MS)
        own = 0.030 * Noise(seed, "demand-area").smooth(self._area_keys, t, 50 * MINUTE_MS)
        own += 0.025 * Noise(seed, "demand-road").smooth(self._keys, t, 11 * MINUTE_MS)
        season = 1 - 0.04 * np.cos(clock.season)
        level = season * (1 + shared) * (1 + own)
        return np.asarray(self._volume[:, None] * self._profile(clock) * level, dtype=np.float64)

    def _profile(self, clock: LocalTime) -> Floats:
        """Share of the peak by the local clock; working days have two peaks, the inbound share tilts them."""
        hour = clock.hour
        inbound, night = self._inbound, self._night
        morning, evening = bump(hour, 8.05, 0.95), bump(hour, 17.3, 1.35)
        midday, late = bump(hour, 13.0, 2.9), bump(hour, 20.3, 1.8)
        # Without the school run the morning peak is lower and flatter.
        morning = morning * (1 - 0.16 * clock.school_out)
        work = (0.52 + 0.46 * inbound) * morning + (1.0 - 0.42 * inbound) * evening + 0.60 * midday + 0.26 * late
        rest = 0.62 * bump(hour, 13.6, 3.2) + 0.26 * bump(hour, 18.6, 2.4)
        busy = clock.working * work + (clock.saturday + 0.82 * clock.sunday) * rest
        crowd = clock.football * (bump(hour, 18.9, 0.45) + 0.9 * bump(hour, 21.75, 0.3))
        crowd = crowd + clock.football_saturday * (bump(hour, 14.2, 0.5) + 0.9 * bump(hour, 17.0, 0.35))
        return np.asarray(night + (0.93 - night) * busy + self._football * crowd, dtype=np.float64)
