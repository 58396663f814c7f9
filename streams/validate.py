"""Stage: what counts, what is put aside, and the first flags.

Of a frame's readings some cannot be used (unknown sensor, impossible value, impossible or too late time): they go to
quarantine. The rest enters the reading log, where a repeat is left out and a correction replaces. What is new and in
order is judged by the quality tests; what comes out of order keeps flag 2, for those tests need the order.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag, Test, from_rank, rank
from domain.readings import Floats, Ints, Readings, Rows
from domain.scores import Judged
from domain.times import HOUR_MS, TIME_MS_MAX
from models.contract import QualityTests
from models.physical_laws import TOGETHER_MS
from models.physics import Physics
from streams.area_clock import NEVER
from streams.board import Board
from streams.quarantine import put_aside
from streams.reading_log import CORRECTION, NEW, REPEAT, key_of
from streams.series_index import UNKNOWN, UNUSABLE
from streams.stage import Flow
from streams.state import restore, restore_learned, snapshot

Positions = NDArray[np.intp]
_PRUNE_FROM = 2_048  # readings


class ValidateStage:
    """Admission, repeats, corrections, quality flags; it also keeps the area's clock."""

    kind: ClassVar[str] = "validate"
    version: ClassVar[str] = "3"

    def __init__(self, board: Board, tests: QualityTests) -> None:
        self._board = board
        self._tests = tests
        self._physics = Physics()
        self._frontier: Ints = np.empty(0, dtype=np.int64)  # latest event time of each row
        self._kept_after_pruning = _PRUNE_FROM

    def on_frame(self, flow: Flow) -> Flow:
        arrived = flow.arrived
        assert arrived is not None
        apart = self._apart(self._board.clock.now)  # before anything is forgotten
        row = self._board.index.rows(arrived.series)[arrived.i]
        self._grow()
        if flow.tick != NEVER:  # before the first tick nobody knows what is ahead of the clock
            self._prune()
        aside, left = self._sort_out(row, arrived, flow.tick)
        missing = np.isnan(arrived.x[left])
        unused = _unused(row, arrived, left[missing], aside.get("range", left[:0]))
        refused = unused.take(unused.flag == Flag.FAIL)
        left = left[~missing]
        left = left[np.lexsort((arrived.t[left], row[left]))]
        readings, revised = self._admit(row[left], arrived.t[left], arrived.x[left], refused)
        unused.tests[unused.flag == Flag.FAIL] = refused.tests
        if len(apart):
            told = np.concatenate([key_of(part.row, part.t) for part in (readings, revised)])
            apart = apart.take(~np.isin(key_of(apart.row, apart.t), told))
            revised = _once(apart, revised)
        now = self._board.clock.on_frame(int(self._frontier.max(initial=NEVER)), flow.tick)
        quarantined = put_aside(flow.origin, max(now, flow.tick), arrived, aside)
        return replace(
            flow, now=now, readings=readings, revised=revised, apart=apart, unused=unused, quarantined=quarantined
        )

    def on_tick(self, flow: Flow) -> Flow:
        # What came before the first tick could not be told to be ahead of the clock: nothing is late because of it.
        np.minimum(self._frontier, flow.tick + self._board.patience.future_ms, out=self._frontier)
        now = self._board.clock.on_tick(flow.tick)
        apart = self._apart(now)
        return replace(flow, now=now, revised=apart, apart=apart)

    def _apart(self, now: int) -> Judged:
        """Readings of the hours over by now that failed against their neighbours, as they are now."""
        row, start = self._tests.apart(now - self._board.patience.lateness_ms)
        if not len(row):
            return Judged.empty()
        part = self._board.log.between(int(start.min()), int(start.max()) + HOUR_MS)
        failed = np.isin(key_of(part.row, part.t - part.t % HOUR_MS), key_of(row, start))
        row, t = part.row[failed], part.t[failed]
        suspect, tests = np.full(len(row), Flag.SUSPECT, np.uint8), np.full(len(row), Test.NEIGHBOUR, np.uint32)
        return _once(Judged.empty(), self._board.log.worsen(row, t, suspect, tests))

    def _grow(self) -> None:
        specs = self._board.index.specs
        if len(self._frontier) < len(specs):
            fresh = np.full(len(specs) - len(self._frontier), NEVER, dtype=np.int64)
            self._frontier = np.concatenate((self._frontier, fresh))
            self._tests.ensure(specs)
            self._physics.ensure(specs)
            self._board.interval.ensure(specs)

    def _sort_out(self, row: Rows, arrived: Readings, tick: int) -> tuple[dict[str, Positions], Positions]:
        """Positions that are put aside, by reason, and those that are left."""
        aside: dict[str, Positions] = {}
        left = np.arange(len(row))
        t, x, index = arrived.t, arrived.x, self._board.index

        def set_aside(reason: str, wrong: NDArray[np.bool_]) -> None:
            nonlocal left
            if wrong.any():
                aside[reason] = left[wrong]
                left = left[~wrong]

        set_aside("name", row == UNUSABLE)
        set_aside("unknown", row[left] == UNKNOWN)
        set_aside("time", (t[left] <= -TIME_MS_MAX) | (t[left] >= TIME_MS_MAX))
        if tick != NEVER:
            set_aside("future", t[left] > tick + self._board.patience.future_ms)
        value, of = x[left], row[left]
        set_aside("range", (value < index.lower[of]) | (value > index.upper[of]) | np.isinf(value))
        set_aside("lost", t[left] < self._board.floor)
        set_aside("late", t[left] < self._frontier[row[left]] - self._board.patience.horizon_ms)
        return aside, left

    def _admit(self, row: Rows, t: Ints, x: Floats, refused: Judged) -> tuple[Judged, Judged]:
        """Enter the log; returns what is new or corrected, judged, sorted by (row, t), and earlier ones judged anew.

        What has been ``refused`` may tell what is wrong with others, and they with it: its tests are added to.
        """
        outcome = self._board.log.admit(row, t, x)
        judged = Judged(row, t, x, np.full(len(row), Flag.NOT_EVALUATED, np.uint8), np.zeros(len(row), np.uint32))
        corrected = outcome == CORRECTION
        judged.flag[corrected] = Flag.SUSPECT
        judged.tests[corrected] |= np.uint32(Test.CORRECTION)
        behind = t <= self._frontier[row]
        judged.tests[(outcome == NEW) & behind] |= np.uint32(Test.LATE)
        fresh = np.flatnonzero((outcome == NEW) & ~behind)
        earlier = Judged.empty()
        if len(fresh) or len(refused):
            new = judged.take(fresh)
            self._board.interval.learn(new.row, new.t)
            flag, tests, earlier = self._tests.check(new, refused)
            judged.flag[fresh] = from_rank(np.maximum(rank(flag), rank(new.flag)))
            judged.tests[fresh] |= tests
            np.maximum.at(self._frontier, new.row, new.t)
            self._board.slow_residual = self._tests.slow_residual()
        kept = judged.take(_last_of_each(row, t, outcome != REPEAT))
        self._board.log.set_flags(kept)
        revised = self._board.log.worsen(earlier.row, earlier.t, earlier.flag, earlier.tests)
        return self._obey_physics(kept, revised)

    def _obey_physics(self, kept: Judged, revised: Judged) -> tuple[Judged, Judged]:
        """Compare what is new with what the same sensor says of the same time, in this frame or before it."""
        if not len(kept) or not self._physics.concerns(kept.row):
            return kept, revised
        log = self._board.log
        part = log.between(int(kept.t.min()) - TOGETHER_MS, int(kept.t.max()) + TOGETHER_MS + 1)
        mine = np.isin(key_of(part.row, part.t), key_of(kept.row, kept.t))
        wrong = self._physics.broken(part.row, part.t, part.x, mine)
        if not wrong.any():
            return kept, revised
        suspect = np.full(int(wrong.sum()), Flag.SUSPECT, np.uint8)
        told = log.worsen(part.row[wrong], part.t[wrong], suspect, np.full(len(suspect), Test.PHYSICS, np.uint32))
        new = mine[wrong]
        order = np.searchsorted(_by_row(kept.row, kept.t), _by_row(told.row[new], told.t[new]))
        kept.flag[order], kept.tests[order] = told.flag[new], told.tests[new]
        return kept, _once(revised, told.take(~new))

    def _prune(self) -> None:
        """Forget what lies behind the horizon, each time the log has doubled: constant cost per reading.

        Between two frames only: what is accepted of a frame must still be there when the windows are made from it.
        """
        if len(self._board.log) > 2 * self._kept_after_pruning:
            patience = self._board.patience
            # What has not been published yet is kept whatever its age: a frame may run ahead of the clock.
            edge = np.minimum(self._frontier - patience.horizon_ms, self._board.clock.now - patience.lateness_ms)
            self._board.keep_from = edge - np.mod(edge, HOUR_MS)
            self._board.log.forget_before(self._board.keep_from)
            self._kept_after_pruning = max(_PRUNE_FROM, len(self._board.log))

    def snapshot(self) -> dict[str, Any]:
        board = self._board
        return {
            "index": snapshot(board.index),
            "log": snapshot(board.log),
            "clock": board.clock.snapshot(),
            "interval": snapshot(board.interval),
            "tests": snapshot(self._tests),
            "frontier": self._frontier.copy(),
            "keep_from": board.keep_from.copy(),
            "kept_after_pruning": self._kept_after_pruning,
            "floor": board.floor,
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        board = self._board
        restore(board.index, payload["index"])
        restore(board.log, payload["log"])
        board.clock.restore(payload["clock"])
        self._grow()
        restore_learned(board.interval, payload["interval"], board.begins_anew)
        restore_learned(self._tests, payload["tests"], board.begins_anew)
        board.slow_residual = self._tests.slow_residual()
        self._frontier = payload["frontier"]
        board.keep_from = payload["keep_from"]
        self._kept_after_pruning = payload["kept_after_pruning"]
        board.floor = payload.get("floor", NEVER)  # states of the first release have none


def _unused(row: Rows, arrived: Readings, missing: Positions, impossible: Positions) -> Judged:
    at = np.concatenate((missing, impossible))
    flag = np.repeat(np.array([Flag.MISSING, Flag.FAIL], dtype=np.uint8), (len(missing), len(impossible)))
    tests = np.repeat(np.array([Test.MISSING, Test.GROSS_RANGE], dtype=np.uint32), (len(missing), len(impossible)))
    return Judged(row[at], arrived.t[at], arrived.x[at], flag, tests)


def _last_of_each(row: Rows, t: Ints, counts: NDArray[np.bool_]) -> Positions:
    """Where a frame holds a reading and its correction, only the correction; input sorted by (row, t)."""
    at = np.flatnonzero(counts)
    followed = np.zeros(len(at), dtype=bool)
    followed[:-1] = (row[at[1:]] == row[at[:-1]]) & (t[at[1:]] == t[at[:-1]])
    return at[~followed]


def _by_row(row: Rows, t: Ints) -> Ints:
    """Keys that sort by (row, t), for event times within the range that is admitted."""
    return np.asarray((row.astype(np.int64) << 43) + (t + TIME_MS_MAX), dtype=np.int64)


def _once(first: Judged, second: Judged) -> Judged:
    """Both, sorted by (row, t); where one reading stands in both, the second, which knows more."""
    both = Judged.joined(first, second)
    both = both.take(np.lexsort((np.arange(len(both)), both.t, both.row)))
    last = np.ones(len(both), dtype=bool)
    last[:-1] = (both.row[1:] != both.row[:-1]) | (both.t[1:] != both.t[:-1])
    return both.take(last)
