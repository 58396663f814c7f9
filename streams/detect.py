"""Stage: scores, episodes, findings.

A series is scored at its own cadence: every reading when they come a minute or more apart, else every closed 1-minute
window. Beside it the faults of sensors: what the quality tests say of any reading, at whatever rate. One finding per
sensor while either lasts; one that began as an anomaly becomes a fault when it turns out to be one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from domain.flags import Test
from domain.messages import Finding
from domain.scores import Judged
from models.causes import TELLING
from models.contract import Detector
from models.episodes import Episodes, Gated
from streams.area_clock import NEVER
from streams.board import Board
from streams.fault_watch import FaultWatch
from streams.findings import Explainer, Scored
from streams.open_findings import OpenFindings
from streams.reading_log import key_of
from streams.silence_watch import SilenceWatch
from streams.stage import Flow
from streams.state import restore, restore_learned, snapshot
from streams.traces import Traces

_CADENCE_S = 59.0  # a nominal minute, with what clocks differ by
_OUT_OF_ORDER = np.uint32(Test.LATE | Test.CORRECTION)


class DetectStage:
    """Scores with one detector; opens and closes findings."""

    kind: ClassVar[str] = "detect"
    version: ClassVar[str] = "4"

    def __init__(self, board: Board, detector: Detector) -> None:
        self._board = board
        self._detector = detector
        self._episodes = Episodes()
        self._traces = Traces()
        self._faults = FaultWatch()
        self._silence = SilenceWatch(board.area, board.index.specs)
        self._explain = Explainer(board, detector, self._traces)
        self._last_scored = np.empty(0, dtype=np.int64)
        self._findings = OpenFindings(board, self._explain, self._last_scored_of)

    def on_frame(self, flow: Flow) -> Flow:
        self._grow()
        interval = self._board.interval.seconds()
        in_order = flow.readings.take((flow.readings.tests & _OUT_OF_ORDER) == 0)
        self._silence.seen(in_order, flow.now, interval)
        slow = in_order.take(~(interval[in_order.row] < _CADENCE_S))
        flow = self._score(flow, slow)
        turns = self._faults.seen(_flagged(*_revised(flow), in_order, _refused(flow.unused)), interval)
        found = self._silence.gaps() + [f for turn in turns for f in self._findings.fault(turn)]
        return self._told(flow, found)

    def on_tick(self, flow: Flow) -> Flow:
        self._grow()
        flow = self._score(flow, Judged.empty())
        interval = self._board.interval.seconds()
        found = [
            f for row, _, end in self._episodes.on_time(flow.now, interval) for f in self._findings.leave(row, end)
        ]
        turns = self._faults.seen(_flagged(*_revised(flow)), interval) + self._faults.on_time(flow.now, interval)
        found += [f for turn in turns for f in self._findings.fault(turn)]
        found += self._silence.check(flow.now, interval)
        return self._told(flow, found)

    def _told(self, flow: Flow, found: list[Finding]) -> Flow:
        missing = self._silence.missing()
        if not found and not len(missing):
            return flow
        return replace(flow, findings=flow.findings + found, unused=Judged.joined(flow.unused, missing))

    def _score(self, flow: Flow, slow: Judged) -> Flow:
        points = Judged.joined(slow, self._minutes(flow))
        points = points.take(points.t > self._last_scored[points.row])
        if not len(points):
            return flow
        points = points.take(np.lexsort((points.t, points.row)))
        np.maximum.at(self._last_scored, points.row, points.t)
        scores = self._detector.observe(points)
        self._traces.add(points, scores)
        gated = self._episodes.gate(points, scores, self._board.interval.seconds())
        published = replace(scores, score=gated.score)
        found = self._turns(Scored(points, scores), gated) + self._findings.updates(points)
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
        return Judged.joined(*parts)

    def _turns(self, scored: Scored, gated: Gated) -> list[Finding]:
        """Episodes that end and begin, in the order of time: a row may do both more than once within a frame."""
        turns = [(end, row, -1) for row, _, end in gated.closed]
        turns += [(int(scored.readings.t[k]), int(scored.readings.row[k]), k) for k in gated.opened.tolist()]
        found = []
        for time, row, k in sorted(turns):
            found += self._findings.leave(row, time) if k < 0 else [self._findings.enter(scored, row, k)]
        return found

    def _last_scored_of(self, row: int) -> int:
        return int(self._last_scored[row])

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
            "faults": self._faults.snapshot(),
            "findings": self._findings.snapshot(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._grow()
        restore_learned(self._detector, payload["detector"], self._board.begins_anew)
        restore(self._episodes, payload["episodes"])
        self._traces.restore(payload["traces"])
        self._silence.restore(payload["silence"])
        self._last_scored = payload["last_scored"]
        self._faults.restore(payload["faults"])
        self._findings.restore(payload["findings"])


def _revised(flow: Flow) -> tuple[Judged, Judged]:
    """Earlier readings by what has become known of them now; the rest of it has been told before."""
    apart = np.isin(key_of(flow.revised.row, flow.revised.t), key_of(flow.apart.row, flow.apart.t))
    others = flow.revised.take(~apart)
    neighbour = np.uint32(Test.NEIGHBOUR)
    return replace(others, tests=others.tests & ~neighbour), replace(flow.apart, tests=flow.apart.tests & neighbour)


def _refused(unused: Judged) -> Judged:
    """Readings that were put aside because no instrument can measure them."""
    return unused.take((unused.tests & np.uint32(Test.GROSS_RANGE)) != 0)


def _flagged(*parts: Judged) -> Judged:
    """What speaks for a fault, by row and time."""
    telling = [part.take((part.tests & np.uint32(TELLING)) != 0) for part in parts if len(part)]
    if not any(len(part) for part in telling):
        return Judged.empty()
    joined = Judged.joined(*telling)
    return joined.take(np.lexsort((joined.t, joined.row)))
