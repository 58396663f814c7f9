"""Laws that tie the quantities of one sensor to each other, each with where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats

#: Readings of one sensor stamped within so much of each other are of one time. Series of up to one reading a second
#: have at most one partner within it, so that the order of arrival cannot matter.
TOGETHER_MS: Final = 499

Predicate = Callable[..., NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Law:
    """Quantities of one sensor at one time that contradict each other where ``broken(values of each…)``."""

    quantities: tuple[str, ...]
    broken: Predicate
    flags: tuple[bool, ...]  # which of them become suspect
    source: str


def _no_load_fits(kw: Floats, volts: Floats, amps: Floats, factor: Floats) -> NDArray[np.bool_]:
    """Active power that no wiring explains: one phase, three phases line to line (√3) or line to neutral (3)."""
    apparent = volts * amps * np.abs(factor) / 1_000
    misfit = np.min([np.abs(np.abs(kw) - phases * apparent) for phases in (1.0, 3**0.5, 3.0)], axis=0)
    return np.asarray(misfit > 0.12 * np.maximum(np.abs(kw), apparent) + 0.1)


def _no_vehicle_fits(flow: Floats, speed: Floats, occupancy: Floats) -> NDArray[np.bool_]:
    """Mean effective vehicle length, metres: occupancy × speed / flow; down to 0.5 where flow is that of many lanes."""
    length = 1_000 * occupancy * speed / flow
    telling = (flow > 240) & (speed > 5) & (occupancy > 0.01) & (occupancy < 0.9)
    return np.asarray(telling & ((length < 0.5) | (length > 40)))


_FLOW, _SPEED, _OCCUPANCY = "traffic.flow", "traffic.speed", "traffic.occupancy"
LAWS: Final = (
    Law((_FLOW, _OCCUPANCY), lambda flow, occ: (flow == 0) & (occ > 0.02) & (occ < 0.9), (True, True),
        "PeMS 'Intermittent': flow 0 with occupancy; above 0.9 a vehicle stands on the loop"),
    Law((_FLOW, _OCCUPANCY), lambda flow, occ: (flow > 240) & (occ == 0), (True, True),
        "PeMS 'Intermittent': occupancy 0 with flow; below 4 vehicles a minute occupancy may round to 0"),
    Law((_FLOW, _SPEED), lambda flow, speed: (flow == 0) & (speed > 0), (False, True),
        "no vehicle, no speed: a free-flow default such as UTMC's 50 km/h is not a measurement"),
    Law((_FLOW, _SPEED), lambda flow, speed: (flow > 240) & (speed == 0), (True, True), "flow is density × speed"),
    Law((_FLOW, _SPEED, _OCCUPANCY), _no_vehicle_fits, (True, True, True),
        "density = flow / speed = occupancy / vehicle length (PeMS g-factor); a car is 4 m, a lorry 16 m"),
    Law(("air.pm25", "air.pm10"), lambda fine, coarse: fine > 1.15 * coarse + 5.0, (True, True),
        "PM2.5 is part of PM10; tolerance of two instruments"),
    Law(("energy.active_power", "energy.apparent_power"), lambda kw, kva: np.abs(kw) > 1.05 * kva + 0.1, (True, True),
        "power factor is at most 1; tolerance of class 1 meters and rounding"),
    Law(("energy.active_power", "energy.voltage", "energy.current", "energy.power_factor"), _no_load_fits,
        (True, True, True, True), "P = phases × V × A × PF; tolerance of class 1 meters, transformers and rounding"),
)  # fmt: skip
