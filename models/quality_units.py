"""Wrong unit: a level shift that is the factor of another unit, where what follows tells a factor from a constant.

Of readings flagged as a level shift, close together, the misfit of ``x = factor · expected`` is held against the
scatter of ``x − expected``: a shift by a constant leaves the second alone, another unit the first. Factors of ten and
more need no such proof. Factors: :data:`models.quality_limits.UNIT_FACTORS`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Rows
from models.contract import Payload
from models.quality_limits import UNIT_FACTORS
from models.series_spec import SeriesSpec

(COUNT, LAST, FACTOR, MISFIT, OFF, OFF2, SIZE) = range(7)
_LINES: Final = 7
_FACTORS_MAX: Final = max(map(len, UNIT_FACTORS.values()))
_NEAR: Final = 0.15  # of the factor, in logarithms: which one is looked at
_READINGS: Final = 8.0
_READINGS_FAR: Final = 3.0
_FAR: Final = 10.0  # times, or one over it
_BETTER: Final = 0.35  # of the variance that a constant shift leaves
_FITS: Final = 0.12  # root mean square misfit, of the mean size
_TOGETHER: Final = 6.0  # intervals


class Units:
    """Sums per row since a level shift began."""

    def __init__(self) -> None:
        self._log_factors: Floats = np.empty((0, _FACTORS_MAX))
        self._state: Floats = np.zeros((_LINES, 0))

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        more = len(specs) - self._state.shape[1]
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((_LINES, more))], axis=1)
        new = specs[len(self._log_factors) :]  # what is declared is not in the state: after a restore, all of them
        table = np.full((len(new), _FACTORS_MAX), np.nan)
        for row, spec in enumerate(new):
            factors = UNIT_FACTORS.get(spec.quantity.name, ())
            table[row, : len(factors)] = np.log(factors)
        self._log_factors = np.concatenate([self._log_factors, table])

    def judge(self, row: Rows, t: Floats, x: Floats, expected: Floats, interval: Floats) -> NDArray[np.bool_]:
        """Which of these readings, each of another row and flagged as a level shift, are in another unit."""
        found = np.zeros(len(row), dtype=bool)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(np.log(x / expected)[:, None] - self._log_factors[row])
        apart = np.where(np.isfinite(apart), apart, np.inf)
        best = np.argmin(apart, axis=1)
        at = np.arange(len(row))
        near = apart[at, best] < _NEAR
        if not near.any():
            self._state[COUNT, row] = 0.0
            return found
        factor = np.where(near, np.exp(np.nan_to_num(self._log_factors[row, best])), 0.0)
        s = self._state[:, row]
        goes_on = near & (s[FACTOR] == factor) & (t - s[LAST] <= _TOGETHER * interval)
        s = np.where(goes_on, s, 0.0)
        off = x - expected
        s[FACTOR], s[LAST] = factor, t
        s[COUNT] += near
        s[MISFIT] += (x - factor * expected) ** 2
        s[OFF] += off
        s[OFF2] += off**2
        s[SIZE] += np.abs(x)
        self._state[:, row] = s
        n = np.maximum(s[COUNT], 1.0)
        misfit, scatter = s[MISFIT] / n, s[OFF2] / n - (s[OFF] / n) ** 2
        fits = misfit < (_FITS * s[SIZE] / n) ** 2
        far = (factor >= _FAR) | (factor <= 1 / _FAR)
        proven = (s[COUNT] >= _READINGS) & (misfit < _BETTER * scatter)
        return np.asarray(near & fits & (proven | (far & (s[COUNT] >= _READINGS_FAR))))

    def snapshot(self) -> Payload:
        return {"state": self._state.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._state = np.array(payload["state"], np.float64)
