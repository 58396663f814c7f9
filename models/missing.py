"""Missing readings of a silence, one by one as far as it is bounded: QARTOD gap test, flag 9 (domain facts, section 4).

Of a silence, however it was noticed (dead-man timer, or a gap seen afterwards), these count as missing: the reading
that was due first, and from then on one for each hour that it lasts, or for each interval where that is longer; for a
week at most, so 168 rows. Their times follow from the readings on both sides alone, never from when somebody looked.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from domain.flags import Flag, Test
from domain.readings import Ints
from domain.scores import Judged
from domain.times import DAY_MS, HOUR_MS
from models.contract import Payload

#: What has been silent for longer is no longer told of, as in the worklist (docs/quality/worklist.md). Ours.
_TOLD_MS: Final = 7 * DAY_MS


class Missing:
    """Silences that last, by row: when the next missing reading is due, the step from one to the next, the end; ms."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, int, int]] = {}
        self._told: list[tuple[int, int]] = []

    def begin(self, row: int, last: int, due: int) -> None:
        """A row is silent since ``last``; its next reading was due at ``due`` (epoch ms)."""
        self._waiting[row] = due, max(due - last, HOUR_MS), last + _TOLD_MS

    def end(self, row: int, t: int) -> None:
        """The row has spoken again at ``t``: what was due before that is missing for good."""
        if row in self._waiting:
            self._until(row, t - 1)
            del self._waiting[row]

    def on_time(self, now: int) -> None:
        """Time has come to ``now``, and the silences last."""
        for row in self._waiting:
            self._until(row, now)

    def _until(self, row: int, now: int) -> None:
        due, step, end = self._waiting[row]
        while due <= min(now, end):
            self._told.append((row, due))
            due += step
        self._waiting[row] = due, step, end

    def waiting(self) -> list[int]:
        """Rows that are silent."""
        return list(self._waiting)

    def told(self) -> Judged:
        """Readings found missing since this was last asked, by (row, t): flag 9, value NaN."""
        found, self._told = sorted(self._told), []
        if not found:
            return Judged.empty()
        both: Ints = np.array(found, np.int64)
        n = len(both)
        flags, tests = np.full(n, Flag.MISSING, np.uint8), np.full(n, Test.GAP, np.uint32)
        return Judged(both[:, 0].astype(np.int32), both[:, 1], np.full(n, np.nan), flags, tests)

    def snapshot(self) -> Payload:
        """What has been found and not been asked for yet is no state: it is asked for in every step."""
        return {"waiting": [[row, *when] for row, when in self._waiting.items()]}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._waiting = {int(row): (int(due), int(step), int(end)) for row, due, step, end in payload["waiting"]}
