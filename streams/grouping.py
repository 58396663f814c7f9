"""Readings to statistics per window and row, in one vectorised pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.flags import from_rank, rank
from domain.readings import Flags, Floats, Ints, Rows
from domain.windows import window_start
from streams.reading_log import ROW_BITS, Slice


@dataclass(frozen=True, slots=True)
class Groups:
    """Statistics of n (window, row) groups, sorted by start, then row. ``total`` is the sum of the values."""

    row: Rows
    start: Ints
    count: Ints
    total: Floats
    min: Floats
    max: Floats
    last: Floats
    flag: Flags

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Groups":
        return Groups(*(getattr(self, name)[chosen] for name in self.__slots__))


def no_groups() -> Groups:
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Groups(whole.astype(np.int32), whole, whole, real, real, real, real, whole.astype(np.uint8))


def by_window(part: Slice, length_s: int) -> Groups:
    """Statistics of each row in each tumbling window of ``length_s`` seconds; ``part`` is sorted by time."""
    start = window_start(part.t, length_s)
    order, first = _groups(start, part.row)
    x = part.x[order]
    return _reduce(part.row[order], start[order], first, np.ones(len(x), dtype=np.int64), x, x, x, x, part.flag[order])


def merged(hours: Groups, start: Ints) -> Groups:
    """Hours (sorted by start) merged into longer windows: hour k belongs to the window ``start[k]``."""
    order, first = _groups(start, hours.row)
    h = hours.take(order)
    return _reduce(h.row, start[order], first, h.count, h.total, h.min, h.max, h.last, h.flag)


def _groups(start: Ints, row: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """An order that puts groups together and keeps time within them, and where each group begins."""
    base = int(start.min()) if len(start) else 0
    key = ((start - base) << ROW_BITS) | row
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.ones(len(key), dtype=bool)
    begins[1:] = key[1:] != key[:-1]
    return order, np.flatnonzero(begins)


def _reduce(
    row: Rows, start: Ints, first: NDArray[np.intp], count: Ints, total: Floats, low: Floats, high: Floats,
    last: Floats, flag: Flags,
) -> Groups:  # fmt: skip
    if not len(first):
        return Groups(row[:0], start[:0], count[:0], total[:0], low[:0], high[:0], last[:0], flag[:0])
    ends = np.append(first[1:], len(row)) - 1
    return Groups(
        row[first],
        start[first],
        np.add.reduceat(count, first),
        np.add.reduceat(total, first),
        np.minimum.reduceat(low, first),
        np.maximum.reduceat(high, first),
        last[ends],
        from_rank(np.maximum.reduceat(rank(flag), first)),
    )
