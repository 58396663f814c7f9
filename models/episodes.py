"""One finding per episode: scores are gated so that only the onset of an episode reaches the threshold.

An episode opens when the raw score of a row reaches 0.5. It ends when the raw score has stayed below 0.5 for a rest
(event time, at least some sampling intervals), when that rest runs out on the clock of the log, or when the series
falls silent: silence is another finding's business, so that ends the episode with its last reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import Misconfigured
from domain.readings import Floats, Ints
from domain.scores import Judged, Scores
from models.contract import Payload

THRESHOLD: Final = 0.5
BELOW: Final = 0.499  # what a score at or above the threshold is published as inside an episode
_CLOSED: Final = -1

Closed = tuple[int, int, int]  # row, onset, closed; epoch ms


@dataclass(frozen=True, slots=True)
class Gated:
    """What became of n scored readings.

    Attributes:
        score: ``float64[n]`` as published: >= 0.5 exactly at onsets, NaN where the raw score is NaN.
        opened: ``intp[k]`` positions of the onsets among the readings.
        continuing: ``bool[n]`` the reading lies in an episode that was open before it.
        closed: ``(row, onset, closed)`` of episodes that ended, in the order of row and time.
    """

    score: Floats
    opened: NDArray[np.intp]
    continuing: NDArray[np.bool_]
    closed: list[Closed]


class Episodes:
    """Which rows are in an episode, and since when."""

    kind: ClassVar[str] = "episodes"
    version: ClassVar[str] = "1"

    def __init__(self, rest_s: float = 1_800.0, rest_intervals: float = 5.0, silent_intervals: float = 20.0) -> None:
        """An episode rests for ``rest_s`` and at least ``rest_intervals`` sampling intervals before it ends.

        Raises:
            Misconfigured: a rest that is not positive, or silence that comes before the rest.
        """
        if rest_s <= 0 or rest_intervals <= 0:
            raise Misconfigured(f"rest_s {rest_s} and rest_intervals {rest_intervals} must be greater than 0")
        if silent_intervals < rest_intervals:
            raise Misconfigured(f"silent_intervals {silent_intervals} must not be less than {rest_intervals}")
        self._rest_s = rest_s
        self._rest_intervals = rest_intervals
        self._silent_intervals = silent_intervals
        self._onset: Ints = np.empty(0, np.int64)  # epoch ms, -1 when no episode is open
        self._high: Ints = np.empty(0, np.int64)  # last reading at or above the threshold
        self._last: Ints = np.empty(0, np.int64)  # last reading

    def gate(self, readings: Judged, scores: Scores, interval_s: Floats) -> Gated:
        """Gate scores of readings sorted by (row, t); ``interval_s`` is ``float64[rows]``, NaN where unknown."""
        self._grow(len(interval_s))
        raw = scores.score
        published = raw.copy()
        continuing = np.zeros(len(raw), dtype=bool)
        high = np.greater_equal(raw, THRESHOLD)
        touched = high | (self._onset[readings.row] != _CLOSED)
        opened: list[int] = []
        closed: list[Closed] = []
        rest_ms = self._rest_ms(interval_s)
        if touched.any():
            # Few rows are in an episode at any time: only their readings are walked one by one.
            rows = np.unique(readings.row[touched])
            bounds = np.searchsorted(readings.row, [rows, rows + 1])
            for row, start, end in zip(rows.tolist(), *bounds.tolist(), strict=True):
                self._walk(row, range(start, end), readings.t, high, int(rest_ms[row]), opened, continuing, closed)
            published[continuing] = np.minimum(published[continuing], BELOW)
        np.maximum.at(self._last, readings.row, readings.t)
        return Gated(published, np.array(opened, dtype=np.intp), continuing, closed)

    def _walk(
        self,
        row: int,
        at: range,
        t: Ints,
        high: NDArray[np.bool_],
        rest_ms: int,
        opened: list[int],
        continuing: NDArray[np.bool_],
        closed: list[Closed],
    ) -> None:
        onset, last_high = int(self._onset[row]), int(self._high[row])
        for k in at:
            now = int(t[k])
            if onset != _CLOSED and now - last_high > rest_ms:
                closed.append((row, onset, last_high + rest_ms))
                onset = _CLOSED
            if onset != _CLOSED:
                continuing[k] = True
            elif high[k]:
                onset = now
                opened.append(k)
            if high[k]:
                last_high = now
        self._onset[row], self._high[row] = onset, last_high

    def on_time(self, now: int, interval_s: Floats) -> list[Closed]:
        """Close the episodes whose rest has run out at ``now`` (epoch ms), or whose series has been silent too long."""
        self._grow(len(interval_s))
        open_rows = np.flatnonzero(self._onset != _CLOSED)
        if not len(open_rows):
            return []
        rest_ms = self._rest_ms(interval_s)[open_rows]
        intervals = np.nan_to_num(interval_s[open_rows], nan=0.0) * 1_000
        silent_ms = np.maximum(rest_ms, (self._silent_intervals * intervals).astype(np.int64))
        # A series that reports high scores up to its last word gets the longer time: it may only be late.
        quiet = self._last[open_rows] > self._high[open_rows]
        ends = np.where(quiet, self._high[open_rows] + rest_ms, self._last[open_rows] + silent_ms)
        over = ends < now
        closed = [
            (int(row), int(self._onset[row]), int(end)) for row, end in zip(open_rows[over], ends[over], strict=True)
        ]
        self._onset[open_rows[over]] = _CLOSED
        return closed

    def open(self) -> list[tuple[int, int]]:
        """``(row, onset)`` of the episodes that are open, by row."""
        return [(int(row), int(self._onset[row])) for row in np.flatnonzero(self._onset != _CLOSED)]

    def _rest_ms(self, interval_s: Floats) -> Ints:
        intervals = np.nan_to_num(interval_s, nan=0.0)
        return np.asarray(np.maximum(self._rest_s, self._rest_intervals * intervals) * 1_000, dtype=np.int64)

    def _grow(self, rows: int) -> None:
        more = rows - len(self._onset)
        if more > 0:
            self._onset = np.append(self._onset, np.full(more, _CLOSED, np.int64))
            self._high = np.append(self._high, np.zeros(more, np.int64))
            self._last = np.append(self._last, np.zeros(more, np.int64))

    def snapshot(self) -> Payload:
        return {"onset": self._onset.copy(), "high": self._high.copy(), "last": self._last.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._onset = np.array(payload["onset"], np.int64)
        self._high = np.array(payload["high"], np.int64)
        self._last = np.array(payload["last"], np.int64)
