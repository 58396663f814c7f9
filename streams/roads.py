"""Stage: incidents on the road, by the classics of traffic engineering (:mod:`models.road_detectors`).

Closed minutes become points (:mod:`streams.road_points`), every chosen detector steps over its places
(:mod:`streams.road_places`), and what they see becomes findings (:mod:`streams.road_findings`). A finding has the
road's area, so it joins the incident of whatever the loops themselves are found to show. Pairs of loops are known
where the road graph (the links table) puts them in an order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from domain.messages import Finding
from domain.times import MINUTE_MS
from models.road_detectors import RoadDetector
from streams.board import Board
from streams.road_findings import RoadFindings, told_once
from streams.road_places import DetectorOnPlaces, Places
from streams.road_points import Point, RoadPoints
from streams.road_words import Seen
from streams.stage import Flow


class RoadStage:
    """The chosen detectors on the roads of one area."""

    kind: ClassVar[str] = "roads"
    version: ClassVar[str] = "2"  # 2: several detectors

    def __init__(self, board: Board, detectors: Sequence[RoadDetector]) -> None:
        self._board = board
        self._points = RoadPoints()
        self._detectors = [DetectorOnPlaces(detector) for detector in detectors]
        self._open = RoadFindings(board.area)
        self._known = 0
        self._pairs: dict[str, Places] = {}  # by quantity: which loops are next to each other

    def on_frame(self, flow: Flow) -> Flow:
        return self._step(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._step(flow)

    def _step(self, flow: Flow) -> Flow:
        self._grow()
        if not self._open and not any(len(each.places.metres) for each in self._detectors):
            return flow
        minutes = (batch for batch in flow.closed if batch.window_s == 60)
        found = [finding for batch in minutes for point in self._points.take(batch) for finding in self._judge(point)]
        # A road that has fallen silent is not seen any more either.
        past = flow.now - self._board.patience.lateness_ms
        found += self._open.over(past - past % MINUTE_MS)
        return replace(flow, findings=flow.findings + told_once(found)) if found else flow

    def _judge(self, point: Point) -> Iterator[Finding]:
        yield from self._open.over(point.behind)
        for each in self._detectors:
            for k in each.step(point):
                finding = self._open.seen(self._seen(each, k, point))
                if finding is not None:
                    yield finding

    def _seen(self, on: DetectorOnPlaces, k: int, point: Point) -> Seen:
        specs, rows = self._board.index.specs, on.places.rows[:, k]
        pairs = self._pairs[on.detector.needs.quantity].rows
        next_to = np.setdiff1d(pairs[:, np.isin(pairs, rows).any(axis=0)], rows).tolist()
        expected, upper = on.model.expected()[:, k].tolist()
        return Seen(
            on.detector,
            on.model,
            {**on.model.parameters, **on.gate.parameters},
            tuple(specs[row] for row in rows.tolist()),
            tuple(point.x[rows].tolist()),
            tuple((specs[row], float(point.x[row])) for row in next_to),
            float(on.places.metres[k]),
            point.end,
            expected,
            upper,
        )

    def _grow(self) -> None:
        if len(self._board.index) == self._known:
            return
        self._known = len(self._board.index)
        self._points.grow(self._board.index.specs)
        quantities = {each.detector.needs.quantity for each in self._detectors}
        self._pairs = {quantity: Places.of(self._board, quantity, 2) for quantity in sorted(quantities)}
        for each in self._detectors:
            each.grow(self._board)

    def snapshot(self) -> dict[str, Any]:
        return {
            "points": self._points.snapshot(),
            "detectors": [each.snapshot() for each in self._detectors],
            "open": self._open.snapshot(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """A detector that was not chosen then begins free; what one found that is not chosen any more ends in time."""
        self._known = 0
        self._grow()
        self._points.restore(payload["points"])
        kept = {part["name"]: part for part in payload["detectors"]}
        for each in self._detectors:
            if each.detector.name in kept:
                each.restore(kept[each.detector.name], self._board.begins_anew)
        self._open.restore(payload["open"])
