"""From what a road detector sees to what is told: an on-delay, or only what is not usual at that hour.

An alarm is what somebody has to answer (EEMUA 191, domain notes section 5): a minute that has passed before anyone can
look is none, and neither is the queue that stands at the same place every morning.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from domain.readings import Mask
from domain.times import DAY_MS, HOUR_MS
from models.contract import Payload, Stateful


class Gate(Stateful, Protocol):
    """Places in columns, as in the model before it; every array of its state has the places as its last axis."""

    parameters: Mapping[str, Any]

    def step(self, time: int, seen: Mask, known: Mask) -> Mask:
        """What is told of what is ``seen`` (``bool[places]``) at ``time`` (epoch ms); ``known``: where it could be."""


class OnDelay:
    """What has been seen for ``steps`` steps in a row."""

    kind: ClassVar[str] = "on-delay"
    version: ClassVar[str] = "1"

    def __init__(self, places: int, steps: int) -> None:
        self.parameters: Mapping[str, Any] = {"on_delay": steps}
        self._steps = steps
        self._row = np.zeros(places, np.int64)

    def step(self, time: int, seen: Mask, known: Mask) -> Mask:
        self._row = np.where(seen, self._row + 1, 0)
        return np.asarray(self._row >= self._steps)

    def snapshot(self) -> Payload:
        return {"row": self._row.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._row = np.array(payload["row"], np.int64)


class UnusualHour:
    """What was not there, within an hour of this time of day, on most of the last days; nothing before enough days.

    Days and hours are UTC: a change of the clock moves the peaks by an hour, which the hours on both sides cover.
    """

    kind: ClassVar[str] = "unusual-hour"
    version: ClassVar[str] = "1"

    def __init__(self, places: int, days: int = 7, days_min: int = 3, most: float = 0.5) -> None:
        self.parameters: Mapping[str, Any] = {"usual_days": days, "usual_days_min": days_min, "usual_share": most}
        self._days, self._days_min, self._most = days, days_min, most
        self._day = np.full((days + 1, 24, places), -1, np.int64)  # of which each hour is remembered
        self._there = np.zeros((days + 1, 24, places), bool)

    def step(self, time: int, seen: Mask, known: Mask) -> Mask:
        day, hour = time // DAY_MS, time % DAY_MS // HOUR_MS
        self._remember(day, hour, seen, known)
        around = [(hour + by) % 24 for by in (-1, 0, 1)]
        past = (self._day[:, around] < day) & (self._day[:, around] >= day - self._days)
        days = past.any(axis=1).sum(axis=0)
        usual = (past & self._there[:, around]).any(axis=1).sum(axis=0)
        return np.asarray(seen & (days >= self._days_min) & (usual < self._most * days))

    def _remember(self, day: int, hour: int, seen: Mask, known: Mask) -> None:
        slot, there = self._day[day % (self._days + 1), hour], self._there[day % (self._days + 1), hour]
        there[known] = seen[known] | (there[known] & (slot[known] == day))
        slot[known] = day

    def snapshot(self) -> Payload:
        return {"day": self._day.copy(), "there": self._there.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._day = np.array(payload["day"], np.int64)
        self._there = np.array(payload["there"], bool)
