"""One area: its board and its pipeline. A frame or a tick goes through the stages in their order, once."""

from collections.abc import Mapping
from typing import Any

from domain.errors import Rejected
from domain.readings import Readings
from domain.sensors import Event
from streams.board import Board
from streams.pipeline import Pipeline
from streams.quarantine import Origin
from streams.stage import Flow
from streams.state import restore, snapshot


class Area:
    """Pure: all it knows has come in a frame or a tick."""

    def __init__(self, board: Board, pipeline: Pipeline) -> None:
        self._board = board
        self._pipeline = pipeline

    def on_frame(self, readings: Readings, origin: Origin, tick: int) -> Flow:
        flow = Flow(self._board.area, origin, tick, self._board.index.names, arrived=readings)
        for stage in self._pipeline.stages:
            flow = stage.on_frame(flow)
        return flow

    def on_tick(self, tick: int) -> Flow:
        flow = Flow(self._board.area, Origin("", ""), tick, self._board.index.names)
        for stage in self._pipeline.stages:
            flow = stage.on_tick(flow)
        return flow

    def on_event(self, event: Event) -> None:
        """A maintenance event of one of this area's assets."""
        self._pipeline.maintain.on_event(event)

    def snapshot(self) -> dict[str, Any]:
        return {stage.kind: snapshot(stage) for stage in self._pipeline.stages}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: the state is of another version of a stage, or lacks one."""
        for stage in self._pipeline.stages:
            if stage.kind not in payload:
                raise Rejected("state", stage.kind, "this program has a stage that the state knows nothing of")
            restore(stage, payload[stage.kind])
