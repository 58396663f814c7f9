"""What happens in the air: smoke, dust and still weather, as additions to what is there anyhow."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from domain.readings import Floats, Ints
from domain.times import HOUR_MS, MINUTE_MS
from simulator.plan import Town
from simulator.truth import Truth
from simulator.world_event import TOWN, AirEvent, pulse


@dataclass(frozen=True)
class Cloud(AirEvent):
    """Matter in the air over one neighbourhood or over the town: so much of each quantity, at its rise and fall.

    ``_ADDS`` is µg/m³ at strength 1; what is not named there stays as it is.
    """

    _ADDS: ClassVar[dict[str, float]]
    _RISE_MS: ClassVar[int]
    _FALL_MS: ClassVar[int]

    @property
    def over(self) -> int:
        return self.end + self._FALL_MS

    def add(self, town: Town, quantity: str, t: Ints) -> Floats:
        return np.asarray(self.strength * self._ADDS.get(quantity, 0.0) * self._share(town, t), dtype=np.float64)

    def _share(self, town: Town, t: Ints) -> Floats:
        """0..1 of the full effect at each station."""
        inside = np.array([self._covers(site.sensor.area) for site in town.stations], dtype=np.float64)
        return inside[:, None] * pulse(t, self.start, self.end, self._RISE_MS, self._FALL_MS)

    def truth(self, town: Town) -> Truth:
        names = [site.sensor.sensor for site in town.stations if self._covers(site.sensor.area)]
        series = tuple(f"{name}/{quantity}" for name in names for quantity in self._ADDS)
        return Truth("world", self.kind, self.target, self.target, self.start, self.over, series)

    def _covers(self, area: str) -> bool:
        return self.target in (TOWN, area)


class PollutionEpisode(Cloud):
    """Smoke or stagnant air over one neighbourhood: particles above all."""

    kind: ClassVar[str] = "pollution-episode"
    _ADDS: ClassVar[dict[str, float]] = {"air.pm25": 150.0, "air.pm10": 195.0, "air.no2": 70.0}
    _RISE_MS, _FALL_MS = 4 * MINUTE_MS, 20 * MINUTE_MS


class ConstructionDust(Cloud):
    """Demolition or earth works: coarse dust, hardly any fine (urban construction: PM2.5 about a tenth of PM10)."""

    kind: ClassVar[str] = "construction-dust"
    _ADDS: ClassVar[dict[str, float]] = {"air.pm25": 12.0, "air.pm10": 130.0}
    _RISE_MS, _FALL_MS = 3 * MINUTE_MS, 8 * MINUTE_MS


class BonfireNight(Cloud):
    """Bonfires and fireworks all over the town: fine smoke, and some NO2."""

    kind: ClassVar[str] = "bonfire-night"
    _ADDS: ClassVar[dict[str, float]] = {"air.pm25": 110.0, "air.pm10": 135.0, "air.no2": 12.0}
    _RISE_MS, _FALL_MS = 40 * MINUTE_MS, 3 * HOUR_MS


class SaharanDust(Cloud):
    """Dust from the desert over the whole town: coarse, slow to come and to go."""

    kind: ClassVar[str] = "saharan-dust"
    _ADDS: ClassVar[dict[str, float]] = {"air.pm25": 24.0, "air.pm10": 85.0}
    _RISE_MS, _FALL_MS = 5 * HOUR_MS, 6 * HOUR_MS


class Inversion(Cloud):
    """A lid of warm air: at strength 1 what is emitted is 2.5 times less diluted, and its NO uses up the ozone."""

    kind: ClassVar[str] = "inversion"
    _ADDS: ClassVar[dict[str, float]] = {"air.no2": 0.0, "air.pm25": 0.0, "air.pm10": 0.0, "air.o3": 0.0}
    _RISE_MS, _FALL_MS = 60 * MINUTE_MS, 90 * MINUTE_MS

    def trap(self, town: Town, t: Ints) -> Floats:
        return np.asarray(1 + 1.5 * self.strength * self._share(town, t), dtype=np.float64)
