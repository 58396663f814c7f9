import numpy as np
import pytest

from domain.errors import Misconfigured
from domain.scores import Judged, Scores
from models.episodes import BELOW, Episodes

MINUTE = 60_000
INTERVAL = np.array([60.0, 60.0])


def gate(episodes: Episodes, raw: list[float], start: int = 0, row: int = 0, interval: np.ndarray = INTERVAL):
    n = len(raw)
    t = start + np.arange(n) * MINUTE
    judged = Judged(np.full(n, row, np.int32), t, np.zeros(n), np.ones(n, np.uint8), np.zeros(n, np.uint32))
    nothing = np.full(n, np.nan)
    return episodes.gate(judged, Scores(np.array(raw), nothing, nothing, nothing, nothing, {}), interval)


def test_only_the_onset_reaches_the_threshold():
    gated = gate(Episodes(rest_s=300), [0.1, 0.8, 0.9, 0.2, 0.7, 0.1])
    assert gated.score.tolist() == [0.1, 0.8, BELOW, 0.2, BELOW, 0.1]
    assert gated.opened.tolist() == [1]
    assert gated.continuing.tolist() == [False, False, True, True, True, True]
    assert gated.closed == []


def test_a_score_of_exactly_one_half_opens():
    assert gate(Episodes(), [0.5]).opened.tolist() == [0]


def test_it_ends_after_the_rest_and_may_begin_anew():
    gated = gate(Episodes(rest_s=300), [0.8] + [0.1] * 6 + [0.9])
    assert gated.closed == [(0, 0, 5 * MINUTE)]
    assert gated.opened.tolist() == [0, 7]
    assert gated.score[7] == 0.9


def test_the_rest_is_at_least_so_many_intervals():
    slow = np.array([600.0])
    assert gate(Episodes(rest_s=300), [0.8] + [0.1] * 40, interval=slow).closed == []
    assert gate(Episodes(rest_s=300), [0.8] + [0.1] * 60, interval=slow).closed == [(0, 0, 3_000_000)]


def test_nan_scores_stay_nan_and_open_nothing():
    gated = gate(Episodes(), [np.nan, np.nan])
    assert np.isnan(gated.score).all()
    assert len(gated.opened) == 0


def test_time_closes_what_readings_do_not():
    episodes = Episodes(rest_s=300)
    gate(episodes, [0.8, 0.1])
    assert episodes.on_time(5 * MINUTE, INTERVAL) == []
    assert episodes.on_time(5 * MINUTE + 1, INTERVAL) == [(0, 0, 5 * MINUTE)]
    assert episodes.on_time(50 * MINUTE, INTERVAL) == []


def test_a_series_that_falls_silent_while_high_is_closed_in_the_end():
    episodes = Episodes(rest_s=300, silent_intervals=20)
    gate(episodes, [0.8, 0.9])
    assert episodes.on_time(6 * MINUTE + 1, INTERVAL) == []
    assert episodes.on_time(22 * MINUTE, INTERVAL) == [(0, 0, 21 * MINUTE)]


def test_after_a_gap_longer_than_the_rest_a_high_score_is_a_new_episode():
    episodes = Episodes(rest_s=300)
    gate(episodes, [0.8])
    gated = gate(episodes, [0.9], start=60 * MINUTE)
    assert gated.closed == [(0, 0, 5 * MINUTE)]
    assert gated.opened.tolist() == [0]


def test_rows_do_not_disturb_each_other_and_open_ones_are_listed():
    episodes = Episodes()
    gate(episodes, [0.8], row=1)
    assert gate(episodes, [0.8], row=0).opened.tolist() == [0]
    assert episodes.open() == [(0, 0), (1, 0)]


@pytest.mark.parametrize("cut", range(1, 12))
def test_restored_state_and_other_frames_give_the_same(cut: int):
    raw = np.random.default_rng(3).random(60).tolist()
    whole = gate(Episodes(rest_s=180), raw)
    before = Episodes(rest_s=180)
    first = gate(before, raw[:cut])
    after = Episodes(rest_s=180)
    after.restore(before.snapshot())
    second = gate(after, raw[cut:], start=cut * MINUTE)
    np.testing.assert_array_equal(whole.score, np.concatenate([first.score, second.score]))
    assert whole.closed == first.closed + second.closed
    assert whole.opened.tolist() == [*first.opened.tolist(), *(second.opened + cut).tolist()]


def test_parameters_that_cannot_work_are_refused():
    with pytest.raises(Misconfigured, match="rest_s"):
        Episodes(rest_s=0)
    with pytest.raises(Misconfigured, match="silent_intervals"):
        Episodes(rest_intervals=5, silent_intervals=2)
