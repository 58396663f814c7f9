"""The findings of an area's sensors that are open: anomalies and faults, who takes part in them, when they are told."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from domain.codec import decode_as, encode
from domain.messages import Finding
from domain.scores import Judged
from domain.times import MINUTE_MS
from models.causes import RULES, Cause
from streams.board import Board
from streams.fault_watch import Turn
from streams.findings import FAULT_SCORE, Explainer, Scored

_UPDATE_EVERY_MS = 15 * MINUTE_MS
_SAME_INTERVALS = 12.0  # an anomaly that began so shortly before a fault was named is that fault
_SAME_MS = 60 * MINUTE_MS
_NEIGHBOURS_NEEDED = 2
_SHARED = 0.5  # of one's own slow residual, with the same sign: the neighbour does it too
_FAULT = "fault"
_ANOMALY = "anomaly"


class OpenFindings:
    """By sensor one anomaly at most and one fault at most; a row of a fault is held as ``-1 - row``."""

    def __init__(self, board: Board, explain: Explainer, last_scored: Callable[[int], int]) -> None:
        self._board = board
        self._explain = explain
        self._last_scored = last_scored
        self._open: dict[tuple[str, str], tuple[Finding, set[int]]] = {}

    def enter(self, scored: Scored, row: int, k: int) -> Finding:
        """An episode of the detector begins with reading ``k``: a finding of its own, or part of one that is open."""
        sensor = self._sensor(row)
        time, score = int(scored.readings.t[k]), float(scored.scores.score[k])
        for what in (_FAULT, _ANOMALY):
            if (sensor, what) in self._open:
                return self._join((sensor, what), row, row, time, score)
        finding = self._explain.opened(scored, k)
        self._open[sensor, _ANOMALY] = finding, {row}
        return finding

    def fault(self, turn: Turn) -> list[Finding]:
        """A fault begins, turns out to be another, or ends."""
        if turn.cause is None:
            return self.leave(-1 - turn.row, turn.time)
        sensor, place = self._sensor(turn.row), (self._sensor(turn.row), _FAULT)
        of_city = self._of_city(turn.row, turn.cause)
        if place not in self._open and (anomaly := self._recent_anomaly(sensor, turn)) is not None:
            self._open[place] = anomaly
        if place in self._open:
            finding = self._join(place, turn.row, -1 - turn.row, turn.time, FAULT_SCORE)
            return [self._rename(place, finding, turn, of_city)]
        finding = self._explain.fault(turn.row, turn.time, turn.cause, of_city)
        self._open[place] = finding, {-1 - turn.row}
        return [finding]

    def _recent_anomaly(self, sensor: str, turn: Turn) -> tuple[Finding, set[int]] | None:
        """The sensor's anomaly, taken out, if it began so shortly before that it is the same thing."""
        found = self._open.get((sensor, _ANOMALY))
        if found is None:
            return None
        interval = float(np.nan_to_num(self._board.interval.seconds()[turn.row])) * 1_000
        if turn.time - found[0].onset > max(_SAME_MS, _SAME_INTERVALS * interval):
            return None
        return self._open.pop((sensor, _ANOMALY))

    def _rename(self, place: tuple[str, str], finding: Finding, turn: Turn, of_city: bool) -> Finding:
        """The finding under the cause that it has turned out to have; a weaker cause of another row changes nothing."""
        assert turn.cause is not None
        known = RULES.get(finding.rule)
        if known is not None and known.rank > turn.cause.rank:
            return finding
        told = self._explain.fault(turn.row, finding.onset, turn.cause, of_city)
        finding = msgspec.structs.replace(finding, rule=told.rule, kind=told.kind, severity=told.severity, why=told.why)
        self._open[place] = finding, self._open[place][1]
        return finding

    def _of_city(self, row: int, cause: Cause) -> bool:
        """Whether most neighbours of the same quantity have moved the same way: then it is no fault of the sensor."""
        specs, slow = self._board.index.specs, self._board.slow_residual
        if cause.proven or row >= len(slow):
            return False
        mine = specs[row]
        others = [
            slow[k]
            for k in range(len(slow))
            if specs[k].quantity.name == mine.quantity.name and specs[k].sensor.sensor != mine.sensor.sensor
        ]
        if len(others) < _NEIGHBOURS_NEEDED:
            return False
        alike = np.array(others) * np.sign(slow[row]) >= _SHARED * abs(slow[row])
        return bool(alike.mean() > 0.5)

    def _join(self, place: tuple[str, str], row: int, member: int, time: int, score: float) -> Finding:
        finding, rows = self._open[place]
        name = self._board.index.names[row]
        series = finding.series if name in finding.series else [*finding.series, name]
        finding = msgspec.structs.replace(
            finding, phase="update", time=time, series=series, score=max(finding.score, score)
        )
        self._open[place] = finding, rows | {member}
        return finding

    def leave(self, member: int, end: int) -> list[Finding]:
        """The episode of a row is over; the finding is when it was the last one."""
        sensor = self._sensor(member if member >= 0 else -1 - member)
        for place in ((sensor, _FAULT), (sensor, _ANOMALY)):
            finding, rows = self._open.get(place, (None, set()))
            if finding is None or member not in rows:
                continue
            rows.discard(member)
            if rows:
                return []
            del self._open[place]
            return [self._explain.again(finding, "close", end, self._row_of(finding))]
        return []

    def updates(self, points: Judged) -> list[Finding]:
        """Now and then an open finding is told again, with the picture as it is."""
        found = []
        for row in np.unique(points.row).tolist() if self._open else ():
            for place in ((self._sensor(row), _FAULT), (self._sensor(row), _ANOMALY)):
                finding, rows = self._open.get(place, (None, set()))
                now = self._last_scored(row)
                if finding is None or row != self._row_of(finding) or now - finding.time < _UPDATE_EVERY_MS:
                    continue
                again = self._explain.again(finding, "update", now, row)
                self._open[place] = (again, rows)
                found.append(again)
        return found

    def _sensor(self, row: int) -> str:
        return self._board.index.specs[row].sensor.sensor

    def _row_of(self, finding: Finding) -> int:
        return int(self._board.index.rows(finding.series[:1])[0])

    def snapshot(self) -> list[Any]:
        return [[*place, encode(finding), sorted(rows)] for place, (finding, rows) in self._open.items()]

    def restore(self, payload: list[Any]) -> None:
        self._open = {(sensor, what): (decode_as(Finding, raw), set(rows)) for sensor, what, raw, rows in payload}
