"""Sensor faults put into a recorded series, one after the other with long rests between, drawn by seed.

Sizes are in units of the 5–95 % range of the series, durations in hours (hourly series; shorter where readings come
every few minutes): spike 0.6–1.2, level ±0.4–0.8 for 24–72 h (4–24 h), noise with deviation 0.2–0.4 for 12–48 h
(2–8 h), drift up to ±0.6–1.2 within 72–168 h (12–36 h), stuck for 12–48 h (2–12 h), drop-out as zeros or as missing
readings for 8–36 h (1–6 h). Values below zero are cut off, as an instrument would; level, drift and spike
go downward only where hardly any would be: a spike below a value near zero is no spike once it is cut off.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.city_series import City

KINDS = ("stuck", "drop-out (zeros)", "drop-out (missing)", "drift", "level", "noise", "spike")
_HOURS = {"stuck": (12, 48), "drop-out (zeros)": (8, 36), "drop-out (missing)": (8, 36), "drift": (72, 168),
          "level": (24, 72), "noise": (12, 48), "spike": (0, 0)}  # fmt: skip
_HOURS_FAST = {"stuck": (2, 12), "drop-out (zeros)": (1, 6), "drop-out (missing)": (1, 6), "drift": (12, 36),
               "level": (4, 24), "noise": (2, 8), "spike": (0, 0)}  # fmt: skip
WARM_MS, WARM_FAST_MS = 56 * 86_400_000, 6 * 86_400_000
REST_MS, REST_FAST_MS = 10 * 86_400_000, 86_400_000
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: the times of its first and last reading (or of those taken away), epoch ms."""

    series: str
    kind: str
    start: int
    end: int


def faulty(city: City, rng: np.random.Generator) -> tuple[City, list[Injected]]:
    """The series with faults, each kind about as often as the others."""
    fast = city.interval_s < 1_800
    hours = _HOURS_FAST if fast else _HOURS
    x, keep, told = city.x.copy(), np.ones(len(city.t), dtype=bool), []
    reach = float(np.percentile(city.x, 95) - np.percentile(city.x, 5))
    at = int(city.t[0]) + (WARM_FAST_MS if fast else WARM_MS)
    kinds: list[str] = []
    while True:
        kinds = kinds or [KINDS[k] for k in rng.permutation(len(KINDS))]
        kind = kinds.pop()
        lasts = int(rng.uniform(*hours[kind]) * _HOUR_MS)
        at += int(rng.uniform(0, 24) * _HOUR_MS)
        if at + lasts > city.t[-1] - 86_400_000:
            return City(city.name, city.quantity, city.domain, city.half, city.t[keep], x[keep]), told
        begin = int(np.searchsorted(city.t, at))
        end = max(begin + 1, int(np.searchsorted(city.t, at + lasts)))
        expected = max(1.0, lasts / 1_000 / city.interval_s)
        if end - begin < 0.7 * expected or city.t[begin] - city.t[begin - 1] > 3_000 * city.interval_s:
            kinds.append(kind)  # a gap of the recording itself: somewhere else
            continue
        _apply(kind, x, keep, begin, end, reach, rng)
        told.append(Injected(f"{city.name}/{city.quantity}", kind, int(city.t[begin]), int(city.t[end - 1])))
        at += lasts + (REST_FAST_MS if fast else REST_MS)


def _apply(
    kind: str, x: np.ndarray, keep: np.ndarray, begin: int, end: int, reach: float, rng: np.random.Generator
) -> None:
    n, sign, u = end - begin, rng.choice([-1.0, 1.0]), rng.random()
    part = x[begin:end]
    # Downward only where it leaves the series above zero: cut off at zero it would be a drop-out to any observer.
    if kind in ("level", "drift") and np.mean(part < (0.6 if kind == "level" else 0.9) * reach) > 0.05:
        sign = 1.0
    if kind == "spike" and part[0] < (0.6 + 0.6 * u) * reach:
        sign = 1.0
    if kind == "stuck":
        part[:] = x[begin]
    elif kind == "drop-out (zeros)":
        part[:] = 0.0
    elif kind == "drop-out (missing)":
        keep[begin:end] = False
    else:
        part += {
            "drift": lambda: sign * (0.6 + 0.6 * u) * reach * np.linspace(0, 1, n),
            "level": lambda: np.full(n, sign * (0.4 + 0.4 * u) * reach),
            "noise": lambda: rng.normal(0, (0.2 + 0.2 * u) * reach, n),
            "spike": lambda: np.full(n, sign * (0.6 + 0.6 * u) * reach),
        }[kind]()
        np.maximum(part, 0.0, out=part)
