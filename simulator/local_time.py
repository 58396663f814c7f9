"""The rhythm of life in the town: people live by Europe/London, data by UTC.

Nothing jumps. From one kind of day to the next, and over a change of the clocks, life passes in the course of a night:
a street is neither a Sunday's at 23:59 nor a Monday's at 00:01.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS
from simulator.calendar_uk import bank_holiday, home_game, school_holiday

_LONDON = ZoneInfo("Europe/London")
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday
_EASE_H = 3  # hours before and after a change of the clocks over which people take it up
_EVENING, _MORNING = 21.0, 5.0  # local hours between which one kind of day passes into the next


@lru_cache(maxsize=50_000)
def _offset_ms(hour: int) -> int:
    """UTC offset during an hour since the epoch; British clocks change at 01:00 UTC, so an hour has one offset."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    offset = when.astimezone(_LONDON).utcoffset()
    return int(offset.total_seconds() * 1_000) if offset else 0


@lru_cache(maxsize=50_000)
def _eased_offset_ms(hour: int) -> float:
    """UTC offset that people live by at the beginning of an hour: half of a change is taken up when it comes."""
    return sum(_offset_ms(hour + k) for k in range(-_EASE_H, _EASE_H)) / (2 * _EASE_H)


@lru_cache(maxsize=50_000)
def _day_kind(day: int) -> int:
    """0 working day, 1 Saturday, 2 Sunday or a bank holiday; ``day`` counts local days since the epoch."""
    return 2 if bank_holiday(_date(day)) else max(0, (day + _EPOCH_WEEKDAY) % 7 - 4)


@lru_cache(maxsize=50_000)
def _no_school(day: int) -> bool:
    return school_holiday(_date(day))


@lru_cache(maxsize=50_000)
def _game(day: int) -> int:
    """0 no home game, 1 in the evening, 2 on a Saturday afternoon."""
    return (1 + int(_date(day).weekday() == 5)) if home_game(_date(day)) else 0


def _date(day: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()


@dataclass(frozen=True, slots=True)
class LocalTime:
    """What people live by at each time, same shape as the times.

    Attributes:
        hour: of the local clock, 0..24. saturday, sunday: share 0..1 of these kinds of day in what people do, a holiday
            counts as Sunday; the rest is the working day's. season: phase of the year in radians, 0 at the middle of
            January (coldest) and π in the middle of July. school_out: share 0..1 of a day without school.
        football, football_saturday: 1 on the day of a home game in the evening, in the afternoon.
    """

    hour: Floats
    saturday: Floats
    sunday: Floats
    season: Floats
    school_out: Floats
    football: Floats
    football_saturday: Floats

    @property
    def working(self) -> Floats:
        return 1 - self.saturday - self.sunday

    def mixed(self, working: float, saturday: float, sunday: float) -> Floats:
        """A factor that depends on the kind of day."""
        return working + (saturday - working) * self.saturday + (sunday - working) * self.sunday


def local_time(t: Ints) -> LocalTime:
    """Local clock of times in epoch ms, any shape."""
    if t.size == 0:
        empty = np.zeros(t.shape)
        return LocalTime(empty, empty, empty, empty, empty, empty, empty)
    first = int(t.min()) // HOUR_MS
    offsets = np.array([_eased_offset_ms(hour) for hour in range(first, int(t.max()) // HOUR_MS + 2)])
    at, within = np.divmod(t - first * HOUR_MS, HOUR_MS)
    share = within / HOUR_MS
    local = t + offsets[at] * (1 - share) + offsets[at + 1] * share
    days = np.floor(local / DAY_MS).astype(np.int64)
    hour = (local - days * DAY_MS) / HOUR_MS
    # The night that passes from this day to the next has its middle at the end of it.
    night = 24 - _EVENING + _MORNING
    passed = np.where(hour < 12, hour + 24 - _EVENING, hour - _EVENING) / night
    passed = np.clip(passed, 0, 1)
    after = passed * passed * (3 - 2 * passed)
    before = days - (hour < 12)
    first = int(before.min())
    span = range(first, int(before.max()) + 2)
    kinds = np.array([_day_kind(day) for day in span])
    games = np.array([_game(day) for day in span])[days - first]

    def passing(is_kind: Floats) -> Floats:
        was = is_kind[before - first]
        return np.asarray(was + (is_kind[before - first + 1] - was) * after, dtype=np.float64)

    season = (t / DAY_MS - 14.0) * (2 * np.pi / 365.2425)
    return LocalTime(
        np.asarray(hour, dtype=np.float64),
        passing((kinds == 1).astype(np.float64)),
        passing((kinds == 2).astype(np.float64)),
        season,
        passing(np.array([_no_school(day) for day in span], dtype=np.float64)),
        (games == 1).astype(np.float64),
        (games == 2).astype(np.float64),
    )


def bump(hour: Floats, centre: float, width: float) -> Floats:
    """A bell of height 1 on the 24 h circle."""
    away = np.abs(hour - centre)
    away = np.minimum(away, 24 - away) / width
    return np.asarray(np.exp(-0.5 * away * away), dtype=np.float64)
