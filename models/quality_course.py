"""The usual course of a series over the week: what is usual at an hour of day, moved towards the hour of the week.

A mean of one week says less than that of all days, so the hour of the week counts the more the more weeks it has been
seen. All hours of a series gain weight together, and series that report more often than twice an hour follow their
course from the middle of one hour to that of the next: what is expected must not jump when a clock strikes.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from domain.readings import Floats, Ints, Mask, Rows
from models.contract import Payload

_HOURS: Final = 168
_SMOOTH: Final = 1_800.0  # seconds: the longest interval of series that follow their course within the hour
_WEEKS: Final = 1.0  # the mean of n weeks counts as n − 1 against this and one of the hour of day
Days = tuple[Floats, Floats]  # ``[rows, 24]`` each
_GAIN: Final = 0.15  # of a mean, for an hour of readings: about seven weeks are remembered


class Course:
    """State: ``float64[rows, 168]`` twice, the mean and the readings of each hour of the week."""

    def __init__(self) -> None:
        self._mean: Floats = np.zeros((0, _HOURS))
        self._count: Floats = np.zeros((0, _HOURS))

    def ensure(self, rows: int) -> None:
        more = max(0, rows - len(self._mean))
        self._mean = np.pad(self._mean, ((0, more), (0, 0)))
        self._count = np.pad(self._count, ((0, more), (0, 0)))

    def expected(self, row: Rows, t: Floats, interval: Floats, days: Days, unknown: Floats) -> Floats:
        """What is usual of each row (another one each) at ``t`` seconds; ``unknown`` where nothing is known.

        Args:
            interval: seconds between readings.
            days: mean and readings of each hour of day.
        """
        hour = (t // 3_600).astype(np.int64)
        part = (t % 3_600) / 3_600 - 0.5
        usual, beside = self._usual(row, np.stack((hour, hour + np.where(part < 0, -1, 1))), interval, days)
        usual = np.where(np.isnan(usual), unknown, usual)
        follows = (interval < _SMOOTH) & ~np.isnan(beside)
        return np.where(follows, usual + np.abs(part) * (beside - usual), usual)

    def _usual(self, row: Rows, hour: Ints, interval: Floats, days: Days) -> Floats:
        """Of each row at each ``hour[k, n]`` since the epoch; NaN where the hour of day has not been seen."""
        of_week, of_day = row.astype(np.int64) * _HOURS + hour % _HOURS, hour % 24
        weeks = self._count.reshape(-1).take(of_week) / np.maximum(1.0, 3_600 / interval)
        share = np.maximum(weeks - 1.0, 0.0) / (weeks + _WEEKS)
        mean, count = days
        daily = np.where(count[row, of_day] > 0, mean[row, of_day], np.nan)
        return np.asarray(daily + share * (self._mean.reshape(-1).take(of_week) - daily))

    def learn(self, row: Rows, t: Floats, x: Floats, expected: Floats, most: Floats, in_hour: Floats, settled: Mask,
              teaches: Mask) -> None:  # fmt: skip
        """Move the means towards readings.

        Args:
            most: by no more than this does a reading count as away from the mean.
            in_hour: share of an hour that a reading stands for.
            settled: what has left the usual course moves it slowly, also where little is known yet.
            teaches: others leave everything as it is.
        """
        hour = (t // 3_600).astype(np.int64) % _HOURS
        seen = self._count[row, hour]
        mean = np.where(seen > 0, self._mean[row, hour], expected)  # not from zero, for steps are bounded
        gain = teaches * np.maximum(settled / (1 + seen), _GAIN * in_hour)
        self._mean[row, hour] = mean + gain * np.clip(x - mean, -most, most)
        self._count[row, hour] = seen + teaches

    def snapshot(self) -> Payload:
        return {"week": self._mean.copy(), "week_n": self._count.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._mean = np.array(payload["week"], np.float64)
        self._count = np.array(payload["week_n"], np.float64)
