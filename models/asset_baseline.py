"""What is usual for the joint state of one machine, learned from its first rows, and how far a state lies from it.

The features of a row are running means (levels), or logs of running variances (noise), one per channel. How far a
feature strays from a slow reference after ``h`` rows is measured on the calibration rows themselves, as a variogram:
``var(h) = v0 + q · h``. So a temperature that wanders all the time may wander on while the reference is held still
during an alarm, and a channel that never moves may not. A state is judged by Hotelling's T² (Hotelling 1947; for
monitoring: Kourti and MacGregor 1995) over channels decorrelated with a shrunk correlation matrix (few independent
rows are seen: Ledoit and Wolf 2004), in which every term enters as ``ν log(1 + y²/ν)``: the deviance of Student's t
instead of the square, because variances estimated from some twenty independent rows make Gaussian tails a lie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.readings import Floats
from models.contract import Payload

_SETTLED = 40  # rows of the calibration before the reference means something
_FAR = 150  # rows: the longer of the two lags of the variogram
_DRIFT_MARGIN = 3.0  # a slope from two lags of one short run may be so much too small
_BORROWED = 0.3  # share of each channel's variance that is taken from the other channels
_SHRINK = 0.5  # of the correlations towards none
_FREEDOM = 8.0  # ν
_DEVIATIONS = 3.0  # of a chi-square with one degree per channel, above its mean: the nominal threshold
_CALM_MARGIN = 1.2  # the threshold also lies so far above all that was seen while calibrating


@dataclass(slots=True)
class Baseline:
    """``reference[p]`` moves; ``v0[p]``, ``drift[p]`` (variance per row), ``whiten[p, p]`` and ``threshold`` do not."""

    reference: Floats
    v0: Floats
    drift: Floats
    whiten: Floats
    threshold: float

    @classmethod
    def of(cls, features: Floats, window: int, memory: int, strictness: float) -> "Baseline":
        """From the features ``[n, p]`` of the calibration rows.

        Args:
            features: in their order in time; each is a mean over ``window`` rows.
            window: rows; features less than that apart are hardly independent.
            memory: rows that the reference remembers.
            strictness: factor on the nominal threshold.
        """
        n, p = features.shape
        reference = _references(features, memory)
        first = min(_SETTLED, n // 4)
        near, far = window, min(_FAR, n // 2)
        close, distant = (
            ((features[first + lag :] - reference[first : n - lag]) ** 2).mean(axis=0) for lag in (near, far)
        )
        slope = np.maximum(0.0, (distant - close) / max(1, far - near))
        v0 = np.maximum(close - slope * near, 0.3 * close)
        v0 = (1 - _BORROWED) * v0 + _BORROWED * np.maximum(1 / window, np.median(v0))
        whiten = np.linalg.inv(np.linalg.cholesky(_correlation(features[first:] - reference[first:])))
        made = cls(reference[-1].copy(), v0, _DRIFT_MARGIN * slope, whiten, np.inf)
        seen = max(made.deviance(features[k] - reference[k], window)[0] for k in range(first, n))
        made.threshold = float(max(strictness * (p + _DEVIATIONS * np.sqrt(2 * p)), _CALM_MARGIN * seen))
        return made

    def deviance(self, off: Floats, rows: int) -> tuple[float, float]:
        """Robust and plain T² of a deviation ``off[p]``, ``rows`` after the reference was last brought up to date."""
        squares = (self.whiten @ (off / np.sqrt(self.v0 + self.drift * rows))) ** 2
        return float(_FREEDOM * np.log1p(squares / _FREEDOM).sum()), float(squares.sum())

    def follow(self, off: Floats, memory: int, watched: int) -> None:
        """Learn from a usual row: the reference follows, and the variances become those of all ``watched`` rows."""
        self.reference = self.reference + off / memory
        self.v0 = self.v0 + (off**2 - self.v0) / max(watched, memory)

    def spread(self, rows: int) -> Floats:
        """Standard deviation of each feature around the reference."""
        return np.asarray(np.sqrt(self.v0 + self.drift * rows))

    def snapshot(self) -> Payload:
        return {
            "reference": self.reference.copy(),
            "v0": self.v0.copy(),
            "drift": self.drift.copy(),
            "whiten": self.whiten.copy(),
            "threshold": self.threshold,
        }

    @classmethod
    def restored(cls, payload: Mapping[str, Any]) -> "Baseline":
        reference, v0, drift, whiten = (
            np.array(payload[name], np.float64) for name in ("reference", "v0", "drift", "whiten")
        )
        return cls(reference, v0, drift, whiten, float(payload["threshold"]))


def _references(features: Floats, memory: int) -> Floats:
    """The slow running mean after each row; it starts as the mean of the first rows and gets slower with time."""
    out = np.empty_like(features)
    reference = features[:30].mean(axis=0)
    for k, feature in enumerate(features):
        reference = reference + max(1 / memory, 1 / (k + 30)) * (feature - reference)
        out[k] = reference
    return out


def _correlation(off: Floats) -> Floats:
    size = off.std(axis=0)
    scaled = (off - off.mean(axis=0)) / np.where(size > 0, size, 1.0)
    found = scaled.T @ scaled / len(off)
    p = off.shape[1]
    return np.asarray((1 - _SHRINK) * np.where(np.eye(p, dtype=bool), 1.0, found) + _SHRINK * np.eye(p))
