"""Sensor faults: the world is as always, the instrument is not. Each changes the readings of one sensor or series."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from domain.times import HOUR_MS
from simulator.instrument import Column, SensorFault, bounded, rounded
from simulator.plan import Town
from simulator.truth import Truth

__all__ = [
    "FAULTS", "BatteryDecline", "CardOff", "Clipped", "ClockSkew", "CounterReset", "CounterRollover", "CounterSwap",
    "Damped", "Drift", "DropOut", "Gain", "Intermittent", "Noisy", "Offset", "SensorFault", "Silent", "Spikes", "Stuck",
    "SwappedChannels", "WrongUnit",
]  # fmt: skip

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
    "energy.voltage": 0.001,  # kV
}
_COUNTER = "energy.energy_import"
#: What is wired to which terminal when two channels of one instrument are swapped.
_SWAPPED = {
    "traffic.flow": "traffic.speed", "traffic.speed": "traffic.flow", "air.no2": "air.o3", "air.o3": "air.no2",
    "air.pm25": "air.pm10", "air.pm10": "air.pm25", "energy.active_power": "energy.voltage",
    "energy.voltage": "energy.active_power",
}  # fmt: skip


class Stuck(SensorFault):
    """The last value again and again."""

    kind: ClassVar[str] = "stuck"

    def apply(self, column: Column) -> Column:
        return column.having(np.full_like(column.x, column.held))


class Drift(SensorFault):
    """Creeps away, one large deviation (at strength 1) within two hours."""

    kind: ClassVar[str] = "drift"

    def apply(self, column: Column) -> Column:
        return bounded(column, column.x + self.large(column) * (column.t - self.start) / (2 * HOUR_MS))


class Spikes(SensorFault):
    """About one reading in six leaps."""

    kind: ClassVar[str] = "spike"

    def apply(self, column: Column) -> Column:
        return bounded(column, np.where(self.chance(column) < 1 / 6, column.x + 3 * self.large(column), column.x))


class Noisy(SensorFault):
    """Scatters widely round the true value."""

    kind: ClassVar[str] = "noise"

    def apply(self, column: Column) -> Column:
        return bounded(column, column.x + self.large(column) * self.scatter(column))


class Offset(SensorFault):
    """Reads too high by a constant."""

    kind: ClassVar[str] = "offset"

    def apply(self, column: Column) -> Column:
        return bounded(column, column.x + self.large(column))


class Gain(SensorFault):
    """Reads too high in proportion: by half at strength 1."""

    kind: ClassVar[str] = "gain"

    def apply(self, column: Column) -> Column:
        return bounded(column, column.x * (1 + 0.5 * self.strength))


class Clipped(SensorFault):
    """The output stage saturates, at strength 1 at half of the last good value; above that nothing is seen."""

    kind: ClassVar[str] = "clipped"

    def apply(self, column: Column) -> Column:
        return column.having(np.minimum(column.x, (1 - 0.5 * self.strength) * abs(column.held)))


class Damped(SensorFault):
    """A clogged inlet: the output hardly follows, at strength 1 by a tenth of every movement since the start."""

    kind: ClassVar[str] = "damped"

    def alters(self, quantity: str) -> bool:
        return quantity != _COUNTER

    def apply(self, column: Column) -> Column:
        return bounded(column, column.held + (1 - 0.9 * self.strength) * (column.x - column.held))


class Intermittent(SensorFault):
    """A loose contact: ``strength`` of the readings are zero (PeMS: intermittent)."""

    kind: ClassVar[str] = "intermittent"

    def apply(self, column: Column) -> Column:
        return column.having(np.where(self.chance(column) < self.strength, 0.0, column.x))


class DropOut(SensorFault):
    """Reports zero though there is something to measure."""

    kind: ClassVar[str] = "drop-out"

    def apply(self, column: Column) -> Column:
        return column.having(np.zeros_like(column.x))


class CardOff(SensorFault):
    """The detector card of a loop is off (PeMS): no flow, no occupancy, and therefore no speed."""

    kind: ClassVar[str] = "card-off"

    def alters(self, quantity: str) -> bool:
        return quantity.startswith("traffic.")

    def apply(self, column: Column) -> Column:
        return column.having(np.full_like(column.x, np.nan if column.quantity == "traffic.speed" else 0.0))


class Silent(SensorFault):
    """Reports nothing."""

    kind: ClassVar[str] = "silent"

    def apply(self, column: Column) -> Column:
        return column.left(np.zeros(len(column.t), np.bool_))


class SwappedChannels(SensorFault):
    """Two quantities of an instrument change places: flow and speed, NO2 and O3, PM2.5 and PM10, power and voltage."""

    kind: ClassVar[str] = "swapped-channels"
    stage: ClassVar[int] = 0  # at the terminals

    def alters(self, quantity: str) -> bool:
        return quantity in _SWAPPED

    def apply(self, column: Column) -> Column:
        return column.having(column.others.get(_SWAPPED[column.quantity], column.x))

    def truth(self, town: Town) -> Truth:
        """Of an instrument that measures only one of two, nothing can change places."""
        label = super().truth(town)
        there = town.quantities(town.sensor(self.target.partition("/")[0]))
        both = tuple(name for name in label.series if _SWAPPED[name.partition("/")[2]] in there)
        return replace(label, series=both)


class WrongUnit(SensorFault):
    """A new configuration reports in another unit (mph, per cent, ppb, W)."""

    kind: ClassVar[str] = "wrong-unit"

    def apply(self, column: Column) -> Column:
        return column.having(rounded(column.x * _WRONG_UNIT.get(column.quantity, 0.1)))


class ClockSkew(SensorFault):
    """The instrument's clock is wrong: every reading is stamped ``strength`` seconds late (or early, when negative)."""

    kind: ClassVar[str] = "clock-skew"

    def apply(self, column: Column) -> Column:
        return replace(column, t=column.t + int(self.strength * 1_000))


