"""Transport faults: the reading is right, its journey is not. They should not alert as incidents.

A reading arrives some time after it was measured; how long is a function of its series and its time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.readings import Ints, Readings
from domain.times import format_time
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.truth import Truth

USUAL_MS = 1_500  # every reading takes up to this long

Chances = NDArray[np.float64]


@dataclass(frozen=True)
class TransportFault:
    """``target`` is an area; ``strength`` is the longest additional delay in ms, or a share of the readings (see
    ``simulator.kinds``). Each kind says what becomes of the readings hit; ``chance`` is uniform in [0, 1)."""

    kind: ClassVar[str]
    target: str
    start: int
    end: int
    strength: float = 240_000.0

    def hit(self, in_area: NDArray[np.bool_], t: Ints) -> NDArray[np.bool_]:
        return np.asarray(in_area & (t >= self.start) & (t < self.end), dtype=np.bool_)

    def delays(self, chance: Chances, t: Ints) -> Ints:
        """``int64[n]`` additional ms."""
        return np.zeros(len(t), np.int64)

    def again(self, chance: Chances) -> NDArray[np.bool_]:
        """Which come a second time, :meth:`echo` ms later."""
        return np.zeros(len(chance), np.bool_)

    def echo(self, chance: Chances) -> Ints:
        return (2 * chance * self.strength).astype(np.int64)

    def lost(self, chance: Chances) -> NDArray[np.bool_]:
        """Which never arrive."""
        return np.zeros(len(chance), np.bool_)

    def spoilt(self, chance: Chances) -> NDArray[np.bool_]:
        """Which arrive as bytes that cannot be read."""
        return np.zeros(len(chance), np.bool_)

    @property
    def over(self) -> int:
        """When the last reading hit has arrived, epoch ms."""
        return self.end

    def truth(self, town: Town) -> Truth:
        here = [sensor for sensor in town.sensors if sensor.area == self.target]
        series = tuple(f"{sensor.sensor}/{quantity}" for sensor in here for quantity in town.quantities(sensor))
        return Truth("transport", self.kind, self.target, self.target, self.start, self.over, series)


class _Delayed(TransportFault):
    @property
    def over(self) -> int:
        return self.end + int(self.strength)


class Late(_Delayed):
    """A third of the readings come late, each by its own delay."""

    kind: ClassVar[str] = "late"

    def delays(self, chance: Chances, t: Ints) -> Ints:
        return np.where(chance < 1 / 3, (3 * chance * self.strength).astype(np.int64), 0)


class OutOfOrder(_Delayed):
    """Every reading takes its own time, so that later ones overtake earlier ones."""

    kind: ClassVar[str] = "out-of-order"

    def delays(self, chance: Chances, t: Ints) -> Ints:
        return (chance * self.strength).astype(np.int64)


class Duplicate(_Delayed):
    """Every second reading comes again, later."""

    kind: ClassVar[str] = "duplicate"

    def again(self, chance: Chances) -> NDArray[np.bool_]:
        return np.asarray(chance < 0.5, dtype=np.bool_)


class Burst(TransportFault):
    """An outstation holds everything back and sends it at once at the end."""

    kind: ClassVar[str] = "burst"

    def delays(self, chance: Chances, t: Ints) -> Ints:
        return np.maximum(self.end - t, 0)

    @property
    def over(self) -> int:
        return self.end + USUAL_MS


@dataclass(frozen=True)
class Lost(TransportFault):
    """``strength`` of the readings never arrive."""

    kind: ClassVar[str] = "lost"
    strength: float = 0.3

    def lost(self, chance: Chances) -> NDArray[np.bool_]:
        return np.asarray(chance < self.strength, dtype=np.bool_)


class FeedDown(TransportFault):
    """The line of an area is down and nothing is kept: none of its readings arrives."""

    kind: ClassVar[str] = "feed-down"

    def lost(self, chance: Chances) -> NDArray[np.bool_]:
        return np.ones(len(chance), np.bool_)


@dataclass(frozen=True)
class Corrupt(TransportFault):
    """``strength`` of the readings arrive as bytes that cannot be read."""

    kind: ClassVar[str] = "corrupt"
    strength: float = 0.3

    def spoilt(self, chance: Chances) -> NDArray[np.bool_]:
        return np.asarray(chance < self.strength, dtype=np.bool_)


TRANSPORT: dict[str, type[TransportFault]] = {
    fault.kind: fault for fault in (Late, OutOfOrder, Duplicate, Burst, Lost, FeedDown, Corrupt)
}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Readings by the time at which they arrive, ``at`` in epoch ms, in order of ``at``.

    ``garbage`` is what arrives unreadable: ``(epoch ms, bytes)``, in order of time.
    """

    at: Ints
    readings: Readings
    garbage: tuple[tuple[int, bytes], ...] = field(default=())

    def split(self, now: int) -> tuple["Arrivals", "Arrivals"]:
        """What has arrived by ``now``, and the rest."""
        cut = int(np.searchsorted(self.at, now, side="right"))
        come = sum(at <= now for at, _ in self.garbage)
        return self._slice(slice(None, cut), self.garbage[:come]), self._slice(slice(cut, None), self.garbage[come:])

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
        garbage = tuple(sorted((*self.garbage, *other.garbage)))
        return Arrivals(at[order], Readings([*mine.series, *added], i, t, x), garbage)

    def _slice(self, part: slice, garbage: tuple[tuple[int, bytes], ...]) -> "Arrivals":
        r = self.readings
        return Arrivals(self.at[part], Readings(r.series, r.i[part], r.t[part], r.x[part]), garbage)


