"""Stage: the same hour on the seven days before goes with every finding.

It comes after everything that finds, so that every finding has it whoever made it. Hourly means are kept for eight
days: an update of a finding that is a day old still shows the days before its onset.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from domain.messages import Earlier, Finding
from domain.times import HOUR_MS
from streams.board import Board
from streams.stage import Flow
from streams.traces import number

DAYS = 7
_HOURS = 24 * (DAYS + 1)
_HOUR_S = 3_600


class EarlierStage:
    """A ring per row: ``int64[rows, hours]`` number of the hour, ``float32[rows, hours]`` its mean."""

    kind: ClassVar[str] = "earlier"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._hour = np.empty((0, _HOURS), dtype=np.int64)
        self._mean = np.empty((0, _HOURS), dtype=np.float32)

    def on_frame(self, flow: Flow) -> Flow:
        return self._step(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._step(flow)

    def _step(self, flow: Flow) -> Flow:
        for batch in flow.closed:
            if batch.window_s == _HOUR_S:
                self._grow()
                hour = batch.start // HOUR_MS
                newer = hour >= self._hour[batch.i, hour % _HOURS]
                row, hour, mean = batch.i[newer], hour[newer], batch.mean[newer]
                self._hour[row, hour % _HOURS] = hour
                self._mean[row, hour % _HOURS] = mean
        if not flow.findings:
            return flow
        return replace(flow, findings=[self._with(finding) for finding in flow.findings])

    def _with(self, finding: Finding) -> Finding:
        row = int(self._board.index.rows(finding.series[:1])[0]) if finding.series else -1
        if row < 0:
            return finding
        self._grow()
        why = msgspec.structs.replace(finding.why, earlier=self.before(row, finding.onset))
        return msgspec.structs.replace(finding, why=why)

    def before(self, row: int, time: int) -> list[Earlier]:
        """Means of the hour of ``time`` (epoch ms) on the days before, newest first; a day without a value is left
        out.
        """
        hours = time // HOUR_MS - 24 * np.arange(1, DAYS + 1)
        there = self._hour[row, hours % _HOURS] == hours
        return [Earlier(int(hour) * HOUR_MS, number(float(self._mean[row, hour % _HOURS]))) for hour in hours[there]]

    def _grow(self) -> None:
        more = len(self._board.index) - len(self._hour)
        if more > 0:
            self._hour = np.concatenate((self._hour, np.full((more, _HOURS), -1, dtype=np.int64)))
            self._mean = np.concatenate((self._mean, np.full((more, _HOURS), np.nan, dtype=np.float32)))

    def snapshot(self) -> dict[str, Any]:
        return {"hour": self._hour.copy(), "mean": self._mean.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._hour, self._mean = payload["hour"], payload["mean"]
