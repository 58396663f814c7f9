"""River's own detectors, each with what it needs around it so that it says something; imported only when made.

The traps they would otherwise fall into, and what is done about each, stand beside them. ``Scorer.raw`` is an
unbounded "higher is stranger"; :mod:`models.stock` turns it into the common scale by its learned tail.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

from river import anomaly, stats
from river.preprocessing import StandardScaler

LAGS = 3
_LOG_MAX = 300.0


class Scorer(Protocol):
    """One series: ``raw`` scores a value given the values before it, ``learn`` learns it."""

    def raw(self, x: float) -> float: ...

    def learn(self, x: float) -> None: ...


class GaussianTail:
    """``GaussianScorer``; its own score saturates at 1.0, so the tail probability is taken from its distribution."""

    def __init__(self) -> None:
        self._model = anomaly.GaussianScorer(grace_period=2)

    def raw(self, x: float) -> float:
        gaussian = self._model.gaussian
        if gaussian.n_samples < 2 or not gaussian.sigma > 0:
            return 0.0
        z = abs(x - gaussian.mu) / gaussian.sigma
        tail = math.erfc(z / math.sqrt(2))
        # Below the smallest float the leading term of the logarithm goes on growing.
        return -math.log10(tail) if tail > 0 else z * z / (2 * math.log(10))

    def learn(self, x: float) -> None:
        self._model.learn_one(None, x)


class AbsoluteDeviation:
    """``StandardAbsoluteDeviation``: standard deviations from the mean, as it comes."""

    def __init__(self) -> None:
        self._model = anomaly.StandardAbsoluteDeviation(sub_stat=stats.Mean())
        self._seen = 0

    def raw(self, x: float) -> float:
        return min(float(self._model.score_one(None, x)), _LOG_MAX) if self._seen > 1 else 0.0

    def learn(self, x: float) -> None:
        self._model.learn_one(None, x)
        self._seen += 1


class HalfSpace:
    """``HalfSpaceTrees`` on value and change scaled to 0..1: unscaled input would make every score 0.

    Scaled by mean ± 5 standard deviations rather than a running range, which one spike would blow up for ever.
    """

    def __init__(self) -> None:
        self._model = anomaly.HalfSpaceTrees(n_trees=10, height=6, window_size=100, seed=1)
        self._scaler = StandardScaler()
        self._last: float | None = None

    def _features(self, x: float) -> dict[str, float]:
        raw = {"value": x, "change": 0.0 if self._last is None else x - self._last}
        return {name: min(max((z + 5) / 10, 0.0), 1.0) for name, z in self._scaler.transform_one(raw).items()}

    def raw(self, x: float) -> float:
        # Its 0..1 score is one minus a mass; the inverse of the mass orders the top, where the score saturates.
        return 1 / (1 - float(self._model.score_one(self._features(x))) + 1e-6)

    def learn(self, x: float) -> None:
        self._scaler.learn_one({"value": x, "change": 0.0 if self._last is None else x - self._last})
        self._model.learn_one(self._features(x))
        self._last = x


class LodaOnLags:
    """``LODA`` on the value and the two before it; it fixes its features at the first call, so it waits for them.

    On standardised values: its score is a negative log density, whose zero depends on the unit.
    """

    def __init__(self) -> None:
        self._model = anomaly.LODA(n_random_cuts=25, seed=1)
        self._scaler = StandardScaler()
        self._lags: list[float] = []

    def _features(self, x: float) -> dict[str, float]:
        values = [x, *self._lags]
        return {f"lag{k}": self._scaler.transform_one({"value": value})["value"] for k, value in enumerate(values)}

    def raw(self, x: float) -> float:
        return max(float(self._model.score_one(self._features(x))), 0.0) if len(self._lags) == LAGS - 1 else 0.0

    def learn(self, x: float) -> None:
        self._scaler.learn_one({"value": x})
        if len(self._lags) == LAGS - 1:
            self._model.learn_one(self._features(x))
        self._lags = [x, *self._lags[: LAGS - 2]]


class Boundary:
    """``OneClassSVM`` on absolute standard scores of value and change, so that its one line bounds both sides."""

    def __init__(self) -> None:
        self._model = anomaly.OneClassSVM(nu=0.1)
        self._scaler = StandardScaler()
        self._last: float | None = None

    def _features(self, x: float) -> dict[str, float]:
        raw = {"value": x, "change": 0.0 if self._last is None else x - self._last}
        return {name: min(abs(z), 50.0) for name, z in self._scaler.transform_one(raw).items()}

    def raw(self, x: float) -> float:
        return max(float(self._model.score_one(self._features(x))), 0.0)

    def learn(self, x: float) -> None:
        self._scaler.learn_one({"value": x, "change": 0.0 if self._last is None else x - self._last})
        self._model.learn_one(self._features(x))
        self._last = x


SCORERS: dict[str, Callable[[], Any]] = {
    "gaussian": GaussianTail,
    "sad": AbsoluteDeviation,
    "half_space_trees": HalfSpace,
    "loda": LodaOnLags,
    "ocsvm": Boundary,
}
