"""The newest value of each series by event time, for the page and for ``GET /v1/series``."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from domain.readings import Readings


class Latest(NamedTuple):
    """Event time in epoch ms, and the value then (NaN: reported as missing)."""

    time: int
    value: float


class LatestBook:
    """Keeps one value per series. Fed from the event loop; reading it from another thread is safe.

    Args:
        monotonic: seconds, for "how long since anything came"; only that is taken from this clock.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._values: dict[str, Latest] = {}
        self._changed: dict[str, Latest] = {}
        self._now: int | None = None
        self._read_at: float | None = None
        self._ticked_at: float | None = None

    def update(self, readings: Readings) -> None:
        """Take the newest value of each series in the readings; older ones than those kept change nothing."""
        if not len(readings):
            return
        self._read_at = self._monotonic()
        order = np.lexsort((readings.t, readings.i))
        rows = readings.i[order]
        last_of_series = order[np.append(rows[1:] != rows[:-1], True)]
        for at in last_of_series.tolist():
            name, when = readings.series[readings.i[at]], int(readings.t[at])
            kept = self._values.get(name)
            if kept is None or when >= kept.time:
                self._values[name] = self._changed[name] = Latest(when, float(readings.x[at]))
        self._advance(int(readings.t.max()))

    def tick(self, now: int) -> None:
        """The log says that it is ``now`` (epoch ms)."""
        self._ticked_at = self._monotonic()
        self._advance(now)

    def _advance(self, now: int) -> None:
        if self._now is None or now > self._now:
            self._now = now

    def get(self, series: str) -> Latest | None:
        """The newest value of the series, or None when it has none yet."""
        return self._values.get(series)

    def snapshot(self) -> dict[str, Latest]:
        """A copy of all that is kept, by series."""
        return dict(self._values)

    def take_changed(self) -> dict[str, Latest]:
        """What changed since the last call; the live feed's pump is its only caller."""
        changed, self._changed = self._changed, {}
        return changed

    @property
    def now(self) -> int | None:
        """Event time, epoch ms: the newest reading or tick; None before the first."""
        return self._now

    def silent_s(self) -> float | None:
        """Seconds since the last reading came in; None before the first."""
        return None if self._read_at is None else self._monotonic() - self._read_at

    def tick_silent_s(self) -> float | None:
        """Seconds since the last tick came in; None when none ever did."""
        return None if self._ticked_at is None else self._monotonic() - self._ticked_at
