"""Stage: forecasts of the series of an area as grid cells close, those with skill; and what may begin soon."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from domain.flags import Test
from models.anticipate import Anticipation
from models.forecast import SharedRidge
from streams.board import Board
from streams.stage import Flow
from streams.state import restore_learned, snapshot

_OUT_OF_ORDER = np.uint32(Test.LATE | Test.CORRECTION)


class ForecastStage:
    """One shared ridge per area and quantity."""

    kind: ClassVar[str] = "forecast"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._ridge = SharedRidge()
        self._anticipation = Anticipation()

    def on_frame(self, flow: Flow) -> Flow:
        self._ensure()
        in_order = flow.readings.take((flow.readings.tests & _OUT_OF_ORDER) == 0)
        interval = self._board.interval.seconds()
        self._ridge.observe(in_order, interval)
        self._anticipation.observe(in_order, interval)
        return self._issue(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._issue(flow)

    def _ensure(self) -> None:
        self._ridge.ensure(self._board.index.specs)
        self._anticipation.ensure(self._board.index.specs)

    def _issue(self, flow: Flow) -> Flow:
        said, soon = self._ridge.issue(flow.now), self._anticipation.issue(flow.now)
        if not said and not soon:
            return flow
        forecasts = [forecast for rows in said for forecast in rows.messages(flow.area, flow.names)]
        anticipated = [message for rows in soon for message in rows.messages(flow.names)]
        return replace(flow, forecasts=flow.forecasts + forecasts, anticipated=flow.anticipated + anticipated)

    def snapshot(self) -> dict[str, Any]:
        return {"ridge": snapshot(self._ridge), "anticipation": snapshot(self._anticipation)}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._ensure()
        restore_learned(self._ridge, payload["ridge"], self._board.begins_anew)
        restore_learned(self._anticipation, payload["anticipation"], self._board.begins_anew)
