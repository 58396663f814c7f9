"""Swapped channels through the stages: what is refused as a speed is known to be the flow, and one cause is told."""

import numpy as np

from domain.flags import Flag, Test
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.topics import partition_of
from streams.area_clock import Patience
from streams.setup import Setup
from streams.stage import Flow
from tests.streams.make import DAY, HOUR, MINUTE, T0

STEP = 5 * MINUTE
BEGIN, END = T0 + 5 * DAY + 8 * HOUR, T0 + 5 * DAY + 12 * HOUR


def played() -> list[Flow]:
    rng = np.random.default_rng(3)
    sensors = SensorRegister([Sensor("loop", "ring", interval_s=300.0)])
    analyser = Setup(sensors, Patience(10_000, 2 * HOUR, future_ms=9 * DAY), "null").analyser(
        "readings.traffic", partition_of("ring")
    )
    flows = analyser.on_message(Tick("gw", 1, T0)).flows
    for n, begin in enumerate(range(T0, T0 + 6 * DAY, HOUR)):
        t = np.arange(begin, begin + HOUR, STEP, dtype=np.int64)
        flow = np.round(700 - 400 * np.cos(2 * np.pi * t / DAY) + 60 * rng.normal(size=len(t)))
        speed = 60 + 5 * np.cos(2 * np.pi * t / DAY) + 2 * rng.normal(size=len(t))
        wrong = (t >= BEGIN) & (t < END)
        flow, speed = np.where(wrong, speed, flow), np.where(wrong, flow, speed)
        i = np.repeat(np.array([0, 1], np.int32), len(t))
        both = Readings(["loop/traffic.flow", "loop/traffic.speed"], i, np.tile(t, 2), np.concatenate((flow, speed)))
        flows += analyser.on_message(Frame("gw", 2 * n + 2, "ring", both)).flows
        flows += analyser.on_message(Tick("gw", 2 * n + 3, begin + HOUR)).flows
    return flows


def test_one_cause_is_told_of_both_and_refused_readings_bear_it_too() -> None:
    flows = played()
    swapped = np.uint32(Test.SWAPPED)
    refused = [part.take(part.flag == Flag.FAIL) for part in (flow.unused for flow in flows)]
    told = np.concatenate([part.t[(part.tests & swapped) != 0] for part in refused])
    assert len(told) > 36  # of 48
    assert all(BEGIN <= t < END for t in told.tolist())
    kept = [flow.readings for flow in flows]
    flags = np.concatenate([part.flag[(part.tests & swapped) != 0] for part in kept])
    assert len(flags) > 36
    assert (flags >= Flag.SUSPECT).all()
    findings = [f for flow in flows for f in flow.findings if BEGIN <= f.time < END]
    assert findings[-1].rule == "quality.swapped"
    assert findings[-1].kind == "quality"
    assert findings[-1].series in (
        ["loop/traffic.flow", "loop/traffic.speed"],
        ["loop/traffic.speed", "loop/traffic.flow"],
    )
