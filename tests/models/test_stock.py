import numpy as np
import pytest

from domain.errors import Rejected
from domain.quantities import quantity
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from models.series_spec import SeriesSpec
from models.stock import PerSeries
from models.stock_river import SCORERS, GaussianTail


def run(made: PerSeries, x: np.ndarray, start: int = 0) -> Scores:
    n = len(x)
    t = (start + np.arange(n)) * 900_000
    return made.observe(Judged(np.zeros(n, np.int32), t, x, np.ones(n, np.uint8), np.zeros(n, np.uint32)))


def fresh(name: str, memory: int = 1_000) -> PerSeries:
    made = PerSeries(name, memory=memory)
    made.ensure([SeriesSpec("s/traffic.flow", quantity("traffic.flow"), Sensor("s", "a"))])
    return made


def test_the_gaussian_tail_goes_on_where_rivers_score_saturates():
    scorer = GaussianTail()
    for x in np.random.default_rng(1).normal(0, 1, 500):
        scorer.learn(float(x))
    raws = [scorer.raw(z) for z in (3.0, 10.0, 30.0, 60.0, 1e6)]
    assert raws == sorted(raws)
    assert len(set(raws)) == len(raws)


@pytest.mark.parametrize("name", list(SCORERS))
def test_scale_does_not_matter(name: str):
    x = np.random.default_rng(2).normal(100, 10, 900)
    x[800] = 300
    small, large = run(fresh(name), x / 100), run(fresh(name), x * 100)
    np.testing.assert_allclose(small.score, large.score, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", ["sad", "half_space_trees"])
@pytest.mark.parametrize("cut", [90, 199, 200, 201, 350])
def test_restore_is_exact_on_either_side_of_a_refresh(name: str, cut: int):
    x = np.random.default_rng(3).normal(100, 10, 600)
    made, again = fresh(name, memory=100), fresh(name, memory=100)
    run(made, x[:cut])
    again.restore(made.snapshot())
    np.testing.assert_array_equal(run(made, x[cut:], cut).score, run(again, x[cut:], cut).score)


def test_state_of_another_version_of_river_is_refused():
    state = fresh("sad").snapshot()
    with pytest.raises(Rejected, match=r"River 0\.1"):
        fresh("sad").restore({**state, "river": "0.1"})
    with pytest.raises(Rejected, match="gaussian"):
        fresh("gaussian").restore(state)


def test_history_is_bounded():
    made = fresh("sad", memory=50)
    run(made, np.arange(1_000.0))
    assert 50 <= len(made.snapshot()["history"][0]) < 100
