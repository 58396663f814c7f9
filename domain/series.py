"""Names of series: ``sensor/quantity``, as in ``loop-014/traffic.flow``."""

import re
from functools import lru_cache
from typing import NamedTuple

from domain.errors import Rejected
from domain.quantities import Quantity, quantity

# No slash, comma, quote, blank or control character: such a name is safe in a path, a CSV cell and a tag.
_SENSOR = re.compile(r"[\w.:@+\-]{1,128}")


class SeriesName(NamedTuple):
    """A parsed series name."""

    sensor: str
    quantity: Quantity


@lru_cache(maxsize=500_000)
def parse_series(name: str) -> SeriesName:
    """Split and check a series name.

    Raises:
        Rejected: no slash, an unusable sensor name, or a quantity that is not in the table.
    """
    sensor, slash, rest = name.partition("/")
    if not slash:
        raise Rejected("series", name, "a series is written sensor/quantity, as in loop-014/traffic.flow")
    if not _SENSOR.fullmatch(sensor):
        raise Rejected("series", name, "a sensor name has 1 to 128 letters, digits or . : @ + - _")
    return SeriesName(sensor, quantity(rest))
