import numpy as np
import pytest

from domain.quantities import quantity
from domain.sensors import Sensor
from models.interval import IntervalLearner
from models.series_spec import SeriesSpec


def learner(*declared: float | None) -> IntervalLearner:
    made = IntervalLearner()
    made.ensure(
        [
            SeriesSpec(f"s{k}/air.no2", quantity("air.no2"), Sensor(f"s{k}", "a", interval_s=value))
            for k, value in enumerate(declared)
        ]
    )
    return made


def learn(made: IntervalLearner, t: list[int], row: int = 0) -> None:
    made.learn(np.full(len(t), row, np.int32), np.array(t, np.int64))


def test_a_declared_interval_is_taken_at_once():
    assert learner(300.0).seconds().tolist() == [300.0]


def test_it_is_unknown_until_three_readings_have_come():
    made = learner(None)
    for t, known in ((0, False), (60_000, False), (120_000, True)):
        learn(made, [t])
        assert np.isfinite(made.seconds()[0]) == known
    assert made.seconds()[0] == 60.0


def test_the_median_survives_gaps_and_follows_a_change():
    made = learner(None)
    learn(made, [k * 60_000 + (k >= 5) * 10**9 + (k >= 9) * 10**9 for k in range(12)])
    assert made.seconds()[0] == 60.0
    learn(made, [3 * 10**9 + k * 10_000 for k in range(16)])
    assert made.seconds()[0] == 10.0


def test_readings_out_of_order_teach_nothing():
    made = learner(None)
    learn(made, [0, 60_000, 120_000])
    learn(made, [30_000])
    learn(made, [180_000])
    assert made.seconds()[0] == 60.0


@pytest.mark.parametrize("seed", range(5))
def test_frames_and_restores_change_nothing_and_the_median_is_that_of_the_last_fifteen(seed: int):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.integers(1, 100_000, 60)).tolist()
    whole, cut = learner(None, None), learner(None, None)
    learn(whole, t, 1)
    for k in range(0, 60, 7):
        learn(cut, t[k : k + 7], 1)
        again = learner(None, None)
        again.restore(cut.snapshot())
        cut = again
    assert whole.seconds()[1] == cut.seconds()[1] == np.median(np.diff(t)[-15:]) / 1_000
    assert np.isnan(whole.seconds()[0])
