import numpy as np
import pytest

from domain.errors import Misconfigured, Rejected
from domain.flags import Flag
from domain.quantities import quantity
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from models.episodes import Episodes
from models.novelty import NoveltyDetector
from models.novelty_state import NoveltyParameters
from models.rounds import NARROW
from models.seasonal import SeasonalDetector
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


def strange(seed: int, step: int, kind: str) -> Judged:
    """A series with what real ones have: a daily pattern, gaps, jitter, missing, failed, equal and huge values."""
    rng = np.random.default_rng(seed)
    n = min(12 * 86_400_000 // step, 500)
    t = np.arange(n) * step + rng.integers(0, step // 4 if seed % 2 else 1, n)
    x = np.round(500 + 100 * np.sin(2 * np.pi * t / 86_400_000) + rng.normal(0, 10, n), seed % 3)
    x[rng.random(n) < 0.01] += 200
    x[n // 3 : n // 3 + 10] = x[n // 3]
    flag = np.ones(n, np.uint8)
    if kind == "rough":
        x[rng.random(n) < 0.02] = np.nan
        x[-n // 4] = 1e300 if seed % 2 else -1e60
        flag[rng.random(n) < 0.02] = Flag.FAIL
    keep = rng.random(n) < (0.9 if seed % 3 else 1.0)
    keep[n // 2 : n // 2 + 40] = False
    n = int(keep.sum())
    return Judged(np.full(n, seed, np.int32), t[keep], x[keep], flag[keep], np.zeros(n, np.uint32))


@pytest.mark.parametrize("kind", ["smooth", "rough"])
def test_one_row_in_plain_numbers_and_many_in_columns_come_to_the_same_to_the_last_bit(kind: str) -> None:
    names = ["traffic.flow"] * (NARROW - 1) + ["generic.x", "energy.energy_import"]
    specs = [SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a")) for k, name in enumerate(names)]
    steps = [300_000, 1_800_000, 3_600_000, 120_000]
    series = [strange(k, steps[k % 4], kind) for k in range(len(specs))]
    together, alone = NoveltyDetector(), NoveltyDetector()
    for made in (together, alone):
        made.ensure(specs)
    columns = [np.concatenate([getattr(one, name) for one in series]) for name in ("row", "t", "x", "flag", "tests")]
    whole = together.observe(Judged(*columns))
    cut = 7  # readings a frame
    parts = [
        alone.observe(one.take(np.arange(begin, min(begin + cut, len(one)))))
        for one in series
        for begin in range(0, len(one), cut)
    ]
    for name in ("score", "expected", "lower", "upper", "one_in"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(p, name) for p in parts]), name)
    left, right = together.snapshot(), alone.snapshot()
    np.testing.assert_array_equal(left["line"], right["line"])
    np.testing.assert_array_equal(left["seat"] < 0, right["seat"] < 0)
    slow = np.flatnonzero(left["seat"] >= 0)
    assert len(slow) == 10  # a series of two minutes needs no ring
    np.testing.assert_array_equal(left["ring"][:, left["seat"][slow]], right["ring"][:, right["seat"][slow]])
    for name in ("line", "profile", "weight", "spread"):
        np.testing.assert_array_equal(left["seasonal"][name], right["seasonal"][name], name)


def weather(rows: int, days: float, step: int, seed: int) -> Judged:
    """Series that wander like the air of a town: new values come every day, and are nothing strange."""
    rng = np.random.default_rng(seed)
    n, keep = int(days * 86_400_000 / step), np.exp(-step / (8 * 3_600_000))
    x = np.empty((rows, n))
    x[:, 0] = rng.normal(0, 1, rows)
    for k in range(1, n):
        x[:, k] = keep * x[:, k - 1] + np.sqrt(1 - keep * keep) * rng.normal(0, 1, rows)
    values = 30 + 8 * x + rng.normal(0, 0.4, (rows, n))
    row, t = np.repeat(np.arange(rows, dtype=np.int32), n), np.tile(np.arange(n) * step, rows)
    return Judged(row, t, values.ravel(), np.ones(rows * n, np.uint8), np.zeros(rows * n, np.uint32))


def of(made: NoveltyDetector | SeasonalDetector, readings: Judged) -> Scores:
    rows = int(readings.row[-1]) + 1
    made.ensure([SeriesSpec(f"s{k}/air.no2", quantity("air.no2"), Sensor(f"s{k}", "a")) for k in range(rows)])
    return made.observe(readings)


def onsets(made: NoveltyDetector, readings: Judged) -> int:
    gated = Episodes().gate(readings, of(made, readings), np.full(int(readings.row[-1]) + 1, 300.0))
    return len(gated.opened)


def test_weather_raises_little_and_less_where_a_series_is_hardly_known_unless_it_is_large() -> None:
    readings = weather(rows=12, days=7, step=300_000, seed=3)
    assert onsets(NoveltyDetector(), readings) <= 2 * 12  # the floor: two per sensor-week
    young = readings.take(readings.t < 2.5 * 86_400_000)
    assert onsets(NoveltyDetector(), young) < onsets(NoveltyDetector(NoveltyParameters(young_power=0.0)), young)
    last = np.flatnonzero(np.append(young.row[1:] != young.row[:-1], True))
    young.x[last[:, None] - np.arange(3)] += 80
    assert len(set(young.row[of(NoveltyDetector(), young).score >= 0.5])) == 12


def test_a_fast_series_is_judged_by_its_expectation_alone_and_holds_no_past() -> None:
    readings = weather(rows=2, days=1.5, step=60_000, seed=4)
    readings.x[-1] += 100
    made = NoveltyDetector()
    novelty, seasonal = of(made, readings), of(SeasonalDetector(), readings)
    np.testing.assert_array_equal(novelty.score[2:], seasonal.score[2:])
    assert novelty.score[-1] >= 0.5
    assert made.snapshot()["ring"].shape[1] == 0
