"""What a world event is: something that really happens in the town and that Borough should raise an alert for.

An event acts on the world (capacity, demand, emissions, mixing, loads), never on the readings.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from simulator.plan import Town
from simulator.truth import Truth

TOWN = "town"  # the target of what lies over the whole town


@dataclass(frozen=True)
class WorldEvent(ABC):
    """``target`` a place of the town, ``start`` and ``end`` when the cause acts, epoch ms; ``over`` (in epoch ms) when
    the last effect has gone at the latest."""

    kind: ClassVar[str]
    target: str
    start: int
    end: int
    strength: float = 1.0

    @property
    def over(self) -> int:
        return self.end

    @abstractmethod
    def truth(self, town: Town) -> Truth: ...


@dataclass(slots=True)
class Pressure:
    """What events do to the road network in one step: factors, 1 where nothing happens.

    Attributes:
        capacity, speed: ``float64[cells]``, of the flow that can leave a cell and of its free-flow speed.
        demand: ``float64[sources]``, of what wants to enter. extra: ``float64[sources]`` veh/h in addition.
    """

    capacity: Floats
    speed: Floats
    demand: Floats
    extra: Floats


class Roads(Protocol):
    """What an event may ask of the road network."""

    @property
    def source_capacity(self) -> Floats:
        """``float64[sources]`` veh/h that can enter at most."""

    def cell_of(self, loop: str) -> int:
        """The cell in which a loop lies, or -1."""

    def cells_in(self, area: str) -> NDArray[np.intp]:
        """Cells of a road area, or of the whole town."""

    def sources_in(self, area: str) -> NDArray[np.intp]:
        """Sources that feed the roads of an area, or of the whole town."""

    def sources_before(self, loop: str) -> NDArray[np.intp]:
        """Sources of the road on which a loop lies."""


class TrafficEvent(WorldEvent):
    """Changes what the roads can carry, or how many want to use them."""

    @abstractmethod
    def act(self, roads: Roads, t: int, pressure: Pressure) -> None:
        """Change ``pressure`` in place for the step that begins at ``t`` (epoch ms), ``start <= t < end``."""


class AirEvent(WorldEvent):
    """Adds to what is in the air, or keeps what is emitted near the ground."""

    @abstractmethod
    def add(self, town: Town, quantity: str, t: Ints) -> Floats:
        """``float64[m, n]`` µg/m³ to be added at the m stations at times ``t[m, n]``."""

    def trap(self, town: Town, t: Ints) -> Floats:
        """``float64[m, n]`` factor by which emissions are less diluted at the m stations at times ``t[m, n]``."""
        return np.ones(t.shape)


@dataclass(frozen=True, slots=True)
class Load:
    """What an event makes of the m meters: power becomes ``factor * power + rated * rated_kw + solar * generation``.

    ``volts`` is the factor of the voltage. All ``float64[m]`` and constant while the event acts, so that the counters
    follow exactly.
    """

    factor: Floats
    rated: Floats
    solar: Floats
    volts: Floats


class EnergyEvent(WorldEvent):
    """Changes loads between ``start`` and ``end``; the counters follow."""

    @abstractmethod
    def load(self, town: Town) -> Load: ...


def pulse(t: Ints, start: int, end: int, rise_ms: int, fall_ms: int) -> Floats:
    """0 before ``start``, up to 1 within ``rise_ms``, from ``end`` down to 0 within ``fall_ms``."""
    up = np.clip((t - start) / rise_ms, 0, 1)
    down = np.clip((t - end) / fall_ms, 0, 1)
    return np.asarray(up * (1 - down), dtype=np.float64)
