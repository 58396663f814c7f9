"""The default detector as a River estimator: one series, one reading at a time, in any River pipeline."""

import math
from collections.abc import Mapping
from typing import Any

from river import base

from domain.flags import Flag
from domain.quantities import quantity
from domain.sensors import Sensor
from models.one_reading import observe_one
from models.seasonal import SeasonalDetector
from models.seasonal_state import SeasonalParameters
from models.series_spec import SeriesSpec

_SPEC = SeriesSpec("estimator/generic.value", quantity("generic.value"), Sensor("estimator", area="estimator"))


class RobustSeasonal(base.AnomalyDetector):  # type: ignore[misc]
    """Robust seasonal detector (see :mod:`models.seasonal`).

    Features are ``time`` (a datetime with a time zone, or epoch seconds) and ``value``; others are ignored. The score
    is 0..1 with its threshold at 0.5, and NaN while the model is warming up or when a feature is missing.

    Parameters
    ----------
    false_alerts_per_week
        Of one series, that chance alone may raise.
    warm_up_s
        Seconds before the first score.
    memory_s
        Seconds that level, scale and correlation remember.

    Examples
    --------
    >>> model = RobustSeasonal(warm_up_s=3_600)
    >>> for minute in range(300):
    ...     model.learn_one({"time": 60.0 * minute, "value": 20 + minute % 3})
    >>> model.score_one({"time": 60.0 * 300, "value": 20}) < 0.5
    True
    >>> model.score_one({"time": 60.0 * 300, "value": 200}) > 0.5
    True

    """

    def __init__(
        self, false_alerts_per_week: float = 0.5, warm_up_s: float = 86_400.0, memory_s: float = 604_800.0
    ) -> None:
        self.false_alerts_per_week = false_alerts_per_week
        self.warm_up_s = warm_up_s
        self.memory_s = memory_s
        self._detector = SeasonalDetector(
            SeasonalParameters(false_alerts_per_week=false_alerts_per_week, warm_up_s=warm_up_s, memory_s=memory_s)
        )
        self._detector.ensure([_SPEC])

    def score_one(self, x: Mapping[str, Any]) -> float:
        """0..1, NaN while warming up; learns nothing."""
        scores = observe_one(self._detector, x, Flag.FAIL)  # failed readings are scored and not learned
        return math.nan if scores is None else float(scores.score[0])

    def learn_one(self, x: Mapping[str, Any]) -> None:
        observe_one(self._detector, x, Flag.GOOD)
