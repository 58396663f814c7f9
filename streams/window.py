"""Stage: readings to aggregates. A window is published when the watermark passes its end plus the lateness; a reading
that comes later, corrects an earlier one or proves it wrong publishes the next revision at once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from domain.readings import Floats, Ints, Rows
from domain.scores import Judged
from domain.windows import RUNNING_S, TUMBLING_S, Aggregates, window_start
from streams.board import Board
from streams.grouping import Groups, by_window
from streams.hour_book import HourBook
from streams.published import Published
from streams.reading_log import key_of
from streams.stage import Flow

HOUR_S = 3_600


class WindowStage:
    """Windows of 1 min, 15 min and 1 h from the readings, running 8 h and 24 h from the hours."""

    kind: ClassVar[str] = "window"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._closed_until: dict[int, int] = {}
        self._hours = HourBook()
        self._published = Published()
        self._pruned_to = board.keep_from

    def on_frame(self, flow: Flow) -> Flow:
        if len(flow.readings) and not self._closed_until:
            earliest = int(flow.readings.t.min())
            self._closed_until = {length: earliest - earliest % (length * 1_000) for length in TUMBLING_S}
        return self._with(flow, self._revise(_joined(flow)) + self._close(flow.now))

    def begin_after(self, closed_until: Mapping[int, int]) -> None:
        """Instead of a state that cannot be read: go on behind the windows it has published (epoch ms by length)."""
        self._closed_until = dict(closed_until)
        self._board.floor = max([self._board.floor, *self._closed_until.values()])

    def on_tick(self, flow: Flow) -> Flow:
        self._prune()
        return self._with(flow, self._revise(flow.revised) + self._close(flow.now))

    def _prune(self) -> None:
        """Drop what no reading can change any more, once the validate stage has moved the edge on."""
        edge = self._board.keep_from
        if len(edge) == len(self._board.index) and edge is not self._pruned_to:
            self._pruned_to = edge
            self._hours.forget_before(edge - max(RUNNING_S) * 1_000)
            self._published.forget_before(edge)

    def _with(self, flow: Flow, groups: list[tuple[int, Groups]]) -> Flow:
        closed = [self._publish(flow.area, length, part) for length, part in groups if len(part)]
        return replace(flow, closed=closed) if closed else flow

    def _close(self, now: int) -> list[tuple[int, Groups]]:
        closing: list[tuple[int, Groups]] = []
        for length, until in self._closed_until.items():
            due = now - self._board.patience.lateness_ms
            due -= due % (length * 1_000)
            if due <= until:
                continue
            self._closed_until[length] = due
            groups = by_window(self._board.log.between(until, due), length)
            closing.append((length, groups))
            if length == HOUR_S:
                self._hours.put(groups)
                closing += [(longer, self._hours.running(longer, until, due)) for longer in RUNNING_S]
        return closing

    def _revise(self, readings: Judged) -> list[tuple[int, Groups]]:
        """Windows already closed that the readings of this frame belong to, computed anew."""
        revised: list[tuple[int, Groups]] = []
        for length, until in self._closed_until.items():
            start = window_start(readings.t, length)
            behind = start < until
            if not behind.any():
                continue
            groups = self._again(length, start[behind], readings.row[behind])
            revised.append((length, groups))
            if length == HOUR_S:
                self._hours.put(groups)
                revised += [(longer, self._hours.running_of(groups, longer, until)) for longer in RUNNING_S]
        return revised

    def _again(self, length: int, start: Ints, row: Rows) -> Groups:
        part = self._board.log.between(int(start.min()), int(start.max()) + length * 1_000)
        groups = by_window(part, length)
        return groups.take(np.isin(key_of(groups.row, groups.start), key_of(row, start)))

    def _publish(self, area: str, length: int, groups: Groups) -> Aggregates:
        interval = self._board.interval.seconds()[groups.row]
        return Aggregates(
            area=area,
            window_s=length,
            series=self._board.index.names,
            i=groups.row,
            start=groups.start,
            count=groups.count,
            mean=groups.total / groups.count,
            min=groups.min,
            max=groups.max,
            last=groups.last,
            coverage=_coverage(groups.count, length, interval),
            flag=groups.flag,
            revision=self._published.next(length, groups.start, groups.row),
        )

    def snapshot(self) -> dict[str, Any]:
        return {
            "closed_until": [[length, until] for length, until in self._closed_until.items()],
            "hours": self._hours.snapshot(),
            "published": self._published.snapshot(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._closed_until = dict(payload["closed_until"])
        self._hours.restore(payload["hours"])
        self._published.restore(payload["published"])


def _coverage(count: Ints, length_s: int, interval_s: Floats) -> Floats:
    """Share of the expected readings that count; NaN while the interval of the series is unknown."""
    expected = np.maximum(1.0, np.rint(length_s / interval_s))
    return np.asarray(np.minimum(1.0, count / expected))


def _joined(flow: Flow) -> Judged:
    """What can change a window that is closed: new readings, and earlier ones with another flag."""
    if not len(flow.revised):
        return flow.readings
    return Judged.joined(flow.readings, flow.revised)
