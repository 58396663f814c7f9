"""The time of an area, derived from what stands in the log: ticks and the event times of frames.

Usually that is the latest tick. An area whose readings lag behind the ticks by more than the horizon (recorded
history sent into a live system) lives in its own time: its watermark follows its own readings, so its windows close
in their order; when it falls silent, what is open is closed. Time never runs backwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.times import HOUR_MS, SECOND_MS

NEVER = -(1 << 62)
_IDLE_MS = 5 * SECOND_MS  # ticks without a frame, before what is open of a recording is closed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how far to look back and ahead."""

    lateness_ms: int  # a window waits so long after its end
    horizon_ms: int  # a reading so much older than its series' newest may still revise
    future_ms: int = HOUR_MS  # a reading further ahead of the ticks is quarantined


class AreaClock:
    """``now`` is the watermark, epoch ms; ``NEVER`` before anything has come."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.now = NEVER
        self.frontier = NEVER  # latest event time met
        self.tick = NEVER
        self._tick_at_frame = NEVER

    def on_frame(self, latest_t: int, tick: int) -> int:
        self.frontier = max(self.frontier, latest_t)
        self.tick = self._tick_at_frame = tick
        return self._advance(self.frontier if self._own_time() else tick)

    def on_tick(self, tick: int) -> int:
        self.tick = tick
        if not self._own_time():
            return self._advance(tick)
        if tick - self._tick_at_frame > self._patience.lateness_ms + _IDLE_MS:
            hour_end = self.frontier - self.frontier % HOUR_MS + HOUR_MS
            return self._advance(hour_end + self._patience.lateness_ms)
        return self.now

    def _own_time(self) -> bool:
        return self.frontier < self.tick - self._patience.horizon_ms or self.tick == NEVER

    def _advance(self, to: int) -> int:
        self.now = max(self.now, to)
        return self.now

    def snapshot(self) -> dict[str, Any]:
        return {"now": self.now, "frontier": self.frontier, "tick": self.tick, "at_frame": self._tick_at_frame}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self.now, self.frontier = payload["now"], payload["frontier"]
        self.tick, self._tick_at_frame = payload["tick"], payload["at_frame"]
