"""California algorithms 7 and 8: an incident between two loops shows as occupancy that piles up upstream and thins out
downstream (Payne and Tignor 1978; thresholds and states of 7 as in the domain notes, read in code in service).

With occupancies in percent, at step t, between an upstream and a downstream loop:

* ``OCCDF = up(t) − down(t)``, ``OCCRDF = OCCDF / up(t)``
* ``DOCCTD = (down(t−2) − down(t)) / down(t−2)``, how much the downstream loop has emptied in two steps

Algorithm 7: free → tentative when all three reach their thresholds; tentative → confirmed when OCCRDF still does at
the next step; confirmed until it does not. Only what is confirmed is told. Algorithm 8 adds the test for compression
waves: heavy traffic that suddenly fills the downstream loop keeps the pair from becoming tentative for some steps.
The thresholds must be calibrated for each site; what is here is where to begin.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np

from domain.readings import Floats, Mask
from models.contract import Payload

FREE: Final = 0
TENTATIVE: Final = 1
CONFIRMED: Final = 2


@dataclass(frozen=True, slots=True)
class CaliforniaParameters:
    """Percent, shares, steps. ``wave_rest`` 0 is algorithm 7; algorithm 8 waits five steps after a compression wave.

    ``wave_level`` and ``wave_rise`` (downstream occupancy in percent, and its relative growth in two steps, at which a
    wave is seen) are ours, found in simulated towns (decision 0020): the published tree has site-specific values.
    """

    difference: float = 8.0
    relative: float = 0.5
    emptied: float = 0.3
    wave_rest: int = 0
    wave_level: float = 12.0
    wave_rise: float = 0.2


SEVEN: Final = CaliforniaParameters()
EIGHT: Final = CaliforniaParameters(wave_rest=5)


class California:
    """Pairs of loops in columns; one step for all of them at a time."""

    kind: ClassVar[str] = "california"
    version: ClassVar[str] = "1"

    def __init__(self, pairs: int, parameters: CaliforniaParameters = SEVEN) -> None:
        self._p = parameters
        self.parameters: Mapping[str, Any] = asdict(parameters)
        self._state = np.full(pairs, FREE, np.int64)
        self._before: Floats = np.full((2, pairs), np.nan)  # downstream, one and two steps ago
        self._rest = np.zeros(pairs, np.int64)

    def step(self, up: Floats, down: Floats) -> Mask:
        """``up[pairs]``, ``down[pairs]`` occupancies 0..1 of this step, NaN where there is none; which are
        confirmed.
        """
        up, down = 100 * up, 100 * down
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = up - down
            relative = np.where(up > 0, apart / up, 0.0)
            earlier = self._before[1]
            emptied = np.where(earlier > 0, (earlier - down) / earlier, 0.0)
            wave = (down >= self._p.wave_level) & (-emptied >= self._p.wave_rise)
            piled = relative >= self._p.relative
            begins = (apart >= self._p.difference) & piled & (emptied >= self._p.emptied)
        self._rest = np.where(wave, self._p.wave_rest, np.maximum(0, self._rest - 1))
        begins &= self._rest == 0
        self._state = np.where(self._state == FREE, np.where(begins, TENTATIVE, FREE), np.where(piled, CONFIRMED, FREE))
        self._before = np.stack([down, self._before[0]])
        return np.asarray(self._state == CONFIRMED)

    def expected(self) -> Floats:
        """Nothing is expected of a loop by itself."""
        return np.full((2, len(self._state)), np.nan)

    def snapshot(self) -> Payload:
        return {"state": self._state.copy(), "before": self._before.copy(), "rest": self._rest.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._state = np.array(payload["state"], np.int64)
        self._before = np.array(payload["before"], np.float64)
        self._rest = np.array(payload["rest"], np.int64)
