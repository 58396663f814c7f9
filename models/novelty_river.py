"""The novelty detector as a River estimator: one series, one reading at a time, in any River pipeline."""

import math
from collections.abc import Mapping
from typing import Any

from river import base

from domain.flags import Flag
from domain.quantities import quantity
from domain.sensors import Sensor
from models.novelty import NoveltyDetector
from models.novelty_state import NoveltyParameters
from models.one_reading import observe_one
from models.series_spec import SeriesSpec

_SPEC = SeriesSpec("estimator/generic.value", quantity("generic.value"), Sensor("estimator", area="estimator"))


class Novelty(base.AnomalyDetector):  # type: ignore[misc]
    """Novelty detector (see :mod:`models.novelty`).

    Features are ``time`` (a datetime with a time zone, or epoch seconds) and ``value``; others are ignored. The score
    is 0..1 with its threshold at 0.5, and NaN while the model is warming up or when a feature is missing.

    Parameters
    ----------
    threshold
        Decades of evidence that a finding takes.
    warm_up_s
        Seconds before the first score.
    memory_s
        Seconds that the statistics of the distances remember.

    Examples
    --------
    >>> model = Novelty(warm_up_s=3_600)
    >>> for k in range(1_000):
    ...     model.learn_one({"time": 600.0 * k, "value": 20 + k % 3})
    >>> model.score_one({"time": 600.0 * 1_000, "value": 20}) < 0.5
    True
    >>> model.score_one({"time": 600.0 * 1_000, "value": 200}) > 0.5
    True

    """

    def __init__(self, threshold: float = 1.15, warm_up_s: float = 86_400.0, memory_s: float = 864_000.0) -> None:
        self.threshold = threshold
        self.warm_up_s = warm_up_s
        self.memory_s = memory_s
        self._detector = NoveltyDetector(NoveltyParameters(threshold=threshold, warm_up_s=warm_up_s, memory_s=memory_s))
        self._detector.ensure([_SPEC])

    def score_one(self, x: Mapping[str, Any]) -> float:
        """0..1, NaN while warming up; learns nothing."""
        scores = observe_one(self._detector, x, Flag.FAIL)  # failed readings are scored and not learned
        return math.nan if scores is None else float(scores.score[0])

    def learn_one(self, x: Mapping[str, Any]) -> None:
        observe_one(self._detector, x, Flag.GOOD)
