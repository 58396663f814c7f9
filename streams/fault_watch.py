"""Readings that failed their quality tests, gathered into episodes: when a sensor's fault begins, what it is, its end.

Works on readings at whatever rate they come and on flags that were revised; only flagged ones are walked.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.flags import Test
from domain.readings import Floats
from domain.scores import Judged
from models.causes import CAUSES, RULES, TELLING, Cause, named

_REST_MS = 30 * 60_000
_REST_INTERVALS = 6.0
_REST_CELLS = 2  # what is told of cells of time goes on when the next one fails, too
_TOGETHER_INTERVALS = 6.0  # flagged readings farther apart do not add up
#: A fault of a kind that proves itself, so long after another was told, is one of its own: not what that has become.
_ANOTHER_INTERVALS = 12.0
_ANOTHER_MS = 60 * 60_000


@dataclass(frozen=True, slots=True)
class Turn:
    """A fault of a row begins (``cause`` is new), turns out to be another, or ends (``cause`` is None)."""

    time: int
    row: int
    cause: Cause | None
    begins: bool = False


@dataclass(slots=True)
class _Case:
    """What is known of one row: flagged readings by rule, the last of them, and what has been told."""

    counts: dict[str, int]
    last: int
    told: str = ""
    since: int = 0  # when it was told first


def _known(t: int, cause: Cause) -> int:
    """When what reading ``t`` shows can be known."""
    return t - t % cause.cell_ms + cause.cell_ms if cause.cell_ms else t


class FaultWatch:
    """Episodes of faults by row."""

    def __init__(self) -> None:
        self._cases: dict[int, _Case] = {}

    def seen(self, readings: Judged, interval_s: Floats) -> list[Turn]:
        """Readings in the order of time within each row; those judged anew may stand among them."""
        flagged = np.flatnonzero((readings.tests & np.uint32(TELLING)) != 0)
        turns: list[Turn] = []
        for k in flagged.tolist():
            row, t, tests = int(readings.row[k]), int(readings.t[k]), int(readings.tests[k])
            interval = float(np.nan_to_num(interval_s[row])) * 1_000
            turns += self._take(row, t, tests, interval)
        return turns

    def _take(self, row: int, t: int, tests: int, interval_ms: float) -> list[Turn]:
        turns = []
        case = self._cases.get(row)
        if case is not None and t - case.last > self._patience(case, interval_ms):
            turns += self._over(row, case, interval_ms)
            case = None
        if tests & Test.FLAT_LINE:  # a level that does not move: what else it breaks follows from that
            tests &= int(Test.DROPOUT if tests & Test.DROPOUT else Test.FLAT_LINE)
        if case is not None and self._another(case, t, tests, interval_ms):
            turns.append(Turn(t, row, None))
            case = None
        if case is None:
            case = self._cases[row] = _Case({}, t)
        case.last = max(case.last, t)
        for cause in CAUSES:
            if tests & cause.tests:
                case.counts[cause.rule] = case.counts.get(cause.rule, 0) + 1
        cause_now = named(case.counts)
        if cause_now is not None and cause_now.rule != case.told:
            turns.append(Turn(_known(t, cause_now), row, cause_now, begins=not case.told))
            case.since = case.since if case.told else t
            case.told = cause_now.rule
        return turns

    @staticmethod
    def _another(case: _Case, t: int, tests: int, interval_ms: float) -> bool:
        if not case.told or t - case.since <= max(_ANOTHER_MS, _ANOTHER_INTERVALS * interval_ms):
            return False
        known = RULES[case.told]
        said = [cause for cause in CAUSES if tests & cause.tests and cause.readings == 1]
        return any(c.proven and c.rank >= known.rank and c.rule not in case.counts for c in said)

    def on_time(self, now: int, interval_s: Floats) -> list[Turn]:
        """Faults whose rest has run out at ``now``."""
        turns = []
        for row, case in sorted(self._cases.items()):
            interval = float(np.nan_to_num(interval_s[row])) * 1_000
            if now - case.last > self._patience(case, interval):
                turns += self._over(row, case, interval)
        return turns

    def cause(self, row: int) -> Cause | None:
        """The cause that has been told of a row whose fault is not over."""
        case = self._cases.get(row)
        return RULES[case.told] if case is not None and case.told else None

    @staticmethod
    def _patience(case: _Case, interval_ms: float) -> float:
        intervals = _REST_INTERVALS if case.told else _TOGETHER_INTERVALS
        cells = _REST_CELLS * max((RULES[rule].cell_ms for rule in case.counts), default=0)
        return max(_REST_MS if case.told else 0.0, cells, intervals * interval_ms)

    def _over(self, row: int, case: _Case, interval_ms: float) -> list[Turn]:
        del self._cases[row]
        return [Turn(int(case.last + self._patience(case, interval_ms)), row, None)] if case.told else []

    def snapshot(self) -> list[Any]:
        return [[row, dict(case.counts), case.last, case.told, case.since] for row, case in self._cases.items()]

    def restore(self, payload: list[Any]) -> None:
        """States of the first releases do not say since when a fault has been told."""
        self._cases = {
            int(row): _Case(dict(counts), int(last), told, *since) for row, counts, last, told, *since in payload
        }
