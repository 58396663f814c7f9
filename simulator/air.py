"""Air at the stations: traffic near by, weather, what blows in from outside, and the chemistry of NO2 with ozone."""

from collections.abc import Sequence

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.exhaust import STEP_MS, TAIL_MS, Exhaust
from simulator.geometry import LAT, LON
from simulator.local_time import bump, local_time
from simulator.noise import Noise, between_nodes, keys_of, node_times
from simulator.plan import Town
from simulator.road_flow import Events, nothing
from simulator.traffic import Traffic
from simulator.weather import Weather, weather
from simulator.world_event import AirEvent

_NOX_FAR, _NOX_ROAD = 5.0, 34.0  # ppb: what blows in, and what a full road adds at the kerb
_PRIMARY = 0.15  # share of NOx that leaves the exhaust as NO2 (UK fleet, AQEG 2007: 0.1 to 0.25)
_J_MAX = 8.5e-3  # 1/s, photolysis of NO2 under the strongest sun (Seinfeld and Pandis)
_K = 4.4e-4  # 1/(ppb s), NO + O3 at 15 °C: 1.8e-14 cm³/s
NO2_UG_PER_PPB, O3_UG_PER_PPB = 1.9125, 1.9957  # at 20 °C, as in the UK


def steady(nox: Floats, ox: Floats, sun: Floats) -> tuple[Floats, Floats]:
    """NO2 and O3 in ppb in photostationary balance (Leighton 1961): ``j NO2 = k NO O3``, with NOx and Ox given."""
    both = nox + ox + _J_MAX * sun / _K
    no2 = 0.5 * (both - np.sqrt(np.maximum(both * both - 4 * nox * ox, 0)))
    return no2, np.maximum(ox - no2, 0.5)


class Air:
    """The stations of a town. Rows are stations, in the order of ``town.stations``."""

    def __init__(self, town: Town, seed: int, traffic: Traffic) -> None:
        self._town = town
        self._seed = seed
        self._exhaust = Exhaust(traffic.roads, town.stations)
        self._keys = keys_of([site.sensor.sensor for site in town.stations])
        self._area_keys = keys_of([site.sensor.area for site in town.stations])
        self._region = keys_of(["region"])
        self._roadside = np.array([site.roadside for site in town.stations])[:, None]

    def readings(
        self, t: Ints, rows: Ints, events: Sequence[AirEvent], on_roads: Events = nothing
    ) -> dict[str, Floats]:
        """What the chosen stations report, µg/m³ by quantity, at times ``t[m, n]`` for m ``rows``."""
        sky = weather(self._seed, LAT, LON, t)
        everywhere = np.zeros((len(self._keys), t.shape[1]), dtype=np.int64)
        everywhere[rows] = t
        trapped = np.ones(t.shape)
        for event in events:
            trapped = trapped * event.trap(self._town, everywhere)[rows]
        clean = self._concentrations(t, rows, sky, trapped, self._busy(t, rows, on_roads))
        for event in events:
            for quantity, values in clean.items():
                values += event.add(self._town, quantity, everywhere)[rows]
        return self._measured(t, rows, clean)

    def _concentrations(self, t: Ints, rows: Ints, sky: Weather, trapped: Floats, busy: Floats) -> dict[str, Floats]:
        seed, keys, roadside = self._seed, self._keys[rows], self._roadside[rows]
        clock = local_time(t)
        # Wind carries it away, a deep mixed layer thins it.
        thick = np.clip(1.9 / (0.30 + 0.45 * sky.wind / 3.6 + 0.38 * sky.mixing / 500), 0.4, 2.6) * trapped
        washed = 1 / (1 + 0.25 * sky.rain)
        puffs = 1 + 0.10 * Noise(seed, "puffs").smooth(keys, t, 17 * MINUTE_MS)
        puffs += 0.06 * Noise(seed, "air-area").smooth(self._area_keys[rows], t, 70 * MINUTE_MS)
        puffs += 0.13 * Noise(seed, "air-street").smooth(keys, t, 4 * HOUR_MS)  # wind along or across the street
        puffs = np.maximum(puffs, 0.3)
        slow = self._regional("no2", t, 40 * HOUR_MS)
        nox = (_NOX_FAR * np.exp(0.25 * slow) + _NOX_ROAD * roadside * busy) * thick * puffs
        stir = 1 - 0.48 * np.clip((400 - sky.mixing) / 300, 0, 1)  # on still nights ozone is used up at the ground
        far_o3 = 33 + 13 * sky.sun * (1 + 0.025 * (sky.temperature - 12)) + 2.5 * self._regional("ozone", t, 3 * DAY_MS)
        no2, o3 = steady(nox, far_o3 * stir + _PRIMARY * nox, sky.sun)
        drift = self._regional("particles", t, 60 * HOUR_MS)  # now and then a plume from the continent
        far = 6.0 * np.exp(0.42 * drift + 0.3 * np.maximum(drift - 1, 0)) * thick**0.35 * washed
        hearths = 3.2 * bump(clock.hour, 20.5, 2.2) * np.clip((13 - sky.temperature) / 12, 0, 1.5) * thick
        pm25 = (far + hearths + 4.0 * roadside * busy * thick) * (0.4 + 0.6 * puffs)
        dry = 1 / (1 + 0.6 * sky.rain)
        coarse = (3.0 + 6.0 * roadside * busy + 0.5 * np.maximum(sky.wind - 4, 0)) * dry * puffs
        return {
            "air.no2": no2 * NO2_UG_PER_PPB, "air.pm25": pm25, "air.pm10": pm25 + coarse, "air.o3": o3 * O3_UG_PER_PPB,
        }  # fmt: skip

    def _busy(self, t: Ints, rows: Ints, on_roads: Events) -> Floats:
        """What traffic gave off near by a few minutes ago; 1 is a full road in free flow."""
        if t.size == 0:
            return np.zeros(t.shape)
        nodes = node_times(int(t.min()) - TAIL_MS, int(t.max()) - TAIL_MS, STEP_MS)
        return between_nodes(self._exhaust.at(nodes, rows, on_roads), int(nodes[0]), STEP_MS, t - TAIL_MS)

    def _regional(self, what: str, t: Ints, period_ms: int) -> Floats:
        noise = Noise(self._seed, f"regional-{what}")
        return noise.smooth(self._region, t.reshape(-1), period_ms).reshape(t.shape)

    def _measured(self, t: Ints, rows: Ints, clean: dict[str, Floats]) -> dict[str, Floats]:
        """Instrument noise; the analyser weighs fine and coarse dust apart, so PM2.5 never exceeds PM10."""
        keys = self._keys[rows]

        def scatter(what: str) -> Floats:
            return Noise(self._seed, f"measured-{what}").normal(keys, t)

        fine = np.maximum(clean["air.pm25"] * (1 + 0.05 * scatter("pm25")) + 0.3 * scatter("pm25-zero"), 0.2)
        coarse = (clean["air.pm10"] - clean["air.pm25"]) * np.maximum(1 + 0.08 * scatter("coarse"), 0)
        no2 = np.maximum(clean["air.no2"] * (1 + 0.025 * scatter("no2")) + 0.8 * scatter("no2-zero"), -5)
        o3 = np.maximum(clean["air.o3"] * (1 + 0.012 * scatter("o3")) + 0.9 * scatter("o3-zero"), -5)
        pm25 = np.round(fine, 2)
        measured = {"air.no2": no2, "air.pm25": pm25, "air.pm10": pm25 + np.maximum(coarse, 0), "air.o3": o3}
        return {quantity: np.round(values, 2) for quantity, values in measured.items()}
