"""Columns that pass between the stages: what was judged, and what was said of it. Columns of one value have n rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.readings import Flags, Floats, Ints, Rows


@dataclass(frozen=True, slots=True)
class Judged:
    """Readings of one area that count, with their quality; sorted by (row, t), each (row, t) once.

    Attributes:
        row: ``int32[n]`` row of the series in the area's index.
        t: ``int64[n]`` epoch ms. x: ``float64[n]``, finite.
        flag: ``uint8[n]`` QARTOD flag. tests: ``uint32[n]`` bitmask of failed tests (:class:`domain.flags.Test`).
    """

    row: Rows
    t: Ints
    x: Floats
    flag: Flags
    tests: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def empty(cls) -> "Judged":
        return cls(
            np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), np.empty(0, np.uint32)
        )

    @classmethod
    def joined(cls, *parts: "Judged") -> "Judged":
        """One after the other, as they stand: whether each (row, t) is there once, and in order, is the caller's."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Judged":
        return Judged(self.row[chosen], self.t[chosen], self.x[chosen], self.flag[chosen], self.tests[chosen])


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector says of n readings, aligned with what it was given.

    Attributes:
        score: ``float64[n]`` 0..1, threshold 0.5, NaN while warming up.
        expected, lower, upper: ``float64[n]`` in the series' unit, NaN where unknown.
        one_in: ``float64[n]`` how unusual: once in so many readings; NaN where unknown.
        channels: name → ``float64[n]`` evidence >= 0 of each channel; shares are computed from these.
    """

    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    one_in: Floats
    channels: dict[str, Floats]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Scores":
        return Scores(
            self.score[chosen],
            self.expected[chosen],
            self.lower[chosen],
            self.upper[chosen],
            self.one_in[chosen],
            {name: evidence[chosen] for name, evidence in self.channels.items()},
        )
