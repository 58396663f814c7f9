"""One reading as River gives it, for a detector of one series behind a River estimator."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from domain.flags import Flag
from domain.scores import Judged, Scores
from models.contract import Detector


def observe_one(detector: Detector, x: Mapping[str, Any], flag: Flag) -> Scores | None:
    """What the detector says of the features ``time`` (a datetime, or epoch seconds) and ``value``; None without."""
    time, value = x.get("time"), x.get("value")
    if time is None or value is None:
        return None
    seconds = time.timestamp() if isinstance(time, datetime) else float(time)
    return detector.observe(
        Judged(
            np.zeros(1, np.int32),
            np.array([round(seconds * 1_000)], np.int64),
            np.array([value], np.float64),
            np.array([flag], np.uint8),
            np.zeros(1, np.uint32),
        )
    )
