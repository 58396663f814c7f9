"""Bottlenecks as PeMS finds them (Chen, Skabardonis and Varaiya 2004): speed rises by 20 mph or more from one station
to the next less than 3 miles on, the slow side below 40 mph, in at least 5 of any 7 five-minute points.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np

from domain.readings import Floats, Mask
from models.contract import Payload

MILE_M: Final = 1_609.344


@dataclass(frozen=True, slots=True)
class BottleneckParameters:
    """km/h, metres, five-minute points."""

    rise: float = 20 * MILE_M / 1_000
    slow: float = 40 * MILE_M / 1_000
    apart_m: float = 3 * MILE_M
    points: int = 7
    needed: int = 5


class Bottleneck:
    """Pairs of stations in columns, ``metres[pairs]`` apart; one five-minute point for all of them at a time."""

    kind: ClassVar[str] = "bottleneck"
    version: ClassVar[str] = "1"

    def __init__(self, metres: Floats, parameters: BottleneckParameters | None = None) -> None:
        self._p = parameters or BottleneckParameters()
        self.parameters: Mapping[str, Any] = asdict(self._p)
        self._near = metres < self._p.apart_m
        self._seen = np.zeros((self._p.points, len(metres)), bool)

    def step(self, up: Floats, down: Floats) -> Mask:
        """Speeds ``up[pairs]``, ``down[pairs]`` of this point, NaN where there is none; where a bottleneck is
        active.
        """
        with np.errstate(invalid="ignore"):
            now = self._near & (down - up >= self._p.rise) & (up < self._p.slow)
        self._seen = np.vstack([self._seen[1:], now])
        return np.asarray(self._seen.sum(axis=0) >= self._p.needed)

    def expected(self) -> Floats:
        """Nothing is expected of a station by itself."""
        return np.full((2, len(self._near)), np.nan)

    def snapshot(self) -> Payload:
        return {"seen": self._seen.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._seen = np.array(payload["seen"], bool)
