"""Stage: forecasts of the series of an area, issued as grid cells close; only those with skill are passed on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from domain.flags import Test
from models.forecast import SharedRidge
from streams.board import Board
from streams.stage import Flow
from streams.state import restore, snapshot

_OUT_OF_ORDER = np.uint32(Test.LATE | Test.CORRECTION)


class ForecastStage:
    """One shared ridge per area and quantity."""

    kind: ClassVar[str] = "forecast"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._ridge = SharedRidge()

    def on_frame(self, flow: Flow) -> Flow:
        self._ridge.ensure(self._board.index.specs)
        in_order = flow.readings.take((flow.readings.tests & _OUT_OF_ORDER) == 0)
        self._ridge.observe(in_order, self._board.interval.seconds())
        return self._issue(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._issue(flow)

    def _issue(self, flow: Flow) -> Flow:
        said = self._ridge.issue(flow.now)
        if not said:
            return flow
        names = self._board.index.names
        forecasts = [forecast for rows in said for forecast in rows.messages(flow.area, names)]
        return replace(flow, forecasts=flow.forecasts + forecasts)

    def snapshot(self) -> dict[str, Any]:
        return {"ridge": snapshot(self._ridge)}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._ridge.ensure(self._board.index.specs)
        restore(self._ridge, payload["ridge"])
