"""Logistic regression learned in batches by one online Newton step each: precise with few labels, no step size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats


class OnlineLogistic:
    """``p = 1 / (1 + exp(−x·w))``; add a constant to ``x`` yourself.

    ``start`` are the weights believed before any label, ``prior`` the precision of that belief, ``weight`` how much a
    label counts: labels that overlap in time tell less than independent ones.
    """

    def __init__(self, start: Floats, prior: float = 1.0, weight: float = 1.0, forgetting: float = 1.0) -> None:
        self._forgetting = forgetting
        self._prior = prior
        self._weight = weight
        self._precision = prior * np.eye(len(start))
        self._weights = np.array(start, dtype=np.float64)
        self.positives = 0
        self.negatives = 0

    def predict(self, x: Floats) -> Floats:
        """``float64[n]`` from ``float64[n, width]``."""
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x @ self._weights, -30.0, 30.0))))

    def learn(self, x: Floats, y: NDArray[np.bool_]) -> None:
        if not len(x):
            return
        p = self.predict(x)
        if self._forgetting < 1.0:
            keep = self._forgetting ** len(x)
            self._precision = keep * self._precision + (1.0 - keep) * self._prior * np.eye(len(self._weights))
        # The floor keeps a surprise from being met with too little curvature, which would overshoot.
        curvature = self._weight * np.maximum(p * (1.0 - p), 0.25 * np.abs(y - p))
        self._precision = self._precision + (x * curvature[:, None]).T @ x
        self._weights = self._weights + np.linalg.solve(self._precision, self._weight * (x.T @ (y - p)))
        self.positives += int(y.sum())
        self.negatives += int((~y).sum())

    def snapshot(self) -> dict[str, Any]:
        return {
            "precision": self._precision.copy(),
            "weights": self._weights.copy(),
            "positives": self.positives,
            "negatives": self.negatives,
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._precision = np.array(payload["precision"], dtype=np.float64)
        self._weights = np.array(payload["weights"], dtype=np.float64)
        self.positives, self.negatives = int(payload["positives"]), int(payload["negatives"])
