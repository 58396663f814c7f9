"""Stage: incidents between two loops of a road, by the California algorithm on closed 1-minute occupancies.

Only where the road graph (the links table) puts loops with occupancy in an order. A finding has the road's area, so it
joins the incident of whatever the loops themselves are found to show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from domain.codec import decode_as, encode
from domain.messages import Channel, Finding, ModelRef, Why
from domain.readings import Floats
from domain.times import MINUTE_MS, format_time
from domain.windows import Aggregates
from models.california import California
from models.road_pairs import road_pairs
from streams.board import Board
from streams.quarantine import identity
from streams.stage import Flow
from streams.state import restore, snapshot
from streams.traces import number

RULE = "traffic.california7"
OCCUPANCY = "traffic.occupancy"
_REST_MS = 5 * MINUTE_MS  # an incident is over when it has not been confirmed for so long
_SCORE = 0.8
#: On-delay: a minute's occupancy on a quiet street jumps about, and two such minutes pass the algorithm now and then;
#: what is really in the way stays there.
_MINUTES_MIN = 3


class RoadStage:
    """The pairs of loops of the area; made anew, and free, when loops come to it."""

    kind: ClassVar[str] = "roads"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._known = 0
        self._rows = np.empty((2, 0), np.int64)  # upstream and downstream row of each pair
        self._model = California(0)
        self._in_a_row = np.zeros(0, np.int64)  # minutes for which each pair has been confirmed
        self._done = -1  # the last minute that was judged
        self._open: dict[str, tuple[Finding, int]] = {}  # by pair: what is open, and when it was confirmed last

    def on_frame(self, flow: Flow) -> Flow:
        return self._step(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._step(flow)

    def _step(self, flow: Flow) -> Flow:
        if not self._board.links:
            return flow
        self._grow()
        found = [f for batch in flow.closed if batch.window_s == 60 for f in self._minutes(batch)]
        return replace(flow, findings=flow.findings + found) if found else flow

    def _minutes(self, batch: Aggregates) -> Iterator[Finding]:
        if not self._rows.shape[1]:
            return
        fresh = (batch.start > self._done) & (batch.revision == 1)
        for start in np.unique(batch.start[fresh]).tolist():
            here = fresh & (batch.start == start)
            occupancy = np.full(self._known, np.nan)
            occupancy[batch.i[here]] = batch.mean[here]
            up, down = occupancy[self._rows[0]], occupancy[self._rows[1]]
            confirmed = self._model.step(up, down)
            self._done = start
            self._in_a_row = np.where(confirmed, self._in_a_row + 1, 0)
            for k in np.flatnonzero(self._in_a_row >= _MINUTES_MIN).tolist():
                yield from self._confirmed(k, start, up, down)
            yield from self._over(start)

    def _confirmed(self, k: int, start: int, up: Floats, down: Floats) -> Iterator[Finding]:
        names = self._pair(k)
        pair = "|".join(names)
        if pair in self._open:
            self._open[pair] = (self._open[pair][0], start)
            return
        finding = self._opened(names, self._rows[0, k], self._rows[1, k], start, float(up[k]), float(down[k]))
        self._open[pair] = (finding, start)
        yield finding

    def _over(self, start: int) -> Iterator[Finding]:
        for pair, (finding, last) in list(self._open.items()):
            if start - last >= _REST_MS:
                del self._open[pair]
                yield msgspec.structs.replace(finding, phase="close", time=last + MINUTE_MS)

    def _opened(self, names: tuple[str, str], above: int, below: int, start: int, up: float, down: float) -> Finding:
        places = [self._board.index.specs[row].sensor for row in (above, below)]
        first, second = (sensor.place or sensor.sensor for sensor in places)
        since = start - _MINUTES_MIN * MINUTE_MS  # confirmed is the step after the one at which it began
        words = (
            f"Traffic piles up at {first} (occupancy {up:.0%}) and thins out at {second} ({down:.0%}) since "
            f"{format_time(since)}: something between them is in the way."
        )
        why = Why(
            sentence=words,
            observed=number(up),
            expected=None,
            lower=None,
            upper=None,
            one_in=None,
            since=since,
            channels=[Channel("occupancy difference", 1.0)],
            neighbours=[{"series": names[1], "time": start, "observed": number(down)}],
            model=ModelRef(RULE, California.version, dict(self._model.parameters)),
        )
        return Finding(
            id=identity(RULE, self._board.area, *names, since),
            rule=RULE,
            kind="incident",
            phase="open",
            area=self._board.area,
            place=first,
            series=list(names),
            time=start + MINUTE_MS,
            onset=since,
            score=_SCORE,
            severity="high",
            why=why,
        )

    def _pair(self, k: int) -> tuple[str, str]:
        names = self._board.index.names
        return names[self._rows[0, k]], names[self._rows[1, k]]

    def _grow(self) -> None:
        specs = self._board.index.specs
        if len(specs) == self._known:
            return
        self._known = len(specs)
        row_of = {spec.sensor.sensor: row for row, spec in enumerate(specs) if spec.quantity.name == OCCUPANCY}
        pairs = road_pairs(self._board.links, row_of)
        rows = np.array([[row_of[up], row_of[down]] for up, down, _ in pairs], np.int64).reshape(-1, 2).T
        if not np.array_equal(rows, self._rows):
            self._rows = rows
            self._model = California(len(pairs))
            self._in_a_row = np.zeros(len(pairs), np.int64)

    def snapshot(self) -> dict[str, Any]:
        return {
            "rows": self._rows.copy(),
            "model": snapshot(self._model),
            "in_a_row": self._in_a_row.copy(),
            "done": self._done,
            "open": [[pair, encode(finding), last] for pair, (finding, last) in self._open.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """The road may have been drawn anew since: then its pairs begin free, and what is open ends in its time."""
        self._known = 0
        if self._board.links:
            self._grow()
        if np.array_equal(self._rows, payload["rows"]):
            restore(self._model, payload["model"])
            self._in_a_row = np.array(payload["in_a_row"], np.int64)
        self._done = payload["done"]
        self._open = {pair: (decode_as(Finding, raw), last) for pair, raw, last in payload["open"]}
