"""Parameters, calendar and state of the seasonal detector (:mod:`models.seasonal`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import Misconfigured, Rejected
from domain.readings import Floats, Ints
from domain.times import HOUR_MS
from models import tail
from models.contract import Payload
from models.kinds_of_day import weekend

HOURS: Final = 24
BINS: Final = 3 * HOURS  # profile of every day, of weekdays, of weekends
CHANNELS: Final = ("change", "level", "noise")

# Scalar state of a row: one line each of the state matrix.
(T, X, R, INTERVAL, SEEN, FIRST, LEVEL, VAR, COV, SCALE, MEAN_R, SIZE_R, MEAN_Z, SIZE_Z, REACH, UNIT) = range(16)
QUANTILE: Final = slice(16, 19)  # log of the 98 % quantile of each channel's statistic
EXCESS: Final = slice(19, 22)  # its mean excess over that quantile
LINES: Final = 22

_LOG_QUANTILE_AT_START = np.log(np.array([[2.6], [3.0], [2.0]]))
_EXCESS_AT_START = np.array([[0.6], [0.8], [0.5]])


@dataclass(frozen=True, slots=True)
class SeasonalParameters:
    """Durations in seconds, rates per week, sizes in robust standard deviations.

    Attributes:
        false_alerts_per_week: of one series, that chance alone may raise; sets the threshold of the score.
        warm_up_s: not scored before; nor before ``warm_up_intervals`` sampling intervals, which however count for
            no more than ``warm_up_s_max``, so that slow series are scored at all.
        memory_s: what level, scale and correlation remember.
        profile_days: visits that an hour of the profile remembers.
        level_s, noise_s: span of the short means, at least ``span_intervals`` sampling intervals.
        clip: innovations beyond this count as this when learning.
        coverage: of the interval between lower and upper.
    """

    false_alerts_per_week: float = 0.5
    warm_up_s: float = 86_400.0
    warm_up_intervals: float = 72.0
    warm_up_s_max: float = 14 * 86_400.0
    memory_s: float = 7 * 86_400.0
    profile_days: float = 21.0
    level_s: float = 7_200.0
    noise_s: float = 3_600.0
    span_intervals: float = 4.0
    clip: float = 3.0
    coverage: float = 0.99

    def __post_init__(self) -> None:
        if not 1 - tail.P0 <= self.coverage < 1:
            raise Misconfigured(f"coverage {self.coverage} must be at least {1 - tail.P0} and below 1")
        for name in ("false_alerts_per_week", "warm_up_s", "memory_s", "profile_days", "level_s", "noise_s", "clip"):
            if not getattr(self, name) > 0:
                raise Misconfigured(f"{name} must be greater than 0, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where n readings lie in the profiles.

    Attributes:
        at: ``int64[4, n]`` bins: of every day, before and after; of its kind of day, before and after.
        weight: ``float64[4, n]`` share of each bin, linear between the middles of the hours.
        hour: ``int64[n]`` hour of the day, UTC.
    """

    at: Ints
    weight: Floats
    hour: Ints

    @classmethod
    def of(cls, t: Ints) -> "Calendar":
        """A bin is of the kind of day in which its middle lies, so that nothing jumps at midnight."""
        middle, past = np.divmod(t - HOUR_MS // 2, HOUR_MS)
        after = past / HOUR_MS
        bins = middle + np.array([[0], [1]])  # since the epoch
        hour = bins % HOURS
        kind = np.where(weekend(bins // HOURS), 2 * HOURS, HOURS)
        share = np.stack([1 - after, after])
        return cls(np.concatenate([hour, kind + hour]), np.concatenate([share, share]), t // HOUR_MS % HOURS)


class SeasonalState:
    """Struct of arrays; a row is a series.

    Attributes:
        line: ``float64[LINES, rows]`` scalar state. profile: ``float64[rows × BINS]``, additive parts in the unit.
        weight: ``float64[rows × BINS]`` readings behind each part. spread: ``float64[rows × HOURS]`` innovation scale.
    """

    def __init__(self, parameters: SeasonalParameters) -> None:
        self._reach = parameters.clip
        self.line: Floats = np.empty((LINES, 0))
        self.profile: Floats = np.empty(0)
        self.weight: Floats = np.empty(0)
        self.spread: Floats = np.empty(0)

    def grow(self, rows: int) -> None:
        more = rows - self.line.shape[1]
        if more <= 0:
            return
        fresh = np.zeros((LINES, more))
        fresh[[T, X, FIRST, INTERVAL]] = np.nan
        fresh[REACH] = self._reach
        fresh[QUANTILE] = _LOG_QUANTILE_AT_START
        fresh[EXCESS] = _EXCESS_AT_START
        self.line = np.concatenate([self.line, fresh], axis=1)
        self.profile = np.append(self.profile, np.zeros(more * BINS))
        self.weight = np.append(self.weight, np.zeros(more * BINS))
        self.spread = np.append(self.spread, np.zeros(more * HOURS))

    def snapshot(self) -> Payload:
        return {
            "line": self.line.copy(),
            "profile": self.profile.copy(),
            "weight": self.weight.copy(),
            "spread": self.spread.copy(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: shapes that do not belong together."""
        line, profile, weight, spread = (_floats(payload[name]) for name in ("line", "profile", "weight", "spread"))
        rows = line.shape[-1]
        if line.shape != (LINES, rows) or len(profile) != rows * BINS or len(weight) != len(profile):
            raise Rejected("state", str(line.shape), "not a state of the seasonal detector")
        self.line, self.profile, self.weight, self.spread = line, profile, weight, spread


def _floats(values: NDArray[Any]) -> Floats:
    return np.array(values, dtype=np.float64)
