"""The one place where closed minutes become points for road detectors: each minute, and each five minutes.

Of five minutes only the speeds are asked for: vehicle-kilometres over vehicle-hours, never a mean of speeds. The
weight of a minute is the flow of the same sensor; where that is not measured every minute counts alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.readings import Floats, Ints
from domain.times import MINUTE_MS
from domain.windows import Aggregates
from models.series_spec import SeriesSpec
from streams.area_clock import NEVER

FIVE = 5


@dataclass(frozen=True, slots=True)
class Point:
    """``x[rows]`` by row of the area, NaN where there is nothing, of the ``minutes`` before ``end`` (epoch ms).

    Everything up to ``behind`` has been judged before it: five minutes that end in a pause are only known after that.
    """

    minutes: int
    end: int
    behind: int
    x: Floats


class RoadPoints:
    """``weight`` and ``hours`` add up over the five minutes that are under way: of each row, flow and flow / speed."""

    def __init__(self) -> None:
        self.done = NEVER  # the last minute that was taken
        self._speeds: Ints = np.empty(0, np.int64)  # rows
        self._flow_of: Ints = np.empty(0, np.int64)  # row of the flow that goes with each; itself where there is none
        self._weight: Floats = np.empty(0)
        self._hours: Floats = np.empty(0)

    def grow(self, specs: Sequence[SeriesSpec]) -> None:
        speeds, flows = (
            {spec.sensor.sensor: row for row, spec in enumerate(specs) if spec.quantity.name == quantity}
            for quantity in ("traffic.speed", "traffic.flow")
        )
        self._speeds = np.array(list(speeds.values()), np.int64)
        self._flow_of = np.array([flows.get(sensor, row) for sensor, row in speeds.items()], np.int64)
        more = np.zeros(len(specs) - len(self._weight))
        self._weight, self._hours = np.append(self._weight, more), np.append(self._hours, more)

    def take(self, batch: Aggregates) -> Iterator[Point]:
        """The points that end with these 1-minute windows, in the order of time; what comes late changes none."""
        fresh = (batch.start > self.done) & (batch.revision == 1)
        starts, nth = np.unique(batch.start[fresh], return_inverse=True)
        table = np.full((len(starts), len(self._weight)), np.nan)
        table[nth, batch.i[fresh]] = batch.mean[fresh]
        for start, x in zip(starts.tolist(), table, strict=True):
            if start // (FIVE * MINUTE_MS) != self.done // (FIVE * MINUTE_MS):
                yield from self._five(start)
            self.done = start
            self._add(x)
            yield Point(1, start + MINUTE_MS, start, x)
            if (start + MINUTE_MS) % (FIVE * MINUTE_MS) == 0:
                yield from self._five(start + MINUTE_MS)

    def _add(self, x: Floats) -> None:
        speeds = self._speeds
        flow = np.where(self._flow_of == speeds, 1.0, x[self._flow_of])
        counts = np.isfinite(x[speeds]) & (flow > 0)
        rows, weight = speeds[counts], flow[counts]
        self._weight[rows] += weight
        with np.errstate(divide="ignore"):
            self._hours[rows] += weight / np.maximum(x[rows], 0.0)

    def _five(self, behind: int) -> Iterator[Point]:
        """Of the five minutes under way, if there is anything in them."""
        if self._weight.any():
            with np.errstate(invalid="ignore"):
                x = np.where(self._weight > 0, self._weight / self._hours, np.nan)
            end = (self.done // (FIVE * MINUTE_MS) + 1) * FIVE * MINUTE_MS
            self._weight[:], self._hours[:] = 0.0, 0.0
            yield Point(FIVE, end, behind, x)

    def snapshot(self) -> dict[str, Any]:
        return {"done": self.done, "weight": self._weight.copy(), "hours": self._hours.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """After :meth:`grow`."""
        self.done = payload["done"]
        self._weight, self._hours = (np.array(payload[name], np.float64) for name in ("weight", "hours"))
