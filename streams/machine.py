"""One machine of an area: which series belong to it, its rows as they fill up, and the finding that is open."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from domain.codec import decode_as, encode
from domain.messages import Finding
from domain.readings import Floats, Ints, Rows
from models.asset_novelty import AssetNovelty, Sight
from models.cells import Cells
from models.series_spec import SeriesSpec

_SERIES_MIN = 3
_SERIES_OF_ONE_SENSOR = 5
_INTERVAL_MAX_S = 59.0  # slower series are scored one by one, reading by reading
_TRACE = 48
_NEVER = -1


def machines_of(specs: Sequence[SeriesSpec]) -> dict[str, list[int]]:
    """Rows of the series of each machine, by asset.

    A machine is an asset that the sensors table gives to several sensors or to a sensor with many series, or a sensor
    with many series of plant that is not a city's (``generic``). Counters are left out: they only run on.
    """
    rows: dict[str, list[int]] = {}
    for row, spec in enumerate(specs):
        if not spec.quantity.cumulative and (spec.sensor.asset or spec.quantity.field == "generic"):
            rows.setdefault(spec.sensor.asset_name, []).append(row)
    return {asset: members for asset, members in rows.items() if _is_machine([specs[row] for row in members])}


def _is_machine(specs: Sequence[SeriesSpec]) -> bool:
    several = len({spec.sensor.sensor for spec in specs if spec.sensor.asset}) > 1
    return len(specs) >= (_SERIES_MIN if several else _SERIES_OF_ONE_SENSOR)


class Machine:
    """Folds readings into rows at the machine's own cadence and has them judged."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.novelty = AssetNovelty(0)
        self.finding: Finding | None = None
        self.last = _NEVER  # epoch ms, the last row
        self.trace: deque[tuple[int, Floats]] = deque(maxlen=_TRACE)
        self._cells: Cells | None = None

    def join(self, rows: Sequence[int]) -> None:
        """These are the machine's series now; those it had stay where they are."""
        fresh = [row for row in rows if row not in self.rows]
        if not fresh:
            return
        self.rows += fresh
        self.novelty.widen(len(self.rows))
        self.trace = deque(((t, _widened(x, len(self.rows))) for t, x in self.trace), _TRACE)
        if self._cells is not None:
            self._widen_cells()

    def fold(self, row: Rows, t: Ints, x: Floats, interval_s: Floats) -> None:
        """Readings of this machine's series; passed over while their cadence is not known."""
        if self._cells is None:
            interval = float(np.median(interval_s[self.rows]))  # NaN while any of them is not known
            if not interval < _INTERVAL_MAX_S:
                return
            self._cells = Cells(max(1, round(interval)) * 1_000)
            self._widen_cells()
        place = {member: k for k, member in enumerate(self.rows)}
        self._cells.fold(np.array([place[r] for r in row.tolist()], np.int64), t, x)

    def judge(self, until: int) -> Iterator[Sight]:
        """What is said of the rows that are complete at ``until``; the machine calibrates anew after a long pause."""
        if self._cells is None:
            return
        for cell, x, _ in self._cells.close(until):
            t = cell * self._cells.grid_ms
            if self.last != _NEVER and t - self.last > self.pause_ms():
                self.novelty.restart()
            self.last = t
            self.trace.append((t, x))
            sight = self.novelty.observe(t, x)
            if sight is not None:
                yield sight

    def pause_ms(self) -> int:
        """A machine that said nothing for so long has stood still, and may come back as another."""
        calibration: int = self.novelty.parameters["calibration"]
        return calibration * (self._cells.grid_ms if self._cells else 0)

    def _widen_cells(self) -> None:
        assert self._cells is not None
        while self._cells.columns < len(self.rows):
            self._cells.join(self._cells.grid_ms / 1_000)

    def snapshot(self) -> dict[str, Any]:
        return {
            "rows": list(self.rows),
            "novelty": self.novelty.snapshot(),
            "finding": encode(self.finding) if self.finding else None,
            "last": self.last,
            "trace": [[t, x.copy()] for t, x in self.trace],
            "grid_ms": self._cells.grid_ms if self._cells else 0,
            "cells": self._cells.snapshot() if self._cells else None,
        }

    @classmethod
    def restored(cls, payload: Mapping[str, Any]) -> "Machine":
        made = cls()
        made.rows = list(payload["rows"])
        made.novelty.restore(payload["novelty"])
        made.finding = decode_as(Finding, payload["finding"]) if payload["finding"] else None
        made.last = payload["last"]
        made.trace.extend((t, np.array(x)) for t, x in payload["trace"])
        if payload["cells"]:
            made._cells = Cells(payload["grid_ms"])
            made._cells.restore(payload["cells"])
        return made


def _widened(x: Floats, columns: int) -> Floats:
    return np.append(x, np.full(columns - len(x), np.nan))
