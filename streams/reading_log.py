"""The recent readings of one area, each once: what windows are computed from and repeats are told by.

One sorted column of keys ``time << 20 | row`` (63 bits, for times within ``TIME_MS_MAX``) stands for the whole: a
repeat is found by binary search, a window is a slice, and a late reading is an insert near the end. Order of arrival
leaves no trace in it, so equal readings give equal sums bit by bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.flags import from_rank, rank
from domain.readings import Flags, Floats, Ints, Rows
from domain.scores import Judged

ROW_BITS = 20
ROWS_MAX = 1 << ROW_BITS
_ROW_MASK = ROWS_MAX - 1

NEW, REPEAT, CORRECTION = 0, 1, 2


def key_of(row: Rows, t: Ints) -> Ints:
    return np.asarray((t << ROW_BITS) | row.astype(np.int64), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the log, sorted by time, then row."""

    row: Rows
    t: Ints
    x: Floats
    flag: Flags
    tests: NDArray[np.uint32]


class ReadingLog:
    """Sorted columns ``key int64, x float64, flag uint8, tests uint32``; about the horizon is kept."""

    kind: ClassVar[str] = "reading-log"
    version: ClassVar[str] = "2"

    def __init__(self) -> None:
        self._n = 0
        self._key: Ints = np.empty(1024, dtype=np.int64)
        self._x: Floats = np.empty(1024)
        self._flag: Flags = np.empty(1024, dtype=np.uint8)
        self._tests: NDArray[np.uint32] = np.empty(1024, dtype=np.uint32)
        # Values that a correction has replaced, by key: so that a repeat of the old value is still told as a repeat.
        self._superseded: dict[int, list[float]] = {}

    def __len__(self) -> int:
        return self._n

    def admit(self, row: Rows, t: Ints, x: Floats) -> NDArray[np.uint8]:
        """Take readings in; ``uint8[n]``: NEW, REPEAT (left out) or CORRECTION (replaces) for each."""
        key = key_of(row, t)
        order = np.argsort(key, kind="stable")
        key, x = key[order], x[order]
        outcome = np.empty(len(key), dtype=np.uint8)
        todo = np.arange(len(key))
        while len(todo):  # more than one round only where a frame holds the same series and time twice
            first = np.ones(len(todo), dtype=bool)
            first[1:] = key[todo[1:]] != key[todo[:-1]]
            outcome[todo[first]] = self._admit_unique(key[todo[first]], x[todo[first]])
            todo = todo[~first]
        unsorted = np.empty_like(outcome)
        unsorted[order] = outcome
        return unsorted

    def _admit_unique(self, key: Ints, x: Floats) -> NDArray[np.uint8]:
        at = np.searchsorted(self._key[: self._n], key)
        outcome = np.zeros(len(key), dtype=np.uint8)
        known = np.flatnonzero(at < self._n)
        known = known[self._key[at[known]] == key[known]]
        outcome[known] = REPEAT
        for k in known[self._x[at[known]] != x[known]]:  # corrections are rare: these may be walked
            outcome[k] = self._correct(int(key[k]), int(at[k]), float(x[k]))
        new = outcome == NEW
        self._insert(at[new], key[new], x[new])
        return outcome

    def _correct(self, key: int, at: int, x: float) -> int:
        if x in self._superseded.get(key, ()):
            return REPEAT
        self._superseded.setdefault(key, []).append(float(self._x[at]))
        self._x[at] = x
        return CORRECTION

    def _insert(self, at: NDArray[np.intp], key: Ints, x: Floats) -> None:
        if not len(key):
            return
        n, start = self._n, int(at[0])
        self._reserve(n + len(key))
        flag, tests = np.full(len(key), 2, dtype=np.uint8), np.zeros(len(key), dtype=np.uint32)
        for column, values in ((self._key, key), (self._x, x), (self._flag, flag), (self._tests, tests)):
            column[start : n + len(key)] = values if start == n else np.insert(column[start:n], at - start, values)
        self._n = n + len(key)

    def _reserve(self, size: int) -> None:
        if size > len(self._key):
            capacity = max(size, 2 * len(self._key))
            self._key = np.resize(self._key, capacity)
            self._x = np.resize(self._x, capacity)
            self._flag = np.resize(self._flag, capacity)
            self._tests = np.resize(self._tests, capacity)

    def set_flags(self, judged: Judged) -> None:
        """Flags and failed tests of readings that are in the log."""
        at = np.searchsorted(self._key[: self._n], key_of(judged.row, judged.t))
        self._flag[at], self._tests[at] = judged.flag, judged.tests

    def worsen(self, row: Rows, t: Ints, flag: Flags, tests: NDArray[np.uint32]) -> Judged:
        """Earlier readings, each once, that a later one has proved wrong, as they are now; forgotten ones left out."""
        if not self._n:
            return Judged.empty()
        key = key_of(row, t)
        at = np.minimum(np.searchsorted(self._key[: self._n], key), self._n - 1)
        known = self._key[at] == key
        row, t, at = row[known], t[known], at[known]
        self._flag[at] = from_rank(np.maximum(rank(self._flag[at]), rank(flag[known])))
        self._tests[at] |= tests[known]
        return Judged(row, t, self._x[at], self._flag[at], self._tests[at])

    def between(self, start: int, end: int) -> Slice:
        """Readings with ``start <= t < end``."""
        lo, hi = np.searchsorted(self._key[: self._n], (start << ROW_BITS, end << ROW_BITS))
        key = self._key[lo:hi]
        return Slice(
            (key & _ROW_MASK).astype(np.int32),
            key >> ROW_BITS,
            self._x[lo:hi].copy(),
            self._flag[lo:hi].copy(),
            self._tests[lo:hi].copy(),
        )

    def forget_before(self, keep_from: Ints) -> None:
        """Drop readings older than ``keep_from[row]`` (epoch ms)."""
        key = self._key[: self._n]
        keep = (key >> ROW_BITS) >= keep_from[key & _ROW_MASK]
        if keep.all():
            return
        for old in self._superseded.keys() & set(key[~keep].tolist()):
            del self._superseded[old]
        kept = int(keep.sum())
        for column in (self._key, self._x, self._flag, self._tests):
            column[:kept] = column[: self._n][keep]
        self._n = kept

    def snapshot(self) -> dict[str, Any]:
        n = self._n
        return {
            "key": self._key[:n].copy(),
            "x": self._x[:n].copy(),
            "flag": self._flag[:n].copy(),
            "tests": self._tests[:n].copy(),
            "superseded": [[key, values] for key, values in self._superseded.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._n = len(payload["key"])
        self._key, self._x, self._flag = payload["key"], payload["x"], payload["flag"]
        self._tests = payload["tests"]
        self._superseded = {key: list(values) for key, values in payload["superseded"]}
