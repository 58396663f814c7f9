"""The quality tests of single series and of sensors: QARTOD tests, counters, the shape of a series, physics.

A sensor that is broken is no event in the city: these flags name it, and make the finding a quality one. Limits stand
in :mod:`models.quality_limits`; what is learned is learned per series. The verdict on a reading does not depend on how
readings are cut into frames; a later reading may revise it (a spike is known when the next reading has come back, and
physics when the other quantity has arrived).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.errors import Rejected
from domain.flags import Flag, Test
from domain.readings import Flags, Floats, Ints, Mask, Rows
from domain.scores import Judged
from models import quality_steps as steps
from models.contract import Payload
from models.neighbour_lists import NeighbourLists
from models.neighbours import Neighbours
from models.quality_limits import RATE_PER_MINUTE, RATED_MARGIN, CounterLimits, FlatLimits, ShapeLimits, user_span
from models.quality_shape import Shape
from models.quality_swapped import Swapped
from models.rounds import rounds
from models.series_spec import SeriesSpec


class QualityTests:
    """Flags readings of one area; rows are those of ``ensure``. Fulfils :class:`models.contract.QualityTests`."""

    kind: ClassVar[str] = "quality"
    version: ClassVar[str] = "4"  # 4: swapped channels, neighbours

    def __init__(
        self,
        shape: ShapeLimits = ShapeLimits(),  # noqa: B008  frozen values
        flat: FlatLimits = FlatLimits(),  # noqa: B008
        counters: CounterLimits = CounterLimits(),  # noqa: B008
        near: NeighbourLists | None = None,
    ) -> None:
        self._flat, self._counters = flat, counters
        self._state: Floats = np.zeros((steps.LINES, 0))
        self._shape = Shape(shape)
        self._swapped = Swapped()
        self._neighbours = Neighbours(near)
        self._span: Floats = np.empty((4, 0))  # sensor span and user span: lower, upper
        self._rated: Floats = np.empty(0)
        self._rate_limit: Floats = np.empty(0)
        self._cumulative = np.empty(0, dtype=bool)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        more = len(specs) - self._state.shape[1]
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((steps.LINES, more))], axis=1)
        new = specs[len(self._rated) :]
        if not new:
            return
        self._shape.ensure(specs)
        self._swapped.ensure(specs)
        self._neighbours.ensure(specs)
        rated = np.array([np.nan if spec.sensor.rated_kw is None else spec.sensor.rated_kw for spec in new])
        power = np.array([spec.quantity.name == "energy.active_power" for spec in new])
        user = np.array([user_span(spec.quantity, spec.sensor) for spec in new]).T
        limit = np.where(power & np.isfinite(rated), RATED_MARGIN * rated, np.inf)
        user = np.array([np.maximum(user[0], -limit), np.minimum(user[1], limit)])
        sensor = np.array([(spec.quantity.lower, spec.quantity.upper) for spec in new]).T
        self._span = np.concatenate([self._span, np.concatenate([sensor, user])], axis=1)
        self._rated = np.append(self._rated, rated)
        self._rate_limit = np.append(
            self._rate_limit, [RATE_PER_MINUTE.get(spec.quantity.name, np.nan) for spec in new]
        )
        self._cumulative = np.append(self._cumulative, [spec.quantity.cumulative for spec in new])

    def check(self, readings: Judged, refused: Judged | None = None) -> tuple[Flags, NDArray[np.uint32], Judged]:
        """Flag and failed tests of each reading, to be combined with those it already has.

        Third, what these readings say of earlier ones: (row, t) with the flag and tests to be added, values NaN.
        The ``tests`` of ``refused`` readings (see :class:`models.contract.QualityTests`) are added to in place.
        """
        n = len(readings)
        flag = np.full(n, Flag.GOOD, np.uint8)
        tests = np.zeros(n, np.uint32)
        row, x = readings.row, readings.x
        lower, upper, user_lower, user_upper = self._span[:, row]
        outside = (x < lower) | (x > upper)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            earlier = self._in_order(readings, ~outside & np.isfinite(x), flag, tests)
        for where, verdict in (((x < user_lower) | (x > user_upper), Flag.SUSPECT), (outside, Flag.FAIL)):
            flag[where] = np.maximum(flag[where], np.uint8(verdict))
            tests[where] |= np.uint32(Test.GROSS_RANGE)
        return flag, tests, _once(earlier, self._exchanged(readings, refused or Judged.empty(), flag, tests))

    def _exchanged(self, readings: Judged, refused: Judged, flag: Flags, tests: NDArray[np.uint32]) -> Judged:
        """Mark what comes from the channel beside; returns such readings as came before these."""
        row, t, x = (np.concatenate((getattr(readings, c), getattr(refused, c))) for c in ("row", "t", "x"))
        gone = []
        at: dict[tuple[int, int], int] = {}
        for found in self._swapped.judge(row, t, x):
            at = at or {key: k for k, key in enumerate(zip(row.tolist(), t.tolist(), strict=True))}
            k = at.get(found)
            if k is None:
                gone.append(found)
            elif k < len(readings):
                flag[k] = max(flag[k], Flag.SUSPECT)
                tests[k] |= np.uint32(Test.SWAPPED)
            else:
                refused.tests[k - len(readings)] |= np.uint32(Test.SWAPPED)
        n, when = len(gone), np.array(gone, np.int64).reshape(-1, 2)
        suspect, swapped = np.full(n, Flag.SUSPECT, np.uint8), np.full(n, Test.SWAPPED, np.uint32)
        return Judged(when[:, 0].astype(np.int32), when[:, 1], np.full(n, np.nan), suspect, swapped)

    def _in_order(self, readings: Judged, usable: Mask, flag: Flags, tests: NDArray[np.uint32]) -> Judged:
        chosen = np.flatnonzero(usable)
        before = np.full(self._state.shape[1], -1, np.intp)  # position of the last reading of each row in this call
        earlier = []
        away = np.full(len(readings), np.nan)
        for turn in rounds(readings.row[chosen]):
            at = chosen[turn]
            row = readings.row[at]
            columns = steps.Columns(
                row,
                readings.t[at] / 1_000,
                readings.x[at],
                self._cumulative[row],
                self._rated[row],
                self._rate_limit[row],
                flag[at],
                tests[at],
                np.zeros(len(row), dtype=bool),
            )
            state = self._state[:, row]
            steps.rate_of_change(columns, state)
            if columns.cumulative.any():
                steps.counter(columns, state, self._counters)
            spike, surely = self._shape.judge(columns, state)
            away[at] = self._shape.away
            if spike.any():
                earlier.append(_prove(spike, surely, row, state[steps.T], before, flag, tests))
            steps.flat_line(columns, state, self._flat)
            steps.remember(columns, state)
            self._state[:, row] = state
            flag[at], tests[at] = columns.flag, columns.tests
            before[row] = at
        self._neighbours.fold(readings.row, readings.t, away)
        return _joined(earlier)

    def apart(self, until_ms: int) -> tuple[Rows, Ints]:
        """Rows that failed the neighbour test in the hours that end by ``until_ms``, and the start of each such hour
        (epoch ms)."""
        return self._neighbours.close(until_ms)

    def slow_residual(self) -> Floats:
        """``float64[rows]``: how far each series has been from its usual course of late, in its own scatter."""
        return self._shape.residual()

    def snapshot(self) -> Payload:
        return {"state": self._state.copy(), "shape": self._shape.snapshot(), "swapped": self._swapped.snapshot(),
                "neighbours": self._neighbours.snapshot()}  # fmt: skip

    def restore(self, payload: Mapping[str, Any]) -> None:
        """What is declared of the series comes back with ``ensure``. Raises: Rejected: a state of another shape."""
        state = np.array(payload["state"], np.float64)
        if state.ndim != 2 or len(state) != steps.LINES:
            raise Rejected("state", str(state.shape), "not a state of the quality tests")
        self._state = state
        self._shape.restore(payload["shape"])
        self._swapped.restore(payload["swapped"])
        self._neighbours.restore(payload["neighbours"])


def _prove(
    spike: Mask, surely: Mask, row: NDArray[np.int32], t: Floats, before: NDArray[np.intp], flag: Flags,
    tests: NDArray[np.uint32],
) -> tuple[NDArray[np.int32], Ints, Flags]:  # fmt: skip
    """Raise the flag of spikes that are in this call; returns (row, t, flag) of those that came before it."""
    verdict = np.where(surely, np.uint8(Flag.FAIL), np.uint8(Flag.SUSPECT)).astype(np.uint8)
    place = before[row]
    here, gone = spike & (place >= 0), spike & (place < 0)
    flag[place[here]] = np.maximum(flag[place[here]], verdict[here])
    tests[place[here]] |= np.uint32(Test.SPIKE)
    return row[gone], np.rint(t[gone] * 1_000).astype(np.int64), verdict[gone]


def _joined(parts: list[tuple[NDArray[np.int32], Ints, Flags]]) -> Judged:
    if not parts:
        return Judged.empty()
    row, t, flag = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Judged(row, t, np.full(len(row), np.nan), flag, np.full(len(row), Test.SPIKE, np.uint32))


def _once(first: Judged, second: Judged) -> Judged:
    """Both, each (row, t) once: the worse flag, and the tests of both."""
    if not len(first) or not len(second):
        return first if len(first) else second
    both = Judged.joined(first, second)
    _, at, which = np.unique(np.stack((both.row, both.t)), axis=1, return_index=True, return_inverse=True)
    once = both.take(at)
    np.maximum.at(once.flag, which.ravel(), both.flag)
    np.bitwise_or.at(once.tests, which.ravel(), both.tests)
    return once
