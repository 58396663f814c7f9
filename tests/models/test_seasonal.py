import numpy as np
import pytest

from domain.errors import Misconfigured, Rejected
from domain.quantities import quantity
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from models.seasonal import SeasonalDetector
from models.seasonal_state import SeasonalParameters
from models.series_spec import SeriesSpec

QUARTER = 900_000
PER_DAY = 96


def run(x: np.ndarray, name: str = "traffic.flow", step: int = QUARTER) -> Scores:
    made = SeasonalDetector()
    made.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a"))])
    n = len(x)
    return made.observe(
        Judged(np.zeros(n, np.int32), np.arange(n) * step, x, np.ones(n, np.uint8), np.zeros(n, np.uint32))
    )


def daily(days: float, seed: int = 1) -> np.ndarray:
    k = np.arange(int(days * PER_DAY))
    return 1_000 + 500 * np.sin(2 * np.pi * k / PER_DAY) + np.random.default_rng(seed).normal(0, 20, len(k))


def test_expects_the_daily_pattern_within_an_interval_that_covers_what_it_says():
    x = daily(28)
    scores = run(x)
    late = slice(14 * PER_DAY, None)
    assert np.abs(scores.expected[late] - x[late]).mean() < 1.3 * 20 * 0.8
    inside = (scores.lower[late] <= x[late]) & (x[late] <= scores.upper[late])
    assert 0.975 <= inside.mean() <= 0.999


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_series_raises_next_to_nothing(seed: int):
    scores = run(daily(28, seed))
    assert (scores.score >= 0.5).sum() <= 3


def test_the_first_weekend_is_no_alert():
    x = daily(14)
    days = np.arange(len(x)) // PER_DAY
    x[(days + 3) % 7 >= 5] *= 0.6  # day 0 is a Thursday
    assert (run(x).score[: 4 * PER_DAY] >= 0.5).sum() <= 1


def test_what_is_expected_does_not_jump_at_the_midnight_before_a_weekend():
    """A bin of the profile belongs to the day in which it lies: one kind of day passes into the next within an hour."""
    x = np.roll(daily(12), PER_DAY // 4)[4 * PER_DAY :]  # lowest at midnight
    expected = run(x).expected  # day 0 is a Thursday
    saturday = 2 * PER_DAY
    assert np.abs(np.diff(expected)[saturday - 1 :: PER_DAY]).max() < 2 * 20, "twice the scatter"


@pytest.mark.parametrize(
    ("kind", "channel"), [("spike", "change"), ("noise", "noise"), ("shift", "change"), ("drop-out", "change")]
)
def test_faults_are_found_and_the_channel_says_which(kind: str, channel: str):
    x = daily(21)
    at = len(x) - 2 * PER_DAY + 40
    rng = np.random.default_rng(2)
    match kind:
        case "spike":
            x[at] += 200
        case "noise":
            x[at : at + 24] += rng.normal(0, 70, 24)
        case "shift":
            x[at : at + PER_DAY] += 300
        case "drop-out":
            x[at : at + 24] = 0
    scores = run(x)
    hits = np.flatnonzero(scores.score[at : at + 24] >= 0.5)
    assert len(hits)
    strongest = at + int(np.nanargmax(scores.channels[channel][at : at + 24]))
    assert scores.one_in[strongest] > 1_000
    assert scores.score[strongest] >= 0.5


def test_a_drift_that_no_single_step_shows_is_found_by_the_level():
    x = daily(21)
    x[-PER_DAY:] += np.linspace(0, 200, PER_DAY)
    scores = run(x)
    late = slice(-PER_DAY, None)
    first = len(x) - PER_DAY + int(np.argmax(scores.score[late] >= 0.5))
    assert scores.score[first] >= 0.5
    assert scores.channels["level"][first] > scores.channels["change"][first]


def test_a_counter_is_judged_by_its_rate():
    k = np.arange(21 * PER_DAY)
    power = 40 + 20 * np.sin(2 * np.pi * k / PER_DAY) + np.random.default_rng(3).normal(0, 1, len(k))
    power[-20:] += 60
    count = 10_000 + np.cumsum(power) * 0.25
    scores = run(count, "energy.energy_import")
    assert (scores.score[:-20] >= 0.5).sum() <= 2
    assert scores.score[-20] >= 0.5
    assert abs(scores.expected[-30] - count[-30]) < 2
    assert scores.lower[-30] <= count[-30] <= scores.upper[-30]


def test_bounds_of_the_quantity_hold_for_the_interval():
    rng = np.random.default_rng(4)
    scores = run(rng.poisson(1, 20 * PER_DAY) * 60.0)
    assert np.nanmin(scores.lower) >= 0


@pytest.mark.parametrize(("step_s", "warm_s"), [(60, 86_400), (3_600, 3 * 86_400), (86_400, 14 * 86_400)])
def test_warm_up_is_a_duration_and_bounded_for_slow_series(step_s: int, warm_s: int):
    n = 2 * warm_s // step_s
    scores = run(np.random.default_rng(5).normal(100, 5, n), step=step_s * 1_000)
    assert int(np.argmax(np.isfinite(scores.score))) * step_s == warm_s


def test_parameters_that_cannot_work_are_refused():
    with pytest.raises(Misconfigured, match=r"coverage 0\.5"):
        SeasonalParameters(coverage=0.5)
    with pytest.raises(Misconfigured, match="level_s"):
        SeasonalParameters(level_s=0)


def test_a_foreign_state_is_refused():
    state = SeasonalDetector().snapshot()
    state["line"] = np.zeros((3, 2))
    with pytest.raises(Rejected, match="not a state"):
        SeasonalDetector().restore(state)
