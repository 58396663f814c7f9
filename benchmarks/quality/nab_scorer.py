"""The score of the Numenta Anomaly Benchmark v1.1, written anew from its definition (Lavin and Ahmad 2015).

A detection inside a labelled window earns up to 1, the earlier the more (a sigmoid of its place in the window), and
only the best one of a window counts; a window without a detection costs ``missed``; a detection outside costs
``false``, less just behind a window. The first 15 % of a file (750 rows at most) are probation and not scored. Sums
over all files are scaled so that finding nothing is 0 and finding everything at once and nothing else is 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints

PROBATION_SHARE: Final = 0.15
PROBATION_ROWS_MAX: Final = 750
_STEEPNESS: Final = 5.0
_FAR: Final = 3.0  # window widths behind a window from which on a detection is wholly false

Window = tuple[int, int]  # first and last, epoch ms, both inside


@dataclass(frozen=True, slots=True)
class Profile:
    """What a false detection and a missed window cost; a window found at its first row earns 1."""

    false: float
    missed: float


PROFILES: Final[Mapping[str, Profile]] = {
    "standard": Profile(0.11, 1.0),
    "reward_low_FP_rate": Profile(0.22, 1.0),
    "reward_low_FN_rate": Profile(0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Worth:
    """What a detection at each of n rows would be worth.

    Attributes:
        value: ``float64[n]``: of the window 0..1, outside −1..0 in units of ``Profile.false``.
        window: ``int64[n]`` number of the window, −1 outside, −2 in probation.
        windows: how many there are to find.
    """

    value: Floats
    window: Ints
    windows: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found in a file: worth of the windows found, their number, false detections and their worth."""

    earned: float
    found: int
    windows: int
    false: float
    false_count: int

    def raw(self, profile: Profile) -> float:
        return self.earned - profile.missed * (self.windows - self.found) + profile.false * self.false


def worth(t: Ints, windows: list[Window]) -> Worth:
    """Rows at ``int64[n]`` epoch ms in the order of the file; windows begin and end at times of rows."""
    n = len(t)
    probation = int(min(PROBATION_SHARE * n, PROBATION_ROWS_MAX))
    value, window = np.full(n, -1.0), np.full(n, -1, np.int64)
    for number, (start, end) in enumerate(windows):
        first, last = (int(np.flatnonzero(t == edge)[0]) for edge in (start, end))
        width = last - first + 1
        inside = np.arange(first, last + 1)
        value[inside] = _sigmoid(-(last - inside + 1) / width) / _sigmoid(np.array(-1.0))
        window[inside] = number
        behind = np.arange(last + 1, n)  # until the next window overwrites it
        value[behind] = _sigmoid((behind - last) / max(width - 1, 1))
        window[behind] = -1
    window[:probation] = -2
    return Worth(value, window, len(set(window[window >= 0].tolist())))


def _sigmoid(place: Floats) -> Floats:
    return np.where(place > _FAR, -1.0, 2 / (1 + np.exp(_STEEPNESS * place)) - 1)


def tally(worth: Worth, detected: NDArray[np.bool_]) -> Tally:
    """``bool[n]``: the rows of a file at which something was found."""
    outside = detected & (worth.window == -1)
    best: dict[int, float] = {}
    for k in np.flatnonzero(detected & (worth.window >= 0)).tolist():
        number = int(worth.window[k])
        best[number] = max(best.get(number, -1.0), float(worth.value[k]))
    return Tally(sum(best.values()), len(best), worth.windows, float(worth.value[outside].sum()), int(outside.sum()))


def score(tallies: list[Tally], profile: Profile) -> float:
    """0 for a detector that finds nothing, 100 for a perfect one."""
    windows = sum(one.windows for one in tallies)
    nothing = -profile.missed * windows
    return 100 * (sum(one.raw(profile) for one in tallies) - nothing) / (windows - nothing)


def scores(tallies: list[Tally]) -> dict[str, float]:
    """By profile."""
    return {name: score(tallies, profile) for name, profile in PROFILES.items()}
