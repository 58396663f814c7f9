"""Transport faults: the reading is right, its journey is not. They should not alert as incidents.

A reading arrives some time after it was measured; how long is a function of its series and its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.readings import Ints, Readings
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.truth import Truth

USUAL_MS = 1_500  # every reading takes up to this long


@dataclass(frozen=True, slots=True)
class TransportFault:
    """``target`` is an area; ``delay_ms`` how much later than usual readings come at most."""

    kind: ClassVar[str]
    target: str
    start: int
    end: int
    delay_ms: int = 240_000

    def hit(self, town_area: NDArray[np.bool_], t: Ints) -> NDArray[np.bool_]:
        return np.asarray(town_area & (t >= self.start) & (t < self.end), dtype=np.bool_)

    def delays(self, chance: NDArray[np.float64], t: Ints) -> Ints:
        """``int64[n]`` additional ms for the readings hit; ``chance`` is uniform in [0, 1)."""
        raise NotImplementedError

    def truth(self, town: Town) -> Truth:
        names = {site.sensor for site in town.sensors if site.area == self.target}
        series = tuple(name for name in town.series if name.partition("/")[0] in names)
        return Truth("transport", self.kind, self.target, self.target, self.start, self.end + self.delay_ms, series)


class Late(TransportFault):
    """A third of the readings come late, each by its own delay."""

    kind: ClassVar[str] = "late"

    def delays(self, chance: NDArray[np.float64], t: Ints) -> Ints:
        return np.where(chance < 1 / 3, (3 * chance * self.delay_ms).astype(np.int64), 0)


class OutOfOrder(TransportFault):
    """Every reading takes its own time, so that later ones overtake earlier ones."""

    kind: ClassVar[str] = "out-of-order"

    def delays(self, chance: NDArray[np.float64], t: Ints) -> Ints:
        return (chance * self.delay_ms).astype(np.int64)


class Duplicate(TransportFault):
    """Every second reading comes again, ``delay_ms`` later at most."""

    kind: ClassVar[str] = "duplicate"

    def delays(self, chance: NDArray[np.float64], t: Ints) -> Ints:
        return np.zeros(len(t), np.int64)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Readings by the time at which they arrive, ``at`` in epoch ms, in order of ``at``."""

    at: Ints
    readings: Readings

    def split(self, now: int) -> tuple["Arrivals", "Arrivals"]:
        """What has arrived by ``now``, and the rest."""
        cut = int(np.searchsorted(self.at, now, side="right"))
        return self._slice(slice(None, cut)), self._slice(slice(cut, None))

    def merged(self, other: "Arrivals") -> "Arrivals":
        """Both, in order of arrival."""
        at = np.concatenate([self.at, other.at])
        order = np.argsort(at, kind="stable")
        mine, new = self.readings, other.readings
        row_of = {name: row for row, name in enumerate(mine.series)}
        added = [name for name in new.series if name not in row_of]
        row_of |= {name: len(mine.series) + k for k, name in enumerate(added)}
        rows = np.array([row_of[name] for name in new.series], dtype=np.int32)
        i = np.concatenate([mine.i, rows[new.i] if len(new) else new.i])[order]
        t, x = np.concatenate([mine.t, new.t])[order], np.concatenate([mine.x, new.x])[order]
        return Arrivals(at[order], Readings([*mine.series, *added], i, t, x))

    def _slice(self, part: slice) -> "Arrivals":
        r = self.readings
        return Arrivals(self.at[part], Readings(r.series, r.i[part], r.t[part], r.x[part]))


def arrivals(town: Town, readings: Readings, faults: Sequence[TransportFault], seed: int) -> Arrivals:
    """When each reading arrives; duplicates are added."""
    keys = keys_of(readings.series)
    chance = _chances(Noise(seed, "journey"), keys, readings)
    at = readings.t + (chance * USUAL_MS).astype(np.int64)
    again: list[NDArray[np.intp]] = []
    again_at: list[Ints] = []
    area_of = {sensor.sensor: sensor.area for sensor in town.sensors}
    areas = np.array([area_of[name.partition("/")[0]] for name in readings.series] or [""])
    for fault in faults:
        hit = fault.hit((areas == fault.target)[readings.i], readings.t)
        luck = _chances(Noise(seed, fault.kind), keys, readings)
        at = at + np.where(hit, fault.delays(luck, readings.t), 0)
        if isinstance(fault, Duplicate):
            chosen = np.flatnonzero(hit & (luck < 0.5))
            again.append(chosen)
            again_at.append(at[chosen] + (2 * luck[chosen] * fault.delay_ms).astype(np.int64))
    rows = np.concatenate([np.arange(len(readings)), *again])
    when = np.concatenate([at, *again_at])
    order = np.argsort(when, kind="stable")
    rows = rows[order]
    return Arrivals(when[order], Readings(readings.series, readings.i[rows], readings.t[rows], readings.x[rows]))


def _chances(noise: Noise, keys: NDArray[np.uint64], readings: Readings) -> NDArray[np.float64]:
    """Uniform in [0, 1) for each reading."""
    if not len(readings):
        return np.zeros(0)
    return noise.uniform(keys[readings.i], readings.t[:, None])[:, 0]
