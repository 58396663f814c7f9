"""The quality tests of single series and of sensors: QARTOD tests plus counters and the physics inside a sensor.

A sensor that is broken is no event in the city: these flags keep its readings from being learned, and make the finding
a quality one. Limits stand in :mod:`models.quality_limits`; what is learned is learned per series. The verdict on a
reading is given when it arrives and does not depend on how readings are cut into frames, the physics apart, which
compares what comes in one frame.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.errors import Rejected
from domain.flags import Flag, Test
from domain.readings import Flags, Floats
from domain.scores import Judged
from models import quality_steps as steps
from models.contract import Payload
from models.physics import PairedRows
from models.quality_limits import RATE_PER_MINUTE, RATED_MARGIN, CounterLimits, FlatLimits, SpikeLimits
from models.rounds import rounds
from models.series_spec import SeriesSpec


class QualityTests:
    """Flags readings of one area; rows are those of ``ensure``. Fulfils :class:`models.contract.QualityTests`."""

    kind: ClassVar[str] = "quality"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        spike: SpikeLimits = SpikeLimits(),  # noqa: B008  frozen values
        flat: FlatLimits = FlatLimits(),  # noqa: B008
        counters: CounterLimits = CounterLimits(),  # noqa: B008
    ) -> None:
        self._spike, self._flat, self._counters = spike, flat, counters
        self._state: Floats = np.zeros((steps.LINES, 0))
        self._pairs = PairedRows()
        self._lower: Floats = np.empty(0)
        self._upper: Floats = np.empty(0)
        self._rated: Floats = np.empty(0)
        self._rated_limit: Floats = np.empty(0)
        self._rate_limit: Floats = np.empty(0)
        self._cumulative = np.empty(0, dtype=bool)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        more = len(specs) - self._state.shape[1]
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((steps.LINES, more))], axis=1)
        new = specs[len(self._lower) :]
        if not new:
            return
        self._pairs.ensure(specs)
        rated = np.array([np.nan if spec.sensor.rated_kw is None else spec.sensor.rated_kw for spec in new])
        power = np.array([spec.quantity.name == "energy.active_power" for spec in new])
        self._lower = np.append(self._lower, [spec.quantity.lower for spec in new])
        self._upper = np.append(self._upper, [spec.quantity.upper for spec in new])
        self._rated = np.append(self._rated, rated)
        self._rated_limit = np.append(self._rated_limit, np.where(power, RATED_MARGIN * rated, np.nan))
        self._rate_limit = np.append(
            self._rate_limit, [RATE_PER_MINUTE.get(spec.quantity.name, np.nan) for spec in new]
        )
        self._cumulative = np.append(self._cumulative, [spec.quantity.cumulative for spec in new])

    def check(self, readings: Judged) -> tuple[Flags, NDArray[np.uint32]]:
        """Flag and failed tests of each reading, to be combined with those it already has."""
        n = len(readings)
        flag = np.full(n, Flag.GOOD, np.uint8)
        tests = np.zeros(n, np.uint32)
        row, x = readings.row, readings.x
        outside = (x < self._lower[row]) | (x > self._upper[row])
        over = np.abs(x) > self._rated_limit[row]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._in_order(readings, ~outside & np.isfinite(x), flag, tests)
        for where, verdict, test in (
            (self._pairs.contradicted(readings), Flag.SUSPECT, Test.PHYSICS),
            (over, Flag.SUSPECT, Test.GROSS_RANGE),
            (outside, Flag.FAIL, Test.GROSS_RANGE),
        ):
            flag[where] = np.maximum(flag[where], np.uint8(verdict))
            tests[where] |= np.uint32(test)
        return flag, tests

    def _in_order(self, readings: Judged, usable: NDArray[np.bool_], flag: Flags, tests: NDArray[np.uint32]) -> None:
        chosen = np.flatnonzero(usable)
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
            )
            state = self._state[:, row]
            steps.spike_and_rate(columns, state, self._spike)
            if columns.cumulative.any():
                steps.counter(columns, state, self._counters)
            steps.flat_line(columns, state, self._flat)
            steps.remember(columns, state)
            self._state[:, row] = state
            flag[at], tests[at] = columns.flag, columns.tests

    def snapshot(self) -> Payload:
        return {"state": self._state.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """What is declared of the series comes back with ``ensure``. Raises: Rejected: a state of another shape."""
        state = np.array(payload["state"], np.float64)
        if state.ndim != 2 or len(state) != steps.LINES:
            raise Rejected("state", str(state.shape), "not a state of the quality tests")
        self._state = state
