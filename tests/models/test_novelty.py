import numpy as np
import pytest

from domain.errors import Misconfigured, Rejected
from domain.quantities import quantity
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from models.novelty import NoveltyDetector
from models.novelty_state import NoveltyParameters
from models.series_spec import SeriesSpec

STEP = 1_800_000
PER_DAY = 48


def run(x: np.ndarray, step: int = STEP) -> Scores:
    made = NoveltyDetector()
    made.ensure([SeriesSpec("s/traffic.flow", quantity("traffic.flow"), Sensor("s", "a"))])
    n = len(x)
    return made.observe(
        Judged(np.zeros(n, np.int32), np.arange(n) * step, x, np.ones(n, np.uint8), np.zeros(n, np.uint32))
    )


def daily(days: int, seed: int = 1) -> np.ndarray:
    k = np.arange(days * PER_DAY)
    return 1_000 + 500 * np.sin(2 * np.pi * k / PER_DAY) + np.random.default_rng(seed).normal(0, 20, len(k))


def test_a_value_usual_at_noon_is_found_at_midnight_and_the_channels_say_so() -> None:
    x = daily(14)
    at = 13 * PER_DAY + 36  # the trough of the day
    x[at : at + 4] = 1_450
    scores = run(x)
    assert (scores.score[at : at + 4] >= 0.5).any()
    assert scores.channels["time"][at : at + 4].max() > 3
    assert scores.channels["range"][at : at + 4].max() < 1
    assert scores.lower[at] < scores.expected[at] < scores.upper[at] < 1_450
    assert scores.one_in[at] > 100


def test_a_clean_series_raises_next_to_nothing() -> None:
    assert (run(daily(28)).score >= 0.5).sum() <= 2


@pytest.mark.parametrize("step_s", [300, 1_800, 3_600])
def test_warm_up_is_a_duration_until_readings_are_too_few(step_s: int) -> None:
    scores = run(np.random.default_rng(5).normal(100, 5, 3 * 86_400 // step_s), step_s * 1_000)
    first = int(np.argmax(np.isfinite(scores.score))) * step_s
    assert 86_400 <= first <= max(86_400, 56 * step_s)


def test_parameters_that_cannot_work_are_refused() -> None:
    with pytest.raises(Misconfigured, match="memory_s"):
        NoveltyDetector(NoveltyParameters(memory_s=0))
    with pytest.raises(Misconfigured, match="days"):
        NoveltyParameters(days=8)


def test_a_foreign_state_is_refused() -> None:
    state = NoveltyDetector().snapshot()
    state["line"] = np.zeros((3, 2))
    with pytest.raises(Rejected, match="not a state"):
        NoveltyDetector().restore(state)
