"""The table of quantities: what can be measured, in which unit, within which physical bounds.

Bounds are the gross-range span of a working instrument (QARTOD gross range test): outside them a number cannot be a
measurement in this unit, so it is refused at the door or quarantined. Adding a quantity is one row here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from domain.errors import Rejected

_GENERIC = re.compile(r"generic\.[\w\-]{1,64}")
_GENERIC_MAX = 1e300  # keeps sums of a window finite


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row: ``name`` as on the wire, ``unit`` as printed, inclusive bounds, ``cumulative`` for counters."""

    name: str
    unit: str
    lower: float
    upper: float
    cumulative: bool = False

    @property
    def field(self) -> str:
        """``traffic``, ``air``, ``energy`` or ``generic``: the part before the dot."""
        return self.name.split(".", 1)[0]


_ROWS = (
    Quantity("traffic.flow", "veh/h", 0, 20_000),
    Quantity("traffic.speed", "km/h", 0, 250),
    Quantity("traffic.occupancy", "1", 0, 1),
    # Reference analysers report slightly negative concentrations near zero; UK networks keep them.
    Quantity("air.no2", "µg/m³", -10, 2_000),
    Quantity("air.no", "µg/m³", -10, 3_000),
    Quantity("air.nox", "µg/m³", -10, 5_000),
    Quantity("air.o3", "µg/m³", -10, 1_000),
    Quantity("air.so2", "µg/m³", -10, 3_000),
    Quantity("air.pm10", "µg/m³", -10, 5_000),
    Quantity("air.pm25", "µg/m³", -10, 2_000),
    Quantity("air.co", "mg/m³", -1, 100),
    Quantity("air.temperature", "°C", -60, 60),
    Quantity("air.humidity", "%", 0, 100),
    Quantity("air.pressure", "hPa", 800, 1_100),
    Quantity("air.wind_speed", "m/s", 0, 100),
    Quantity("air.wind_direction", "°", 0, 360),
    Quantity("energy.active_power", "kW", -1e8, 1e8),
    Quantity("energy.reactive_power", "kvar", -1e8, 1e8),
    Quantity("energy.apparent_power", "kVA", 0, 1e8),
    Quantity("energy.energy_import", "kWh", 0, 1e12, cumulative=True),
    Quantity("energy.energy_export", "kWh", 0, 1e12, cumulative=True),
    Quantity("energy.voltage", "V", 0, 1_000),
    Quantity("energy.current", "A", 0, 10_000),
    Quantity("energy.power_factor", "1", -1, 1),
    Quantity("energy.frequency", "Hz", 40, 60),
)
QUANTITIES = {row.name: row for row in _ROWS}


@lru_cache(maxsize=10_000)
def quantity(name: str) -> Quantity:
    """The row for ``name``; any ``generic.<name>`` is accepted, its bounds are learned later.

    Raises:
        Rejected: the quantity is not in the table.
    """
    row = QUANTITIES.get(name)
    if row is not None:
        return row
    if _GENERIC.fullmatch(name):
        return Quantity(name, "", -_GENERIC_MAX, _GENERIC_MAX)
    raise Rejected("series", name, "unknown quantity; known are " + ", ".join(QUANTITIES) + " and generic.<name>")
