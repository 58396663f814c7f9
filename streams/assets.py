"""Stage: machines with several fast series are judged as a whole, at their own cadence.

The series-by-series detector sees the means of minutes; a pump that is about to fail shows in the seconds, and in
all its channels together. Only what the sensors table calls one asset is judged so: see
:func:`streams.machine.machines_of`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from domain.flags import Test
from domain.messages import Channel, Finding, ModelRef, Point, Why
from domain.times import MINUTE_MS
from models.asset_novelty import AssetNovelty, Picture, Sight
from models.asset_words import Told, asset_sentence, one_in
from streams.board import Board
from streams.machine import Machine, machines_of
from streams.quarantine import identity
from streams.stage import Flow
from streams.traces import number

RULE = "asset.novelty"
_UPDATE_EVERY_MS = 15 * MINUTE_MS
_OUT_OF_ORDER = np.uint32(Test.LATE | Test.CORRECTION)
_TOLD_SHARE = 0.05
_BAND = 3.0  # standard deviations on either side that count as usual


class AssetStage:
    """One :class:`Machine` per asset of the area that is one."""

    kind: ClassVar[str] = "assets"
    version: ClassVar[str] = "1"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._machines: dict[str, Machine] = {}
        self._of_row = np.empty(0, np.int64)  # number of the machine a row belongs to, -1 for none
        self._known = 0

    def on_frame(self, flow: Flow) -> Flow:
        self._grow()
        if not self._machines:
            return flow
        readings = flow.readings.take((flow.readings.tests & _OUT_OF_ORDER) == 0)
        of = self._of_row[readings.row]
        interval = self._board.interval.seconds()
        for k, machine in enumerate(self._machines.values()):
            mine = readings.take(of == k)
            if len(mine):
                machine.fold(mine.row, mine.t, mine.x, interval)
        return self._judge(flow)

    def on_tick(self, flow: Flow) -> Flow:
        return self._judge(flow) if self._machines else flow

    def _judge(self, flow: Flow) -> Flow:
        # A row is complete when every channel has spoken, at the latest when the windows would close too.
        until = flow.now - self._board.patience.lateness_ms
        found = [f for asset, machine in self._machines.items() for f in self._of(asset, machine, until)]
        return replace(flow, findings=flow.findings + found) if found else flow

    def _of(self, asset: str, machine: Machine, until: int) -> list[Finding]:
        found: list[Finding] = []
        before = machine.last
        for sight in machine.judge(until):
            if sight.begun is not None:
                machine.finding = self._opened(asset, machine, sight, sight.begun)
            elif sight.ended is not None:
                found += self._closed(machine, sight.ended)
                continue
            elif machine.finding is None or sight.time - machine.finding.time < _UPDATE_EVERY_MS:
                continue
            else:
                why = self._why(asset, machine, sight, machine.finding.onset)
                machine.finding = msgspec.structs.replace(
                    machine.finding, phase="update", time=sight.time, why=why, score=score_of(sight.ratio)
                )
            found.append(machine.finding)
        silent = machine.finding is not None and until - machine.last > machine.pause_ms()
        if silent or (machine.finding is not None and not machine.novelty.novel):
            found += self._closed(machine, machine.last if silent else before)
        return found

    def _closed(self, machine: Machine, time: int) -> list[Finding]:
        finding, machine.finding = machine.finding, None
        return [msgspec.structs.replace(finding, phase="close", time=time)] if finding else []

    def _opened(self, asset: str, machine: Machine, sight: Sight, begun: int) -> Finding:
        score = score_of(sight.ratio)
        picture = machine.novelty.picture()
        assert picture is not None  # what opens an alarm has been judged
        share = picture.share.sum(axis=0)
        order = np.argsort(-share, kind="stable")
        told = [k for k in order.tolist() if share[k] >= _TOLD_SHARE]
        return Finding(
            id=identity(RULE, self._board.area, asset, begun),
            rule=RULE,
            kind="anomaly",
            phase="open",
            area=self._board.area,
            place=asset,
            series=[self._board.index.names[machine.rows[k]] for k in told],
            time=sight.time,
            onset=begun,
            score=score,
            severity="high" if score >= 0.9 else "medium" if score >= 0.7 else "low",
            why=self._why(asset, machine, sight, begun),
        )

    def _why(self, asset: str, machine: Machine, sight: Sight, since: int) -> Why:
        picture = machine.novelty.picture()
        assert picture is not None
        order = _by_share(picture)
        main = order[0][1]
        band = _BAND * picture.spread
        lower, upper = picture.expected - band, picture.expected + band
        specs = [self._board.index.specs[row] for row in machine.rows]
        told = [
            Told(
                specs[k].quantity,
                what,
                share,
                *(float(c[k]) for c in (picture.observed, picture.expected, lower, upper)),
            )
            for share, k, what in order
        ]
        return Why(
            sentence=asset_sentence(asset, since, told),
            observed=number(float(picture.observed[main])),
            expected=number(float(picture.expected[main])),
            lower=number(float(lower[main])),
            upper=number(float(upper[main])),
            one_in=number(one_in(sight.deviance, machine.novelty.judging)),
            since=since,
            channels=[Channel(f"{specs[k].name} {what}", round(share, 4)) for share, k, what in order],
            model=ModelRef(RULE, AssetNovelty.version, dict(machine.novelty.parameters)),
            trace=[
                Point(t, number(float(x[main])), *(number(float(c[main])) for c in (picture.expected, lower, upper)))
                for t, x in machine.trace
            ],
        )

    def _grow(self) -> None:
        specs = self._board.index.specs
        if len(specs) == self._known:
            return
        self._known = len(specs)
        for asset, rows in machines_of(specs).items():
            self._machines.setdefault(asset, Machine()).join(rows)
        self._of_row = np.full(len(specs), -1, np.int64)
        for k, machine in enumerate(self._machines.values()):
            self._of_row[machine.rows] = k

    def snapshot(self) -> dict[str, Any]:
        return {"machines": [[asset, machine.snapshot()] for asset, machine in self._machines.items()]}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._machines = {asset: Machine.restored(kept) for asset, kept in payload["machines"]}
        self._known = 0
        self._grow()


def score_of(ratio: float) -> float:
    """0..1, 0.5 where the statistic meets its threshold."""
    return float(1 - 0.5 ** min(ratio, 20.0))


def _by_share(picture: Picture) -> list[tuple[float, int, str]]:
    """``(share, channel, level or noise)`` of what carries at least a twentieth of the evidence, the largest first."""
    parts = [
        (float(picture.share[kind, k]), k, what)
        for kind, what in enumerate(("level", "noise"))
        for k in range(picture.share.shape[1])
    ]
    parts.sort(key=lambda part: (-part[0], part[1], part[2]))
    return [part for part in parts if part[0] >= _TOLD_SHARE] or parts[:1]
