"""The windows that are aggregated, and what an aggregate is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.readings import Flags, Floats, Ints, Rows

#: Tumbling windows, seconds: computed from the readings themselves.
TUMBLING_S = (60, 900, 3_600)
#: Running windows, seconds, a new one every hour (DAQI: ozone 8 h, particles 24 h).
RUNNING_S = (28_800, 86_400)
RUNNING_HOP_S = 3_600
WINDOWS_S = (*TUMBLING_S, *RUNNING_S)


@dataclass(frozen=True, slots=True)
class Aggregates:
    """n aggregates of m series of one area, one window length.

    Attributes:
        area: the area.
        window_s: window length in seconds.
        series: the m series names.
        i: ``int32[n]`` index into ``series``.
        start: ``int64[n]`` start of the window, epoch ms, inclusive; the end is exclusive.
        count: ``int64[n]`` readings that count.
        mean, min, max, last: ``float64[n]`` in the unit of the quantity; ``last`` is the latest by event time.
        coverage: ``float64[n]`` 0..1, readings that count per readings expected at the series' interval.
        flag: ``uint8[n]`` worst QARTOD flag among the readings.
        revision: ``int64[n]`` 1 when first published, one more each time a late reading or a correction changes it.
    """

    area: str
    window_s: int
    series: list[str]
    i: Rows
    start: Ints
    count: Ints
    mean: Floats
    min: Floats
    max: Floats
    last: Floats
    coverage: Floats
    flag: Flags
    revision: Ints

    def __len__(self) -> int:
        return len(self.start)

    def take(self, keep: NDArray[np.bool_]) -> "Aggregates":
        """The rows where ``keep`` (``bool[n]``) is true; the series stay as they are."""
        return Aggregates(
            self.area, self.window_s, self.series, self.i[keep], self.start[keep], self.count[keep], self.mean[keep],
            self.min[keep], self.max[keep], self.last[keep], self.coverage[keep], self.flag[keep], self.revision[keep],
        )  # fmt: skip


def window_start(t: Ints, length_s: int) -> Ints:
    """Start of the tumbling window that holds each time, epoch ms; windows are aligned to UTC."""
    length = np.int64(length_s * 1_000)
    return np.asarray(t - np.mod(t, length), dtype=np.int64)
