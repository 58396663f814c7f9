"""The detector that finds nothing: what a benchmark is held against."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from domain.scores import Judged, Scores
from models.contract import Payload
from models.series_spec import SeriesSpec


class NullDetector:
    """Scores every reading 0 and expects nothing."""

    kind: ClassVar[str] = "null"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self.parameters: Mapping[str, Any] = {}

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        pass

    def observe(self, readings: Judged) -> Scores:
        n = len(readings)
        unknown = np.full(n, np.nan)
        return Scores(np.zeros(n), unknown, unknown.copy(), unknown.copy(), unknown.copy(), {})

    def snapshot(self) -> Payload:
        return {}

    def restore(self, payload: Mapping[str, Any]) -> None:
        pass
