"""The classics of traffic incident detection side by side in simulated towns, beside the yardsticks.

    .venv/bin/python benchmarks/quality/roads.py [--seeds 11 12 13] [--days 4] [--size 120] [--write]

The scenario is ``standard-month`` with more trouble on the roads: two quiet days first. The loops' readings go through
the same stages as in ``borough backtest``; each choice of road detectors then gets the same closed windows. Thresholds
that are ours were chosen on seeds 1-5, so score others. ``--write`` renews ``docs/quality/roads.md``.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.quality.roads_page import page, recorded
from domain.readings import Readings
from domain.sensors import SensorRegister
from models.registry import DEFAULT as DETECTOR
from models.road_detectors import ROAD_DETECTORS, RoadDetector, road_detectors
from models.road_gates import OnDelay
from models.road_names import DEFAULT, NAMES
from service.scoring import said_of
from simulator.scenario import load
from simulator.scenario_run import Play
from simulator.scoreboard_figures import Score, Span, score
from streams.analyser import Step
from streams.area_clock import Patience
from streams.board import Board
from streams.desk_in_memory import DeskInMemory
from streams.driver import Driver
from streams.roads import RoadStage
from streams.setup import Setup
from streams.stage import Flow

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = Patience(lateness_ms=30_000, horizon_ms=3_600_000)
#: A day. Of what is not on the roads only sensor faults: a detector of incidents must not take them for one.
RATES = {"crash": 6.0, "stopped-vehicle": 6.0, "roadworks": 0.4, "event-crowd": 0.4, "burst-main": 0.2, "fog": 0.1,
         "stuck": 0.4, "noise": 0.2, "silent": 0.3, "offset": 0.1, "spike": 0.1}  # fmt: skip
USUAL_TOO = "bottleneck, usual ones too"
THE_DEFAULT = f"default: {', '.join(DEFAULT)}"


def choices() -> dict[str, tuple[RoadDetector, ...]]:
    """What is compared: each by itself, the bottleneck test as published, all together, and what is the default."""
    published = replace(ROAD_DETECTORS["bottleneck"], gate=partial(OnDelay, steps=1))
    return {
        **{name: (ROAD_DETECTORS[name],) for name in NAMES},
        USUAL_TOO: (published,),
        "all four": road_detectors(NAMES),
        THE_DEFAULT: road_detectors(DEFAULT),
    }


@dataclass(slots=True)
class Fork:
    """One choice: a stage for each area, and a desk for what it finds."""

    register: SensorRegister
    detectors: Sequence[RoadDetector]
    desk: DeskInMemory = field(default_factory=DeskInMemory)
    stages: dict[str, tuple[Board, RoadStage]] = field(default_factory=dict)

    def follow(self, flow: Flow) -> Flow:
        """What this choice finds, as a flow of its own."""
        if flow.area not in self.stages:
            board = Board.of(flow.area, self.register, PATIENCE)
            self.stages[flow.area] = board, RoadStage(board, self.detectors)
        board, stage = self.stages[flow.area]
        board.index.rows(flow.names)
        found = stage.on_tick(replace(flow, findings=[]))
        self.desk.follow(Step(flows=[found]))
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """Of one seed: scores of road findings alone by choice, and of all that is said of the loops."""

    alone: Mapping[str, Score]
    whole: Mapping[str, Score]
    readings: int


def town(seed: int, size: int, days: float) -> Play:
    scenario = load("standard-month")
    assert scenario.mix is not None
    return Play.of(replace(scenario, size=size, days=days, mix=replace(scenario.mix, rates=RATES)), seed)


def of_loops(play: Play) -> Iterator[Readings]:
    """The readings of traffic, in the order of time."""
    for start in play.starts:
        readings = play.stretch(start).readings
        traffic = np.array(["/traffic." in name for name in readings.series])
        yield readings.take(np.flatnonzero(traffic[readings.i]))


def run(play: Play, detector: str) -> Run:
    """One pass through the stages for all choices."""
    register = SensorRegister(play.town.sensors, play.town.links)
    forks = {name: Fork(register, detectors) for name, detectors in choices().items()}
    without, with_default = DeskInMemory(), DeskInMemory()
    readings = 0
    for step in Driver(Setup(register, PATIENCE, detector, ())).run(of_loops(play)):
        for flow in step.flows:
            readings += len(flow.readings)
            found = {name: fork.follow(flow) for name, fork in forks.items()}
            without.follow(Step(flows=[flow]))
            with_default.follow(Step(flows=[flow, found[THE_DEFAULT]]))
    whole = {"without road detectors": without, f"with the {THE_DEFAULT}": with_default}
    return Run(
        {name: _scored(play, fork.desk) for name, fork in forks.items()},
        {name: _scored(play, desk) for name, desk in whole.items()},
        readings,
    )


def _scored(play: Play, desk: DeskInMemory) -> Score:
    span = Span(play.scenario.start_ms, play.scenario.end_ms, {"traffic": len(play.town.loops)})
    return score(play.truths, [said_of(alert) for alert in desk.alerts.values()], span)


def pooled(scores: Sequence[Score]) -> Score:
    """Several towns of one span as one: labels and alerts together, loops added up."""
    first = scores[0].span
    span = Span(first.start, first.end, {"traffic": sum(each.span.sensors["traffic"] for each in scores)})
    outcomes = tuple(one for each in scores for one in each.outcomes)
    return Score(span, outcomes, tuple(one for each in scores for one in each.judgements), {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--days", type=float, default=4.0, help="of the scenario, its two quiet ones included")
    parser.add_argument("--size", type=int, default=120, help="sensors of each town; half of them are loops")
    parser.add_argument("--detector", default=DETECTOR, help="what else looks at the loops")
    parser.add_argument("--write", action="store_true", help="renew docs/quality/roads.md")
    args = parser.parse_args()
    began = time.perf_counter()
    runs = []
    for seed in args.seeds:
        runs.append(run(town(seed, args.size, args.days), args.detector))
        print(f"seed {seed}: {runs[-1].readings:,} readings, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    command = (f"python benchmarks/quality/roads.py --seeds {' '.join(map(str, args.seeds))} --days {args.days:g} "
               f"--size {args.size} --detector {args.detector} --write")  # fmt: skip
    said = f"{sum(each.readings for each in runs):,} readings of loops, {time.perf_counter() - began:.0f} s"
    data = Path(os.environ.get("BOROUGH_DATA_SETS", ROOT.parent / "shared" / "data"))
    text = page(
        command,
        said,
        {name: pooled([each.alone[name] for each in runs]) for name in runs[0].alone},
        {name: pooled([each.whole[name] for each in runs]) for name in runs[0].whole},
        recorded(data / "pems-i405"),
    )
    if args.write:
        (ROOT / "docs/quality/roads.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
