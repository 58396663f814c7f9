"""One area: its board and its pipeline. A frame or a tick goes through the stages in their order, once."""

from collections.abc import Mapping
from typing import Any

from domain.readings import Readings
from domain.sensors import Event
from streams.board import Board
from streams.pipeline import Pipeline
from streams.quarantine import Origin
from streams.stage import Flow
from streams.state import refusal, restore, snapshot
from streams.validate import ValidateStage
from streams.window import WindowStage


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

    def restore(self, payload: Mapping[str, Any]) -> list[str]:
        """Put back what this program can read; what begins anew instead, in words.

        Without its windows' state the area goes on behind the windows already published (see :meth:`begin_after`).

        Raises:
            Rejected: nothing can be put back, and this area may be half filled: make another one.
        """
        begins_anew = self._board.begins_anew
        for stage in self._pipeline.stages:
            kept = payload.get(stage.kind, {})
            why = refusal(stage, kept)
            if not why or isinstance(stage, ValidateStage):  # it numbers the rows that all others speak of
                restore(stage, kept)
                continue
            begins_anew.append(f"{stage.kind}: {why}")
            if isinstance(stage, WindowStage):
                stage.begin_after(closed_until(payload))
        told = list(begins_anew)
        begins_anew.clear()
        return told

    def begin_after(self, payload: Mapping[str, Any]) -> None:
        """Begin empty where a state that cannot be read has ended, as far as it lets that be seen.

        What has been published is stored and is whole; what this area could say of it is not, so it says nothing: a
        reading of such a window is put aside. The windows that were open are published with what is still to come.
        """
        for stage in self._pipeline.stages:
            if isinstance(stage, WindowStage):
                stage.begin_after(closed_until(payload))


def closed_until(payload: Mapping[str, Any]) -> dict[int, int]:
    """Window length in seconds → up to when windows have been published (epoch ms), from a state of any version.

    Every version of the window stage keeps this name and form, so that later ones can read it.
    """
    try:
        kept = payload["window"]["payload"]["closed_until"]
        return {int(length): int(until) for length, until in kept}
    except (KeyError, TypeError, ValueError):
        return {}
