"""Sensor faults: the world is as always, the instrument is not. Each changes the readings of one sensor or series.

A fault works on the columns of one series between its start and its end; what it makes of a reading depends on that
reading's time and value only, and on the last good value before the fault.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from domain.readings import Floats, Ints
from domain.times import HOUR_MS
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.truth import Truth

#: What counts as a large deviation of each quantity, in its unit: severity 1 of an offset, drift or noise.
LARGE = {
    "traffic.flow": 900.0, "traffic.speed": 35.0, "traffic.occupancy": 0.25,
    "air.no2": 90.0, "air.pm25": 60.0, "air.pm10": 80.0, "air.o3": 90.0,
    "energy.active_power": 120.0, "energy.energy_import": 400.0,
}  # fmt: skip
_WRONG_UNIT = {
    "traffic.flow": 1 / 60,  # veh/min
    "traffic.speed": 0.621371,  # mph
    "traffic.occupancy": 100.0,  # per cent
    "air.no2": 1 / 1.9125,  # ppb at 20 °C
    "air.o3": 1 / 1.995,
    "air.pm25": 0.001,  # mg/m³
    "air.pm10": 0.001,
    "energy.active_power": 1_000.0,  # W
    "energy.energy_import": 1_000.0,  # Wh
}
_LOWEST = {"air": -10.0, "traffic": 0.0, "energy": 0.0}


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one series, in order of time; ``held`` is the last good value before the fault."""

    series: str
    t: Ints
    x: Floats
    held: float

    @property
    def quantity(self) -> str:
        return self.series.partition("/")[2]

    def having(self, x: Floats) -> "Column":
        return replace(self, x=x)


@dataclass(frozen=True, slots=True)
class SensorFault(ABC):
    """``target`` is a sensor or one series, ``start`` and ``end`` epoch ms, ``severity`` from 0 to about 1."""

    kind: ClassVar[str]
    target: str
    start: int
    end: int
    severity: float = 1.0

    def reaches(self, series: str) -> bool:
        return series == self.target or series.startswith(self.target + "/")

    @abstractmethod
    def apply(self, column: Column) -> Column:
        """What the faulty instrument reports instead of ``column``; it may report less."""

    def truth(self, town: Town) -> Truth:
        sensor = town.sensor(self.target.partition("/")[0])
        series = tuple(name for name in town.series if self.reaches(name))
        return Truth("sensor", self.kind, sensor.place or sensor.sensor, sensor.area, self.start, self.end, series)

    def large(self, column: Column) -> float:
        return self.severity * LARGE[column.quantity]


class Stuck(SensorFault):
    """The last value again and again."""

    kind: ClassVar[str] = "stuck"

    def apply(self, column: Column) -> Column:
        return column.having(np.full_like(column.x, column.held))


class Drift(SensorFault):
    """Creeps away, one large deviation (at severity 1) within two hours."""

    kind: ClassVar[str] = "drift"

    def apply(self, column: Column) -> Column:
        return _bounded(column, column.x + self.large(column) * (column.t - self.start) / (2 * HOUR_MS))


class Spikes(SensorFault):
    """About one reading in six leaps."""

    kind: ClassVar[str] = "spike"

    def apply(self, column: Column) -> Column:
        chance = Noise(self.start, "spike").uniform(keys_of([column.series]), column.t)[0]
        return _bounded(column, np.where(chance < 1 / 6, column.x + 3 * self.large(column), column.x))


class Noisy(SensorFault):
    """Scatters widely round the true value."""

    kind: ClassVar[str] = "noise"

    def apply(self, column: Column) -> Column:
        scatter = Noise(self.start, "noise").normal(keys_of([column.series]), column.t)[0]
        return _bounded(column, column.x + self.large(column) * scatter)


class Offset(SensorFault):
    """Reads too high by a constant."""

    kind: ClassVar[str] = "offset"

    def apply(self, column: Column) -> Column:
        return _bounded(column, column.x + self.large(column))


class DropOut(SensorFault):
    """Reports zero though there is something to measure (PeMS: card off)."""

    kind: ClassVar[str] = "drop-out"

    def apply(self, column: Column) -> Column:
        return column.having(np.zeros_like(column.x))


class Silent(SensorFault):
    """Reports nothing."""

    kind: ClassVar[str] = "silent"

    def apply(self, column: Column) -> Column:
        return replace(column, t=column.t[:0], x=column.x[:0])


class CounterReset(SensorFault):
    """A counter starts again from zero; at the end of the fault the register is restored."""

    kind: ClassVar[str] = "counter-reset"

    def apply(self, column: Column) -> Column:
        if column.quantity != "energy.energy_import":
            return column
        return column.having(_rounded(np.maximum(column.x - column.held, 0.0)))

    def reaches(self, series: str) -> bool:
        return series == f"{self.target.partition('/')[0]}/energy.energy_import"


class WrongUnit(SensorFault):
    """A new configuration reports in another unit (mph, per cent, ppb, W)."""

    kind: ClassVar[str] = "wrong-unit"

    def apply(self, column: Column) -> Column:
        return column.having(_rounded(column.x * _WRONG_UNIT[column.quantity]))


FAULTS: dict[str, type[SensorFault]] = {
    fault.kind: fault for fault in (Stuck, Drift, Spikes, Noisy, Offset, DropOut, Silent, CounterReset, WrongUnit)
}


def _bounded(column: Column, x: Floats) -> Column:
    """An instrument's output stage is limited below, and occupancy is a share."""
    field = column.quantity.partition(".")[0]
    top = 1.0 if column.quantity == "traffic.occupancy" else np.inf
    return column.having(_rounded(np.clip(x, _LOWEST[field], top)))


def _rounded(x: Floats) -> Floats:
    return np.asarray(np.round(x, 4), dtype=np.float64)
