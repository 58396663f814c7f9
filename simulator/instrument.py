"""What a sensor fault is, and the instrument that has it.

A fault works on the columns of one series between its start and its end; what it makes of a reading depends on that
reading's time, on the values at that time, and on the last good value before the fault.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from domain.readings import Floats, Ints
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.truth import Truth

#: What counts as a large deviation of each quantity, in its unit: strength 1 of an offset, drift or noise.
LARGE = {
    "traffic.flow": 900.0, "traffic.speed": 35.0, "traffic.occupancy": 0.25,
    "air.no2": 90.0, "air.pm25": 60.0, "air.pm10": 80.0, "air.o3": 90.0,
    "energy.active_power": 120.0, "energy.energy_import": 400.0, "energy.voltage": 25.0,
}  # fmt: skip
_LOWEST = {"air": -10.0}


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one series, in order of time.

    Attributes:
        held: the last good value before the fault.
        others: what the sensor's other quantities are at the same times, where it has any (NaN: not known yet).
    """

    series: str
    t: Ints
    x: Floats
    held: float
    others: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def quantity(self) -> str:
        return self.series.partition("/")[2]

    def having(self, x: Floats) -> "Column":
        return replace(self, x=x)

    def left(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Column":
        """Only some of the readings."""
        others = {quantity: x[kept] for quantity, x in self.others.items()}
        return replace(self, t=self.t[kept], x=self.x[kept], others=others)


@dataclass(frozen=True)
class SensorFault(ABC):
    """``target`` is a sensor or one series, ``start`` and ``end`` epoch ms; ``strength``: see ``simulator.kinds``.

    ``stage`` is where in the instrument it sits: of several faults of one series the lowest acts first.
    """

    kind: ClassVar[str]
    stage: ClassVar[int] = 1
    target: str
    start: int
    end: int
    strength: float = 1.0

    def reaches(self, series: str) -> bool:
        return (series == self.target or series.startswith(self.target + "/")) and self.alters(series.partition("/")[2])

    def alters(self, quantity: str) -> bool:
        """Whether this kind of fault can be seen in a quantity."""
        return True

    @abstractmethod
    def apply(self, column: Column) -> Column:
        """What the faulty instrument reports instead of ``column``; it may report less."""

    def truth(self, town: Town) -> Truth:
        sensor = town.sensor(self.target.partition("/")[0])
        series = tuple(f"{sensor.sensor}/{q}" for q in town.quantities(sensor) if self.reaches(f"{sensor.sensor}/{q}"))
        return Truth("sensor", self.kind, sensor.place or sensor.sensor, sensor.area, self.start, self.end, series)

    def large(self, column: Column) -> float:
        """A large deviation; of a quantity that is in no table, half of what it read last."""
        return self.strength * LARGE.get(column.quantity, max(0.5 * abs(column.held), 1.0))

    def chance(self, column: Column) -> Floats:
        """Uniform in [0, 1) for each reading."""
        return np.asarray(Noise(self.start, self.kind).uniform(keys_of([column.series]), column.t)[0])

    def scatter(self, column: Column) -> Floats:
        """Standard normal for each reading."""
        return np.asarray(Noise(self.start, self.kind).normal(keys_of([column.series]), column.t)[0])

    def elapsed(self, column: Column) -> Floats:
        """Share 0..1 of the fault's time that has gone by at each reading."""
        return np.asarray((column.t - self.start) / (self.end - self.start), dtype=np.float64)


def bounded(column: Column, x: Floats) -> Column:
    """An instrument's output stage is limited below, and occupancy is a share."""
    group = column.quantity.partition(".")[0]
    lowest = _LOWEST.get(group, -np.inf if group == "generic" else 0.0)
    return column.having(rounded(np.clip(x, lowest, 1.0 if column.quantity == "traffic.occupancy" else np.inf)))


def rounded(x: Floats) -> Floats:
    return np.asarray(np.round(x, 4), dtype=np.float64)
