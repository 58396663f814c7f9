"""Windows: whatever the order, the repeats, the corrections and the cut into frames, the end equals a recomputation."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import validate
from streams.area_clock import Patience
from tests.streams.make import (
    DAY,
    HOUR,
    MINUTE,
    PATIENCE,
    T0,
    Feed,
    Row,
    assert_windows_equal,
    final_windows,
    register,
    series,
)


@pytest.fixture(autouse=True, scope="module")
def prune_early() -> object:
    """Small logs are pruned too, so that forgetting is part of what is tested."""
    kept = validate._PRUNE_FROM
    validate._PRUNE_FROM = 3
    yield
    validate._PRUNE_FROM = kept


@dataclass
class Model:
    """What must count, in the plainest words: a dict per reading, one reading at a time."""

    patience: Patience
    kept: dict[tuple[str, int], float] = field(default_factory=dict)
    said: dict[tuple[str, int], set[float]] = field(default_factory=dict)
    frontier: dict[str, int] = field(default_factory=dict)
    tick: int | None = None
    late: int = 0
    future: int = 0

    def frame(self, rows: list[Row]) -> None:
        frontier = dict(self.frontier)
        for name, t, x in sorted(rows, key=lambda row: (row[0], row[1])):  # stable: of equal times the order counts
            if self.tick is not None and t > self.tick + self.patience.future_ms:
                self.future += 1
            elif name in frontier and t < frontier[name] - self.patience.horizon_ms:
                self.late += 1
            else:
                if x not in self.said.setdefault((name, t), set()):
                    self.kept[name, t] = x
                    self.said[name, t].add(x)
                self.frontier[name] = max(self.frontier.get(name, t), t)

    def time(self, tick: int) -> None:
        self.tick = tick if self.tick is None else max(self.tick, tick)
        # What came before the first tick could not be told to be ahead of the clock.
        latest = self.tick + self.patience.future_ms
        self.frontier = {name: min(t, latest) for name, t in self.frontier.items()}


readings = st.tuples(
    st.sampled_from([series(k) for k in range(4)]),
    st.one_of(
        st.integers(0, 40 * 60).map(lambda s: T0 + s * 60_000 // 10),  # dense: 6 s apart over 4 h
        st.integers(0, 30 * HOUR).map(lambda ms: T0 + ms),
        st.integers(-3, 30).map(lambda h: T0 + h * HOUR),  # on the edges of windows
    ),
    st.integers(-10, 2_000).map(float) | st.floats(-10, 2_000),
)
steps = st.lists(
    st.one_of(
        st.lists(readings, min_size=1, max_size=12),
        st.integers(-4 * HOUR, 34 * HOUR).map(lambda ms: T0 + ms),
    ),
    max_size=25,
)


def play(script: list[list[Row] | int], patience: Patience) -> tuple[Feed, Model]:
    feed, model = Feed(patience=patience), Model(patience)
    for step in script:
        if isinstance(step, int):
            feed.tick(step)
            model.time(step)
        else:
            feed.frame(step)
            model.frame(step)
    return feed, model


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from([Patience(10_000, 2 * HOUR), Patience(0, 40 * HOUR, 40 * HOUR), Patience(HOUR, 0)]))
def test_the_end_equals_a_recomputation_from_what_counts(script: list[list[Row] | int], patience: Patience) -> None:
    feed, model = play(script, patience)
    for after in (31, 33, 70):  # let time pass, also for an area that has fallen behind
        feed.tick(T0 + after * HOUR)
    now = max((flow.now for flow in feed.flows), default=0)
    found = final_windows(feed.flows)
    assert_windows_equal(found, model.kept, now - patience.lateness_ms)
    put_aside = [q.reason for flow in feed.flows for q in flow.quarantined]
    assert sum("too late" in reason for reason in put_aside) == model.late
    assert sum("ahead" in reason for reason in put_aside) == model.future
    assert len(put_aside) == model.late + model.future


@settings(max_examples=60, deadline=None)
@given(st.lists(readings, min_size=1, max_size=60), st.data())
def test_order_of_arrival_and_cuts_into_frames_leave_no_trace(rows: list[Row], data: st.DataObject) -> None:
    patience = Patience(10_000, 80 * HOUR, 40 * HOUR)
    unique = list({(name, t): (name, t, x) for name, t, x in rows}.values())
    ends = []
    for _ in range(2):
        order = data.draw(st.permutations(unique + unique[:5]))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=6)))
        feed = Feed(patience=patience)
        for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
            feed.frame(order[begin:end])
            feed.tick(data.draw(st.integers(T0, T0 + 35 * HOUR)))
        feed.tick(T0 + 60 * HOUR)
        ends.append({key: (w.count, w.mean, w.min, w.max, w.last) for key, w in final_windows(feed.flows).items()})
    assert ends[0] == ends[1]  # bit for bit: sums are made from the sorted log


def minutes(name: str, start: int, n: int) -> list[Row]:
    return [(name, start + k * MINUTE, float(k)) for k in range(n)]


def test_a_window_is_published_when_the_watermark_passes_its_end_and_the_lateness() -> None:
    feed = Feed()
    feed.tick(T0 + 1_000)
    feed.frame([(series(0), T0, 1.0)])
    assert [batch for flow in feed.tick(T0 + MINUTE + 9_999).flows for batch in flow.closed] == []
    (flow,) = feed.tick(T0 + MINUTE + 10_000).flows
    assert [(b.window_s, b.start.tolist(), b.revision.tolist()) for b in flow.closed] == [(60, [T0], [1])]


def test_a_late_reading_revises_every_window_that_holds_it_and_no_other() -> None:
    feed = Feed()
    feed.tick(T0)
    feed.frame(minutes(series(0), T0, 61) + minutes(series(1), T0, 61))
    feed.tick(T0 + HOUR + 20_000)
    (flow,) = feed.frame([(series(0), T0 + 30_000, 50.0)]).flows
    revised = {(b.window_s, b.series[b.i[k]]): int(b.revision[k]) for b in flow.closed for k in range(len(b))}
    assert revised == {(60, series(0)): 2, (900, series(0)): 2, (3_600, series(0)): 2,
                       (28_800, series(0)): 2, (86_400, series(0)): 2}  # fmt: skip
    assert final_windows(feed.flows)[series(0), 60, T0].mean == 25.0


def test_a_repeat_after_the_window_closed_changes_nothing() -> None:
    feed = Feed()
    feed.tick(T0)
    feed.frame(minutes(series(0), T0, 30))
    feed.tick(T0 + 40 * MINUTE)
    (flow,) = feed.frame(minutes(series(0), T0, 30)).flows
    assert (flow.closed, len(flow.readings), flow.quarantined) == ([], 0, [])


def test_a_correction_revises_with_the_new_value_and_says_so_in_the_flag() -> None:
    feed = Feed()
    feed.tick(T0)
    feed.frame([(series(0), T0, 10.0), (series(0), T0 + 30_000, 20.0)])
    feed.tick(T0 + 2 * MINUTE)
    feed.frame([(series(0), T0, 12.0)])
    window = final_windows(feed.flows)[series(0), 60, T0]
    assert (window.count, window.mean, window.min, window.flag, window.revision) == (2, 16.0, 12.0, 3, 2)


def test_beyond_the_horizon_a_reading_is_put_aside_once_and_counts_nowhere() -> None:
    feed = Feed()
    feed.tick(T0 + 3 * HOUR)
    feed.frame([(series(0), T0 + 3 * HOUR, 1.0)])
    (flow,) = feed.frame([(series(0), T0 + HOUR - 1, 5.0), (series(0), T0 + HOUR, 6.0)]).flows
    assert [(q.field, q.reading_time) for q in flow.quarantined] == [("time", T0 + HOUR - 1)]
    assert flow.readings.x.tolist() == [6.0]


def test_coverage_is_the_share_of_what_was_expected_and_unknown_without_an_interval() -> None:
    known, unknown = Feed(register(2, interval_s=10.0)), Feed()
    for feed, readings_sent in ((known, 3), (unknown, 1)):
        feed.tick(T0)
        feed.frame([(series(0), T0 + k * 10_000, 1.0) for k in range(readings_sent)])
        feed.tick(T0 + 16 * MINUTE)
    windows = final_windows(known.flows)
    assert windows[series(0), 60, T0].coverage == 0.5
    assert windows[series(0), 900, T0].coverage == pytest.approx(3 / 90)
    assert np.isnan(final_windows(unknown.flows)[series(0), 60, T0].coverage)


def test_coverage_of_slow_series_is_never_above_one() -> None:
    feed = Feed(register(1, interval_s=3_600.0))
    feed.tick(T0)
    feed.frame([(series(0), T0, 1.0)])
    feed.tick(T0 + MINUTE + 10_000)
    assert final_windows(feed.flows)[series(0), 60, T0].coverage == 1.0


def test_series_that_lie_years_apart_do_not_disturb_each_other() -> None:
    patience = Patience(10_000, 2 * HOUR)
    feed, model = Feed(patience=patience), Model(patience)
    for start in (T0 - 9_000 * DAY, T0 - 15_000 * DAY - 7, T0 - 30_000 * DAY):  # the last before 1970
        for row in (0, 1):
            rows = minutes(series(row) if start > T0 - 10_000 * DAY else series(2 + row), start, 150)
            if start < T0 - 20_000 * DAY:
                rows = [(series(4 + row), t, x) for _, t, x in rows]
            for k in range(0, len(rows), 40):
                feed.frame(rows[k : k + 40])
                model.frame(rows[k : k + 40])
    feed.tick(T0)
    feed.tick(T0 + MINUTE)
    now = max(flow.now for flow in feed.flows)
    assert_windows_equal(final_windows(feed.flows), model.kept, now - PATIENCE.lateness_ms)


def test_an_empty_frame_and_a_tick_without_readings_are_nothing() -> None:
    feed = Feed()
    assert feed.frame([]).flows == []
    assert feed.tick(T0).flows == []
