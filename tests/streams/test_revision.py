"""Flags that a later reading revises: in the log, in windows that were closed, in whichever frames they come."""

import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.readings import Readings
from domain.sensors import Sensor, SensorRegister
from models.quality import QualityTests
from streams.area_clock import Patience
from streams.board import Board
from streams.quarantine import Origin
from streams.stage import Flow
from streams.validate import ValidateStage
from streams.window import WindowStage

T0, HOUR, MINUTE = 1_772_409_600_000, 3_600_000, 60_000


class Two:
    """Validate and window of one area."""

    def __init__(self) -> None:
        self.board = Board.of("a", SensorRegister([Sensor("s", "a")]), Patience(10_000, 48 * HOUR, 48 * HOUR))
        self.stages = (ValidateStage(self.board, QualityTests()), WindowStage(self.board))
        self.quality: dict[tuple[str, int], tuple[int, int]] = {}
        self.windows: dict[tuple[int, int], tuple[int, int]] = {}

    def send(self, *rows: tuple[str, int, float], tick: int) -> None:
        for arrived in (Readings.of(rows), None):
            flow = Flow("a", Origin("", ""), tick, self.board.index.names, arrived=arrived)
            for stage in self.stages:
                flow = stage.on_frame(flow) if arrived is not None else stage.on_tick(flow)
            for part in (flow.readings, flow.revised):
                for row, t, flag, tests in zip(part.row, part.t, part.flag, part.tests, strict=True):
                    self.quality[self.board.index.names[row], int(t)] = int(flag), int(tests)
            for batch in flow.closed:
                for start, flag, revision in zip(batch.start, batch.flag, batch.revision, strict=True):
                    self.windows[batch.window_s, int(start)] = int(flag), int(revision)


def test_a_spike_is_revised_in_the_window_that_was_closed() -> None:
    two, rng = Two(), np.random.default_rng(1)
    x = 60 + rng.normal(0, 2, 24 * 20)
    x[-2] += 60
    for k, value in enumerate(x.tolist()):
        two.send(("s/air.no2", T0 + k * HOUR, value), tick=T0 + (k + 1) * HOUR - MINUTE)
    spike = T0 + (len(x) - 2) * HOUR
    flag, tests = two.quality["s/air.no2", spike]
    assert (flag, tests & Test.SPIKE) == (Flag.FAIL, Test.SPIKE)
    assert two.windows[900, spike] == (Flag.FAIL, 2)
    assert two.windows[900, spike - HOUR] == (Flag.GOOD, 1)


@pytest.mark.parametrize("seed", range(4))
def test_physics_does_not_depend_on_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(60):
        flow = float(rng.choice([0.0, 600.0]))
        rows += [("s/traffic.flow", T0 + k * MINUTE, flow), ("s/traffic.speed", T0 + k * MINUTE + 200, 50.0)]
    together, apart = Two(), Two()
    together.send(*rows, tick=T0 + HOUR)
    flows, speeds = rows[::2], rows[1::2]
    for part in (flows[:37], speeds[:11], speeds[11:], flows[37:]):
        apart.send(*part, tick=T0 + HOUR)
    assert together.quality == apart.quality, f"seed {seed}"
    assert sum(tests == Test.PHYSICS for _, tests in apart.quality.values()) > 10