def arrivals(town: Town, readings: Readings, faults: Sequence[TransportFault], seed: int) -> Arrivals:
    """When each reading arrives; what comes twice is added, what is lost or spoilt is taken out."""
    keys = keys_of(readings.series)
    at = readings.t + (_chances(Noise(seed, "journey"), keys, readings) * USUAL_MS).astype(np.int64)
    again: list[NDArray[np.intp]] = []
    again_at: list[Ints] = []
    area_of = {sensor.sensor: sensor.area for sensor in town.sensors}
    areas = np.array([area_of[name.partition("/")[0]] for name in readings.series] or [""])
    whole = np.ones(len(readings), np.bool_)
    spoilt = np.zeros(len(readings), np.bool_)
    for fault in faults:
        hit = fault.hit((areas == fault.target)[readings.i], readings.t)
        luck = _chances(Noise(seed, fault.kind), keys, readings)
        at = at + np.where(hit, fault.delays(luck, readings.t), 0)
        whole &= ~(hit & fault.lost(luck))
        spoilt |= hit & fault.spoilt(luck)
        chosen = np.flatnonzero(hit & fault.again(luck))
        again.append(chosen)
        again_at.append(at[chosen] + fault.echo(luck[chosen]))
    rows = np.concatenate([np.arange(len(readings)), *again])
    when = np.concatenate([at, *again_at])
    order = np.argsort(when, kind="stable")
    kept = order[(whole & ~spoilt)[rows[order]]]
    chosen = rows[kept]
    garbage = [(int(at[row]), garbled(readings, int(row))) for row in np.flatnonzero(spoilt & whole)]
    told = Readings(readings.series, readings.i[chosen], readings.t[chosen], readings.x[chosen])
    return Arrivals(when[kept], told, tuple(sorted(garbage)))


def garbled(readings: Readings, row: int) -> bytes:
    """A reading as it would travel on its own, cut in the middle and with a byte that is no UTF-8."""
    whole = {
        "time": format_time(int(readings.t[row])),
        "series": readings.series[int(readings.i[row])],
        "value": float(readings.x[row]),
    }
    text = json.dumps(whole).encode()
    cut = 12 + int(readings.t[row]) // 1_000 % (len(text) - 14)
    return text[:cut] + b"\xff"


def _chances(noise: Noise, keys: NDArray[np.uint64], readings: Readings) -> Chances:
    """Uniform in [0, 1) for each reading."""
    if not len(readings):
        return np.zeros(0)
    return noise.uniform(keys[readings.i], readings.t[:, None])[:, 0]
