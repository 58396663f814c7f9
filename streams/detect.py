"""Stage: scores, episodes, findings.

A series is scored at its own cadence: every reading when they come a minute or more apart, else every closed 1-minute
window. A reading that failed a quality test counts as found too, but as a fault of the sensor. One episode per series;
series of one sensor share one finding.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from domain.codec import decode_as, encode
from domain.flags import Flag, Test
from domain.messages import Finding
from domain.scores import Judged, Scores
from domain.times import MINUTE_MS
from models.contract import Detector
from models.episodes import Episodes, Gated
from streams.area_clock import NEVER
from streams.board import Board
from streams.findings import Explainer, Scored
from streams.silence_watch import SilenceWatch
from streams.stage import Flow
from streams.state import restore, restore_learned, snapshot
from streams.traces import Traces

_FAULT_SCORE = 0.75
_UPDATE_EVERY_MS = 15 * MINUTE_MS
_CADENCE_S = 59.0  # a nominal minute, with what clocks differ by
_OUT_OF_ORDER = np.uint32(Test.LATE | Test.CORRECTION)


class DetectStage:
    """Scores with one detector; opens and closes findings."""

    kind: ClassVar[str] = "detect"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board, detector: Detector) -> None:
        self._board = board
        self._detector = detector
        self._episodes = Episodes()
        self._traces = Traces()
        self._silence = SilenceWatch(board.area, board.index.specs)
        self._explain = Explainer(board.area, detector, board.index.specs, self._traces)
        self._last_scored = np.empty(0, dtype=np.int64)
        self._findings: dict[str, tuple[Finding, set[int]]] = {}  # by sensor: what is open, and rows in episode

    def on_frame(self, flow: Flow) -> Flow:
        self._grow()
        interval = self._board.interval.seconds()
        in_order = flow.readings.take((flow.readings.tests & _OUT_OF_ORDER) == 0)
        self._silence.seen(in_order, flow.now, interval)
        slow = in_order.take(~(interval[in_order.row] < _CADENCE_S))
        return self._score(flow, slow)

    def on_tick(self, flow: Flow) -> Flow:
        self._grow()
        flow = self._score(flow, Judged.empty())
        interval = self._board.interval.seconds()
        over = [f for row, _, end in self._episodes.on_time(flow.now, interval) for f in self._leave(row, end)]
        silence = self._silence.check(flow.now, interval)
        found = over + silence
        return replace(flow, findings=flow.findings + found) if found else flow

    def _score(self, flow: Flow, slow: Judged) -> Flow:
        points = _joined(slow, self._minutes(flow))
        points = points.take(points.t > self._last_scored[points.row])
        if not len(points):
            return flow
        points = points.take(np.lexsort((points.t, points.row)))
        np.maximum.at(self._last_scored, points.row, points.t)
        scores = self._detector.observe(points)
        scores = replace(scores, score=_with_faults(points, scores))
        self._traces.add(points, scores)
        gated = self._episodes.gate(points, scores, self._board.interval.seconds())
        published = replace(scores, score=gated.score)
        found = self._turns(Scored(points, scores), gated) + self._updates(points)
        return replace(flow, scored=points, scores=published, findings=flow.findings + found)

    def _minutes(self, flow: Flow) -> Judged:
        """Closed 1-minute windows of the series that report more often than once a minute."""
        interval = self._board.interval.seconds()
        parts = [Judged.empty()]
        for batch in flow.closed:
            if batch.window_s == 60:
                k = np.flatnonzero((interval[batch.i] < _CADENCE_S) & (batch.revision == 1))
                tests = np.zeros(len(k), dtype=np.uint32)
                parts.append(Judged(batch.i[k], batch.start[k], batch.mean[k], batch.flag[k], tests))
        return _joined(*parts)

    def _turns(self, scored: Scored, gated: Gated) -> list[Finding]:
        """Episodes that end and begin, in the order of time: a row may do both more than once within a frame."""
        turns = [(end, row, -1) for row, _, end in gated.closed]
        turns += [(int(scored.readings.t[k]), int(scored.readings.row[k]), k) for k in gated.opened.tolist()]
        found = []
        for time, row, k in sorted(turns):
            found += self._leave(row, time) if k < 0 else [self._enter(scored, row, k)]
        return found

    def _enter(self, scored: Scored, row: int, k: int) -> Finding:
        sensor = self._board.index.specs[row].sensor.sensor
        rows = self._findings[sensor][1] if sensor in self._findings else set()
        if rows:
            finding = self._join(sensor, row, int(scored.readings.t[k]), float(scored.scores.score[k]))
        else:
            finding = self._explain.opened(scored, k)
        self._findings[sensor] = (finding, rows | {row})
        return finding

    def _join(self, sensor: str, row: int, time: int, score: float) -> Finding:
        """Another series of a sensor whose finding is open."""
        finding, _ = self._findings[sensor]
        name = self._board.index.specs[row].name
        series = finding.series if name in finding.series else [*finding.series, name]
        return msgspec.structs.replace(
            finding, phase="update", time=time, series=series, score=max(finding.score, score)
        )

    def _leave(self, row: int, end: int) -> list[Finding]:
        """The episode of a row is over; the finding is when it was the last one."""
        sensor = self._board.index.specs[row].sensor.sensor
        if sensor not in self._findings:
            return []
        finding, rows = self._findings[sensor]
        rows.discard(row)
        if rows:
            return []
        del self._findings[sensor]
        return [self._explain.again(finding, "close", end, self._row_of(finding))]

    def _updates(self, points: Judged) -> list[Finding]:
        """Now and then an open finding is told again, with the picture as it is."""
        found = []
        for row in np.unique(points.row).tolist() if self._findings else ():
            sensor = self._board.index.specs[row].sensor.sensor
            finding, rows = self._findings.get(sensor, (None, set()))
            now = int(self._last_scored[row])
            if finding is None or row != self._row_of(finding) or now - finding.time < _UPDATE_EVERY_MS:
                continue
            again = self._explain.again(finding, "update", now, row)
            self._findings[sensor] = (again, rows)
            found.append(again)
        return found

    def _row_of(self, finding: Finding) -> int:
        return int(self._board.index.rows(finding.series[:1])[0])

    def _grow(self) -> None:
        specs = self._board.index.specs
        more = len(specs) - len(self._last_scored)
        if more > 0:
            self._last_scored = np.concatenate((self._last_scored, np.full(more, NEVER, dtype=np.int64)))
            self._detector.ensure(specs)
            self._traces.ensure(len(specs))

    def snapshot(self) -> dict[str, Any]:
        return {
            "detector": snapshot(self._detector),
            "episodes": snapshot(self._episodes),
            "traces": self._traces.snapshot(),
            "silence": self._silence.snapshot(),
            "last_scored": self._last_scored.copy(),
            "findings": [[sensor, encode(f), sorted(rows)] for sensor, (f, rows) in self._findings.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._grow()
        restore_learned(self._detector, payload["detector"], self._board.begins_anew)
        restore(self._episodes, payload["episodes"])
        self._traces.restore(payload["traces"])
        self._silence.restore(payload["silence"])
        self._last_scored = payload["last_scored"]
        self._findings = {sensor: (decode_as(Finding, raw), set(rows)) for sensor, raw, rows in payload["findings"]}


def _joined(*parts: Judged) -> Judged:
    return Judged(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "t", "x", "flag", "tests"))
    )


def _with_faults(points: Judged, scores: Scores) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Raw scores in which a failed reading stands out; one that is still warming up stays so."""
    failed = (points.flag == Flag.FAIL) & np.isfinite(scores.score)
    return np.where(failed, np.maximum(scores.score, _FAULT_SCORE), scores.score)
