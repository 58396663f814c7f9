"""Weather over the town: the same for every sensor, so that what it drives moves together."""

from dataclasses import dataclass

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.noise import Noise, between_nodes, keys_of, node_times

STEP_MS = 10 * MINUTE_MS
_KEY = keys_of(["weather"])


@dataclass(frozen=True, slots=True)
class Weather:
    """Each the shape of the times asked for.

    Attributes:
        temperature: °C. wind: m/s. rain: mm/h. cloud: 0..1.
        sun: 0..1, share of the strongest possible sunshine. elevation: of the sun, degrees.
        mixing: height of the mixed layer, m.
    """

    temperature: Floats
    wind: Floats
    rain: Floats
    cloud: Floats
    sun: Floats
    elevation: Floats
    mixing: Floats


def weather(seed: int, lat: float, lon: float, t: Ints) -> Weather:
    """Weather at times in epoch ms, ``[n]`` or ``[m, n]``: nodes every 10 minutes, straight lines between."""
    if t.size == 0:
        empty = np.zeros(t.shape)
        return Weather(empty, empty, empty, empty, empty, empty, empty)
    nodes = node_times(int(t.min()), int(t.max()), STEP_MS)
    columns = _at_nodes(seed, lat, lon, nodes)
    return Weather(*(between_nodes(column, int(nodes[0]), STEP_MS, t) for column in columns))


def _at_nodes(seed: int, lat: float, lon: float, t: Ints) -> tuple[Floats, ...]:
    noise = Noise(seed, "weather")
    front = noise.smooth(_KEY, t, 3 * DAY_MS)[0]  # highs and lows pass in a few days
    cloudiness = 0.7 * Noise(seed, "cloud").smooth(_KEY, t, 14 * HOUR_MS)[0] + 0.5 * front
    cloud = 1 / (1 + np.exp(-1.6 * cloudiness))
    elevation = sun_elevation(lat, lon, t)
    sun = np.clip(np.sin(np.radians(elevation)), 0, 1) * (1 - 0.72 * cloud)
    season = np.cos((t / DAY_MS - 17.0) * (2 * np.pi / 365.2425))  # +1 in the middle of January
    afternoon = np.cos(((t % DAY_MS) / HOUR_MS - 14.5) * (2 * np.pi / 24))
    temperature = 10.4 - 6.6 * season + 2.6 * front + (1.3 + 2.2 * (1 - cloud) * (1 - 0.5 * season)) * afternoon
    temperature = temperature + 0.9 * Noise(seed, "temperature").smooth(_KEY, t, 7 * HOUR_MS)[0]
    gusts = 0.52 * Noise(seed, "wind").smooth(_KEY, t, 26 * HOUR_MS)[0]
    gusts = gusts + 0.16 * Noise(seed, "gusts").smooth(_KEY, t, 2 * HOUR_MS)[0]
    wind = 3.6 * np.exp(gusts + 0.12 * afternoon + 0.08 * season)
    wet = 0.8 * Noise(seed, "rain").smooth(_KEY, t, 5 * HOUR_MS)[0] + 0.9 * cloudiness
    rain = np.clip(wet - 1.25, 0, None) * 2.2
    mixing = 160 + 75 * wind + 1_150 * np.clip(sun, 0, 1) * (1 - 0.3 * cloud)
    return temperature, wind, rain, cloud, sun, elevation, mixing


def sun_elevation(lat: float, lon: float, t: Ints) -> Floats:
    """Degrees above the horizon, to about half a degree (declination as a cosine, no equation of time)."""
    day = t / DAY_MS
    declination = np.radians(-23.44) * np.cos((day - 355.5) * (2 * np.pi / 365.2425))
    hour_angle = ((day % 1.0) - 0.5) * (2 * np.pi) + np.radians(lon)
    phi = np.radians(lat)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(sine)), dtype=np.float64)
