"""The neighbour test in the dataflow: hours closed by the clock, flags revised, windows published anew."""

import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.messages import Finding
from domain.times import format_time
from streams.state import pack, restore, snapshot, unpack
from tests.streams.make import DAY, HOUR, MINUTE, T0, Feed, Row, final_windows, register, series

STEP = 15 * MINUTE
DAYS, N, ODD = 8, 5, 2
BEGINS = T0 + 6 * DAY + 18 * HOUR


def readings(shared: bool = False) -> list[Row]:
    """Five stations every quarter of an hour; one of them, or all, read too much in the last day and a half."""
    rng = np.random.default_rng(5)
    t = T0 + np.arange(DAYS * DAY // STEP) * STEP
    weather = np.repeat(rng.normal(0, 3, len(t) // 4), 4)
    rows = []
    for k in range(N):
        x = 40 + 10 * np.sin(2 * np.pi * (t - T0) / DAY) + weather + rng.normal(0, 3, len(t))
        x += np.where((t >= BEGINS) & (shared or k == ODD), 14.0, 0.0)
        rows += [(series(k), int(when), round(float(value), 2)) for when, value in zip(t, x, strict=True)]
    return sorted(rows, key=lambda row: row[1])


def played(rows: list[Row], frames: int = 1, detector: str = "", restored_at: int = -1) -> Feed:
    """Each quarter of an hour its readings, cut into so many frames, and a tick after the lateness."""
    feed = Feed(register(N, interval_s=900.0), detector=detector)
    for quarter in range(len(rows) // N):
        mine = rows[quarter * N : (quarter + 1) * N]
        for part in np.array_split(np.arange(N), frames):
            feed.frame([mine[k] for k in part.tolist()])
        feed.tick(T0 + (quarter + 1) * STEP + 10_000)
        if quarter == restored_at:
            kept = unpack(pack(snapshot(feed.analyser)))
            feed.analyser = Feed(register(N, interval_s=900.0), detector=detector).analyser
            restore(feed.analyser, kept)
    return feed


def flags(feed: Feed) -> dict[tuple[str, int], tuple[int, int]]:
    """As they stand at the end."""
    kept = {}
    for flow in feed.flows:
        for part in (flow.readings, flow.revised):
            for row, t, flag, tests in zip(part.row, part.t, part.flag, part.tests, strict=True):
                kept[flow.names[row], int(t)] = int(flag), int(tests)
    return kept


def apart(feed: Feed) -> set[tuple[str, int]]:
    return {key for key, (_, tests) in flags(feed).items() if tests & Test.NEIGHBOUR}


def findings(feed: Feed) -> list[Finding]:
    return [finding for flow in feed.flows for finding in flow.findings]


@pytest.fixture(scope="module")
def drifted() -> Feed:
    return played(readings(), detector="null")


def test_readings_of_the_hours_that_failed_are_revised(drifted: Feed) -> None:
    told = apart(drifted)
    assert {name for name, _ in told} == {series(ODD)}
    assert min(t for _, t in told) > BEGINS
    assert len(told) > 20
    for _, t in told:
        assert (series(ODD), t - t % HOUR + 45 * MINUTE) in told, format_time(t)
        assert flags(drifted)[series(ODD), t][0] >= Flag.SUSPECT


def test_windows_follow(drifted: Feed) -> None:
    windows = final_windows(drifted.flows)
    alone = [key for key in apart(drifted) if flags(drifted)[key][1] == Test.NEIGHBOUR]
    assert alone
    for _, t in alone:
        quarter, hour = windows[series(ODD), 900, t], windows[series(ODD), 3_600, t - t % HOUR]
        assert (quarter.flag, hour.flag) == (Flag.SUSPECT, Flag.SUSPECT)
        # The hour is published when it is judged; the last quarter too, those before it once more.
        assert (quarter.revision, hour.revision) == (1 if t % HOUR == 45 * MINUTE else 2, 1)


def test_what_all_share_is_left_alone() -> None:
    assert not apart(played(readings(shared=True)))


@pytest.mark.parametrize(("frames", "detector", "restored_at"), [(3, "", -1), (1, "null", 7 * 96 + 21)])
def test_frames_and_restores_change_nothing(drifted: Feed, frames: int, detector: str, restored_at: int) -> None:
    other = played(readings(), frames, detector, restored_at)
    assert flags(other) == flags(drifted)
    assert final_windows(other.flows) == final_windows(drifted.flows)
    if detector:
        assert findings(other) == findings(drifted)
