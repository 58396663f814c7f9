"""Kinds of day, as models tell them apart (UTC)."""

from typing import Final

import numpy as np

from domain.readings import Ints, Mask

_THURSDAY: Final = 3  # weekday of 1970-01-01, Monday is 0
_SATURDAY: Final = 5


def weekend(day: Ints) -> Mask:
    """Whether days, counted since the epoch, are Saturdays or Sundays; any shape."""
    return np.asarray((day + _THURSDAY) % 7 >= _SATURDAY)