class BatteryDecline(SensorFault):
    """The battery runs down: more and more scatter, more and more readings missing, nothing in the last fifth."""

    kind: ClassVar[str] = "battery-decline"

    def apply(self, column: Column) -> Column:
        gone = self.elapsed(column)
        weak = bounded(column, column.x + 0.4 * self.large(column) * gone * self.scatter(column))
        return weak.left((gone < 0.8) & (self.chance(column) >= 0.7 * gone))


@dataclass(frozen=True)
class _Counter(SensorFault):
    """Of a counter only; at the end of the fault the register is put right."""

    def alters(self, quantity: str) -> bool:
        return quantity == _COUNTER

    def reaches(self, series: str) -> bool:
        return series == f"{self.target.partition('/')[0]}/{_COUNTER}"


class CounterReset(_Counter):
    """A counter starts again from zero."""

    kind: ClassVar[str] = "counter-reset"

    def apply(self, column: Column) -> Column:
        return column.having(rounded(np.maximum(column.x - column.held, 0.0)))


class CounterRollover(_Counter):
    """The register is full ``strength`` kWh after the start and goes on from zero."""

    kind: ClassVar[str] = "counter-rollover"

    def apply(self, column: Column) -> Column:
        full = column.held + self.strength
        return column.having(rounded(np.where(column.x < full, column.x, column.x - full)))


class CounterSwap(_Counter):
    """The meter is replaced by one that has already counted ``strength`` kWh."""

    kind: ClassVar[str] = "counter-swap"

    def apply(self, column: Column) -> Column:
        return column.having(rounded(np.maximum(column.x - column.held, 0.0) + self.strength))


FAULTS: dict[str, type[SensorFault]] = {
    fault.kind: fault
    for fault in (
        Stuck, Drift, Spikes, Noisy, Offset, Gain, Clipped, Damped, Intermittent, DropOut, CardOff, Silent,
        SwappedChannels, WrongUnit, ClockSkew, BatteryDecline, CounterReset, CounterRollover, CounterSwap,
    )
}  # fmt: skip
