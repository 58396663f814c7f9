"""The last hours of an area, hour by hour: what the running 8 h and 24 h windows are made of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.readings import Ints, Rows
from domain.times import HOUR_MS
from streams.grouping import Groups, merged, no_groups
from streams.reading_log import ROW_BITS

_NAMES = ("row", "start", "count", "total", "min", "max", "last", "flag")


def _key(start: Ints, row: Rows) -> Ints:
    return np.asarray((start // HOUR_MS << ROW_BITS) | row, dtype=np.int64)


class HourBook:
    """Hourly statistics sorted by (hour, row); an hour that is put in again replaces the old one."""

    def __init__(self) -> None:
        self._hours = no_groups()

    def put(self, hours: Groups) -> None:
        old, new = self._hours, hours
        keep = ~np.isin(_key(old.start, old.row), _key(new.start, new.row))
        joined = Groups(*(np.concatenate((getattr(old, name)[keep], getattr(new, name))) for name in _NAMES))
        self._hours = joined.take(np.argsort(_key(joined.start, joined.row), kind="stable"))

    def running(self, length_s: int, ends_after: int, ends_by: int) -> Groups:
        """Running windows of ``length_s`` that hold an hour, ``ends_after < end <= ends_by`` (epoch ms)."""
        return self._running(self._hours, length_s, ends_after, ends_by)

    def running_of(self, changed: Groups, length_s: int, ends_by: int) -> Groups:
        """The running windows that hold one of the changed hours and have ended by ``ends_by``."""
        lo, hi = int(changed.start.min()), int(changed.start.max())
        reach = length_s * 1_000
        near = np.isin(self._hours.row, changed.row)
        near &= (self._hours.start > lo - reach) & (self._hours.start < hi + reach)
        windows = self._running(self._hours.take(near), length_s, lo, min(ends_by, hi + reach))
        return windows.take(np.isin(_key(windows.start, windows.row), self._touched(changed, length_s)))

    @staticmethod
    def _touched(changed: Groups, length_s: int) -> Ints:
        back = np.arange(length_s * 1_000 // HOUR_MS) * HOUR_MS
        starts = (changed.start[:, None] - back[None, :]).ravel()
        return _key(starts, np.repeat(changed.row, len(back)))

    @staticmethod
    def _running(hours: Groups, length_s: int, ends_after: int, ends_by: int) -> Groups:
        """Each hour is laid into every window that holds it, then the windows are merged in one pass."""
        n = length_s * 1_000 // HOUR_MS
        back = np.arange(n) * HOUR_MS
        which = np.repeat(np.arange(len(hours)), n)
        starts = (hours.start[:, None] - back[None, :]).ravel()
        ends = starts + length_s * 1_000
        wanted = np.flatnonzero((ends > ends_after) & (ends <= ends_by))
        order = wanted[np.lexsort((hours.start[which[wanted]], starts[wanted]))]
        return merged(hours.take(which[order]), starts[order])

    def forget_before(self, keep_from: Ints) -> None:
        """Drop hours that end before ``keep_from[row]`` (epoch ms)."""
        keep: NDArray[np.bool_] = self._hours.start + HOUR_MS > keep_from[self._hours.row]
        if not keep.all():
            self._hours = self._hours.take(keep)

    def snapshot(self) -> dict[str, Any]:
        return {name: getattr(self._hours, name).copy() for name in _NAMES}

    def restore(self, payload: dict[str, Any]) -> None:
        self._hours = Groups(*(payload[name] for name in _NAMES))
