"""What happens in the supply: trips, overloads, sags, lamps that stay on."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simulator.plan import Town
from simulator.truth import Truth
from simulator.world_event import EnergyEvent, Load

LAMPS_ON = 0.9  # share of the rated power that lamps take


@dataclass(frozen=True)
class _Supply(EnergyEvent):
    """Reaches the meters behind a substation that :meth:`_mine` names, and the main feeder that sums them."""

    _QUANTITIES: ClassVar[tuple[str, ...]] = ("energy.active_power", "energy.energy_import", "energy.voltage")

    def _mine(self, town: Town) -> NDArray[np.bool_]:
        return np.array([site.sensor.area == self.target for site in town.meters], dtype=np.bool_)

    def _nothing(self, town: Town) -> Load:
        n = len(town.meters)
        return Load(np.ones(n), np.zeros(n), np.zeros(n), np.ones(n))

    def truth(self, town: Town) -> Truth:
        mine = self._mine(town)
        rows = np.flatnonzero(mine).tolist()
        above = sorted({main for row in rows if (main := town.meters[row].main) is not None and not mine[main]})
        series = [f"{town.meters[row].sensor.sensor}/{q}" for row in rows for q in self._QUANTITIES]
        series += [
            f"{town.meters[row].sensor.sensor}/{q}" for row in above for q in self._QUANTITIES if q != "energy.voltage"
        ]
        return Truth("world", self.kind, self.target, self.target, self.start, self.over, tuple(series))


class FeederFault(_Supply):
    """A feeder trips: ``strength`` of the load behind the substation is off until it is restored."""

    kind: ClassVar[str] = "feeder-fault"

    def load(self, town: Town) -> Load:
        mine, nothing = self._mine(town), self._nothing(town)
        dead = 0.0 if self.strength >= 1 else 1.0  # with part of the phases off the meter still sees one
        return replace(nothing, factor=np.where(mine, 1 - self.strength, 1.0), volts=np.where(mine, dead, 1.0))


class Overload(_Supply):
    """Load behind a substation rises to ``1 + strength`` times what it would be, and its voltage sinks a little."""

    kind: ClassVar[str] = "overload"

    def load(self, town: Town) -> Load:
        mine, nothing = self._mine(town), self._nothing(town)
        sunk = 1 - 0.03 * self.strength
        return replace(nothing, factor=np.where(mine, 1 + self.strength, 1.0), volts=np.where(mine, sunk, 1.0))


class VoltageSag(_Supply):
    """Voltage falls by ``strength``; load that is resistance falls with it (half of it, exponent about 1)."""

    kind: ClassVar[str] = "voltage-sag"

    def load(self, town: Town) -> Load:
        mine, nothing = self._mine(town), self._nothing(town)
        factor = np.where(mine, 1 - 0.5 * self.strength, 1.0)
        return replace(nothing, factor=factor, volts=np.where(mine, 1 - self.strength, 1.0))


class LightingStuck(_Supply):
    """``strength`` of the street lamps of a substation burn by day and night."""

    kind: ClassVar[str] = "lighting-stuck-on"
    _QUANTITIES = ("energy.active_power", "energy.energy_import")

    def _mine(self, town: Town) -> NDArray[np.bool_]:
        return super()._mine(town) & np.array([site.customer == "lighting" for site in town.meters], dtype=np.bool_)

    def load(self, town: Town) -> Load:
        mine, nothing = self._mine(town), self._nothing(town)
        factor = np.where(mine, 1 - self.strength, 1.0)
        return replace(nothing, factor=factor, rated=np.where(mine, LAMPS_ON * self.strength, 0.0))


class SolarTrip(_Supply):
    """``strength`` of the solar roofs of a substation go off the grid: the import rises by what they made."""

    kind: ClassVar[str] = "pv-trip"
    _QUANTITIES = ("energy.active_power", "energy.energy_import")

    def _mine(self, town: Town) -> NDArray[np.bool_]:
        return super()._mine(town) & np.array([site.customer == "school" for site in town.meters], dtype=np.bool_)

    def load(self, town: Town) -> Load:
        return replace(self._nothing(town), solar=np.where(self._mine(town), self.strength, 0.0))
