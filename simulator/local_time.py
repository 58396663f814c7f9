"""Clock time in the town: people live by Europe/London, data by UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS

_LONDON = ZoneInfo("Europe/London")
_FIXED_HOLIDAYS = {(1, 1), (12, 25), (12, 26)}
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday


@lru_cache(maxsize=50_000)
def _offset_ms(hour: int) -> int:
    """UTC offset during an hour since the epoch; British clocks change at 01:00 UTC, so an hour has one offset."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    offset = when.astimezone(_LONDON).utcoffset()
    return int(offset.total_seconds() * 1_000) if offset else 0


@lru_cache(maxsize=50_000)
def _day_kind(day: int) -> int:
    """0 working day, 1 Saturday, 2 Sunday or a holiday of fixed date; ``day`` counts local days since the epoch."""
    date = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    if (date.month, date.day) in _FIXED_HOLIDAYS:
        return 2
    return max(0, (day + _EPOCH_WEEKDAY) % 7 - 4)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Local clock of each time, same shape as the times: ``hour`` 0..24, ``kind`` 0 working day, 1 Saturday, 2 Sunday,
    ``season`` phase of the year in radians, 0 at the middle of January (coldest) and π in the middle of July."""

    hour: Floats
    kind: NDArray[np.int64]
    season: Floats


def local_time(t: Ints) -> LocalTime:
    """Local clock of times in epoch ms, any shape."""
    hours = t // HOUR_MS
    unique, inverse = np.unique(hours, return_inverse=True)
    offsets = np.array([_offset_ms(int(hour)) for hour in unique], dtype=np.int64)
    local = t + offsets[inverse].reshape(t.shape)
    days = local // DAY_MS
    unique, inverse = np.unique(days, return_inverse=True)
    kinds = np.array([_day_kind(int(day)) for day in unique], dtype=np.int64)
    return LocalTime(
        hour=(local - days * DAY_MS) / HOUR_MS,
        kind=kinds[inverse].reshape(t.shape),
        season=(t / DAY_MS - 14.0) * (2 * np.pi / 365.2425),
    )


def bump(hour: Floats, centre: float, width: float) -> Floats:
    """A bell of height 1 on the 24 h circle."""
    away = np.abs(hour - centre)
    away = np.minimum(away, 24 - away) / width
    return np.asarray(np.exp(-0.5 * away * away), dtype=np.float64)
