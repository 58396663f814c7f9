"""A road detector on the places of an area: which rows it reads, its model, its gate; all of it moves with the road."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.readings import Floats, Ints
from domain.times import MINUTE_MS
from models.road_detectors import RoadDetector, carried
from models.road_pairs import road_pairs
from streams.board import Board
from streams.road_points import Point
from streams.state import refusal, restore_learned, snapshot

_PAUSE_STEPS = 10  # a pause so long, and what is known of the steps before says nothing of the next


@dataclass(frozen=True, slots=True)
class Places:
    """``rows[loops, n]``: the row of each loop of each place, upstream first; ``metres[n]`` between the two."""

    rows: Ints
    metres: Floats

    @classmethod
    def none(cls, loops: int) -> "Places":
        return cls(np.empty((loops, 0), np.int64), np.empty(0))

    @classmethod
    def of(cls, board: Board, quantity: str, loops: int) -> "Places":
        """Every loop that measures the quantity, or every two of them that follow each other on the road."""
        row_of = {s.sensor.sensor: row for row, s in enumerate(board.index.specs) if s.quantity.name == quantity}
        if loops == 1:
            return cls(np.array([list(row_of.values())], np.int64).reshape(1, -1), np.zeros(len(row_of)))
        pairs = road_pairs(board.links, row_of)
        rows = np.array([[row_of[up], row_of[down]] for up, down, _ in pairs], np.int64).reshape(-1, 2).T
        return cls(rows, np.array([metres for *_, metres in pairs]))

    def come_from(self, old: Ints) -> Ints:
        """Where each place was among the ``old`` rows; -1 where it was not."""
        known = {tuple(place): k for k, place in enumerate(old.T.tolist())}
        return np.array([known.get(tuple(place), -1) for place in self.rows.T.tolist()], np.int64)


class DetectorOnPlaces:
    """One step for every point of its own length."""

    def __init__(self, detector: RoadDetector) -> None:
        self.detector = detector
        self.places = Places.none(detector.needs.loops)
        self._end = 0  # of the last step, epoch ms
        self._fill()

    def _fill(self) -> None:
        self.model = self.detector.make(self.places.metres)
        self.gate = self.detector.gate(len(self.places.metres))

    def grow(self, board: Board) -> None:
        """The road as it is known now; places that stay keep what is known of them."""
        places = Places.of(board, self.detector.needs.quantity, self.detector.needs.loops)
        if not np.array_equal(places.rows, self.places.rows) or not np.array_equal(places.metres, self.places.metres):
            before, self.places = self.snapshot(), places
            self._fill()
            self.restore(before, [])

    def step(self, point: Point) -> list[int]:
        """The places at which something is told."""
        if point.minutes != self.detector.needs.minutes or not len(self.places.metres):
            return []
        columns = point.x[self.places.rows]
        if not np.isfinite(columns).any():
            return []
        if point.end - self._end > _PAUSE_STEPS * point.minutes * MINUTE_MS:
            self.model = self.detector.make(self.places.metres)
        self._end = point.end
        seen = self.model.step(*columns)
        told = self.gate.step(point.end - 1, seen, np.asarray(np.isfinite(columns).all(axis=0)))
        return np.flatnonzero(told).tolist()

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.detector.name,
            "rows": self.places.rows.copy(),
            "end": self._end,
            "model": snapshot(self.model),
            "gate": snapshot(self.gate),
        }

    def restore(self, payload: Mapping[str, Any], begins_anew: list[str]) -> None:
        """After :meth:`grow`. The road may have been drawn anew since: then places that are new begin free."""
        self._end = payload["end"]
        come_from = self.places.come_from(np.array(payload["rows"], np.int64))
        for part, kept in ((self.model, payload["model"]), (self.gate, payload["gate"])):
            if not refusal(part, kept):
                kept = {**kept, "payload": carried(kept["payload"], part.snapshot(), come_from)}
            restore_learned(part, kept, begins_anew)
