"""What a model is told about a series when it first meets it."""

from dataclasses import dataclass

from domain.quantities import Quantity
from domain.sensors import Sensor


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """One series of an area; its place in the list of specs is its row for ever."""

    name: str
    quantity: Quantity
    sensor: Sensor
