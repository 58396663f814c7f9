"""Readings that never came: flag 9 in the quality record, however their absence was noticed."""

import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.sensors import Sensor, SensorRegister
from streams.area_clock import Patience
from streams.stage import Flow
from streams.state import pack, restore, snapshot, unpack
from tests.streams.make import AREA, DAY, HOUR, MINUTE, T0, Feed, Row

NAME = "s0/air.no2"
STEP = 5 * MINUTE
SPOKE = 60  # readings before the silence
PATIENCE = Patience(10_000, 2 * HOUR, future_ms=100 * DAY)  # as in a backtest: frames come before their time


def sensors() -> SensorRegister:
    return SensorRegister([Sensor(f"s{k}", AREA, interval_s=STEP / 1_000) for k in range(2)])


def speaking(*spans: tuple[int, int]) -> list[Row]:
    """s1 always, s0 within the spans, in steps."""
    end = max(stop for _, stop in spans)
    rows = [("s1/air.no2", T0 + k * STEP, 30.0 + k % 7) for k in range(end)]
    return rows + [(NAME, T0 + k * STEP, 40.0 + k % 5) for begin, stop in spans for k in range(begin, stop)]


def missing(flows: list[Flow]) -> list[tuple[str, int]]:
    found = []
    for flow in flows:
        gap = flow.unused.take(flow.unused.tests == Test.GAP)
        assert (gap.flag == Flag.MISSING).all()
        assert np.isnan(gap.x).all()
        found += [(flow.names[row], t) for row, t in zip(gap.row.tolist(), gap.t.tolist(), strict=True)]
    return found


def played(rows: list[Row], cut: int, tick: int) -> Feed:
    """Frames of ``cut`` ms; after each of them the clock is looked at every ``tick`` ms."""
    feed = Feed(sensors(), PATIENCE, "null")
    feed.tick(T0)
    end = max(t for _, t, _ in rows) + 1
    for begin in range(T0, end, cut):
        if part := sorted((row for row in rows if begin <= row[1] < begin + cut), key=lambda row: row[1]):
            feed.frame(part)
        for now in range(begin + tick, begin + cut + 1, tick):
            feed.tick(now)
    return feed


@pytest.mark.parametrize(
    ("cut", "tick"), [(STEP, STEP), (HOUR, HOUR), (HOUR, STEP), (6 * HOUR, HOUR), (2 * DAY, DAY), (2 * DAY, 2 * DAY)]
)
def test_the_first_and_then_one_an_hour_whenever_somebody_looked(cut: int, tick: int) -> None:
    feed = played(speaking((0, SPOKE), (SPOKE + 42, 288)), cut, tick)
    due = T0 + SPOKE * STEP
    assert missing(feed.flows) == [(NAME, due + k * HOUR) for k in range(4)]  # 42 steps are 3.5 hours


def test_missing_readings_are_no_findings() -> None:
    feed = played(speaking((0, SPOKE), (SPOKE + 42, 288)), HOUR, HOUR)
    findings = [f for flow in feed.flows for f in flow.findings]
    assert [(f.rule, f.phase) for f in findings] == [("silence.sensor", "open"), ("silence.sensor", "close")]


def test_a_pause_that_is_no_silence_misses_nothing() -> None:
    feed = played(speaking((0, SPOKE), (SPOKE + 3, 288)), HOUR, HOUR)
    assert missing(feed.flows) == []


def test_of_a_series_that_has_ended_a_week_is_counted() -> None:
    feed = played(speaking((0, SPOKE), (12 * DAY // STEP, 12 * DAY // STEP + 1)), DAY, DAY)
    last = T0 + (SPOKE - 1) * STEP
    found = [t for name, t in missing(feed.flows) if name == NAME and t < T0 + 12 * DAY]
    assert len(found) == 168
    assert found[-1] <= last + 7 * DAY


def test_a_slow_series_owes_one_reading_each_interval() -> None:
    slow = SensorRegister([Sensor(f"s{k}", AREA, interval_s=10_800.0) for k in range(2)])
    feed = Feed(slow, PATIENCE, "null")
    feed.tick(T0)
    for k in range(40):
        feed.frame([("s1/air.no2", T0 + k * 3 * HOUR, 30.0)] + ([(NAME, T0 + k * 3 * HOUR, 40.0)] if k < 20 else []))
        feed.tick(T0 + k * 3 * HOUR + HOUR)
    assert missing(feed.flows) == [(NAME, T0 + k * 3 * HOUR) for k in range(20, 40)]


def test_a_restored_state_goes_on_within_a_silence() -> None:
    rows = speaking((0, SPOKE), (SPOKE + 42, 288))
    feed = played([row for row in rows if row[1] < T0 + (SPOKE + 20) * STEP], HOUR, HOUR)
    state = pack(snapshot(feed.analyser))
    again = Feed(sensors(), PATIENCE, "null")
    restore(again.analyser, unpack(state))
    again.seq = feed.seq
    for each in (feed, again):
        before = len(each.steps)
        each.frame(sorted((row for row in rows if row[1] >= T0 + (SPOKE + 20) * STEP), key=lambda row: row[1]))
        each.tick(T0 + DAY)
        del each.steps[:before]
    assert missing(feed.flows) == missing(again.flows) == [(NAME, T0 + SPOKE * STEP + 3 * HOUR)]
