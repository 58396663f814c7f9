"""What every detector of the registry must do, whatever it is made of."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.errors import Misconfigured
from domain.flags import Flag
from domain.quantities import quantity
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from models.contract import Detector
from models.registry import DEFAULT, DETECTORS, detector
from models.series_spec import SeriesSpec

DAY_MS = 86_400_000
STEP_MS = 900_000
PER_DAY = DAY_MS // STEP_MS


def specs(n: int, name: str = "traffic.flow") -> list[SeriesSpec]:
    return [SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a")) for k in range(n)]


def judged(row: Any, t: Any, x: Any, flag: Any = None) -> Judged:
    n = len(t)
    flags = np.full(n, Flag.GOOD, np.uint8) if flag is None else np.asarray(flag, np.uint8)
    return Judged(
        np.asarray(row, np.int32), np.asarray(t, np.int64), np.asarray(x, np.float64), flags, np.zeros(n, np.uint32)
    )


def week(seed: int, days: float = 7, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Time and value of a series with a daily pattern and noise of standard deviation 10."""
    n = int(days * PER_DAY)
    t = start + np.arange(n) * STEP_MS
    x = 500 + 100 * np.sin(2 * np.pi * t / DAY_MS) + np.random.default_rng(seed).normal(0, 10, n)
    return t, x


def one(made: Detector, t: Any, x: Any, row: int = 0) -> Scores:
    return made.observe(judged(np.full(len(t), row), t, x))


def columns(scores: Scores) -> dict[str, np.ndarray]:
    whole = {name: getattr(scores, name) for name in ("score", "expected", "lower", "upper", "one_in")}
    return {**whole, **{f"channel {name}": column for name, column in scores.channels.items()}}


def assert_same(a: Scores, b: Scores) -> None:
    left, right = columns(a), columns(b)
    assert left.keys() == right.keys()
    for name, column in left.items():
        np.testing.assert_array_equal(column, right[name], err_msg=name)


def through_bytes(value: Any) -> Any:
    """As state travels: only plain values, arrays of numbers and bytes pass, and everything that passes is a copy."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        return {key: through_bytes(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [through_bytes(inner) for inner in value]
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "biuf"
        return np.frombuffer(value.tobytes(), value.dtype).reshape(value.shape)
    assert value is None or type(value) in (bool, int, float, str, bytes), type(value)
    return value


@pytest.fixture(params=list(DETECTORS))
def make(request: pytest.FixtureRequest) -> Callable[[], Detector]:
    return DETECTORS[request.param]


@pytest.fixture(params=[name for name in DETECTORS if name != "null"])  # which finds nothing, by definition
def finder(request: pytest.FixtureRequest) -> Callable[[], Detector]:
    return DETECTORS[request.param]


def test_the_registry_names_what_it_knows() -> None:
    assert detector(DEFAULT).kind == DEFAULT
    with pytest.raises(Misconfigured, match="half_space_trees"):
        detector("nonesuch")


def test_score_is_empty_while_warming_up_and_then_within_0_and_1(finder: Callable[[], Detector]) -> None:
    made = finder()
    made.ensure(specs(1))
    scores = one(made, *week(1))
    warming = np.isnan(scores.score)
    assert warming[0]
    assert not warming[-PER_DAY:].any()
    assert not warming[np.argmin(warming) :].any()  # once warm, for ever warm
    known = scores.score[~warming]
    assert ((known >= 0) & (known <= 1)).all()
    for evidence in scores.channels.values():
        assert (evidence >= 0).all()


def test_equal_input_gives_equal_output(make: Callable[[], Detector]) -> None:
    first, second = make(), make()
    for made in (first, second):
        made.ensure(specs(1))
    assert_same(one(first, *week(2)), one(second, *week(2)))


def test_cutting_into_frames_changes_nothing(make: Callable[[], Detector]) -> None:
    whole, cut = make(), make()
    for made in (whole, cut):
        made.ensure(specs(1))
    t, x = week(3, days=3)
    together = one(whole, t, x)
    parts = [one(cut, t[k : k + 7], x[k : k + 7]) for k in range(0, len(t), 7)]
    np.testing.assert_array_equal(together.score, np.concatenate([part.score for part in parts]))


def test_restored_state_goes_on_bit_for_bit(make: Callable[[], Detector]) -> None:
    made, again = make(), make()
    made.ensure(specs(2))
    t, x = week(4, days=4)
    for row in (0, 1):
        one(made, t, x + row, row)
    payload = through_bytes(made.snapshot())
    again.restore(payload)
    again.ensure(specs(3))
    made.ensure(specs(3))
    later, y = week(5, days=2, start=4 * DAY_MS)
    for row in (0, 1, 2):
        assert_same(one(made, later, y, row), one(again, later, y, row))


def test_a_snapshot_is_not_changed_by_what_follows(make: Callable[[], Detector]) -> None:
    made, again = make(), make()
    made.ensure(specs(1))
    t, x = week(6, days=3)
    one(made, t[:200], x[:200])
    payload = made.snapshot()
    after = one(made, t[200:], x[200:])
    again.ensure(specs(1))
    again.restore(payload)
    assert_same(after, one(again, t[200:], x[200:]))


def test_rows_are_independent_of_each_other_and_of_their_order(make: Callable[[], Detector]) -> None:
    alone, together = make(), make()
    alone.ensure(specs(1))
    together.ensure(specs(1))
    t, x = week(7, days=3)
    _, other = week(8, days=3)
    expected = one(alone, t, x)
    half = len(t) // 2
    parts = [one(together, t[:half], x[:half])]
    together.ensure(specs(3))  # rows met later
    for k in range(half, len(t)):
        scores = together.observe(judged([0, 2], [t[k], t[k]], [x[k], other[k]]))
        parts.append(scores.take(np.array([True, False])))
    np.testing.assert_allclose(expected.score, np.concatenate([part.score for part in parts]), rtol=1e-9)


def test_gaps_irregular_sampling_constants_and_missing_values_are_survived(make: Callable[[], Detector]) -> None:
    made = make()
    made.ensure(specs(4))
    rng = np.random.default_rng(9)
    t, x = week(9)
    keep = rng.random(len(t)) > 0.3
    keep[200:400] = False
    jitter = np.sort(t[keep] + rng.integers(0, STEP_MS // 2, keep.sum()))
    gappy = one(made, jitter, x[keep])
    missing = x.copy()
    missing[::10] = np.nan
    holes = one(made, t, missing, 2)
    for scores in (gappy, one(made, t, np.full(len(t), 5.0), 1), holes, one(made, t, np.zeros(len(t)), 3)):
        known = scores.score[np.isfinite(scores.score)]
        assert ((known >= 0) & (known <= 1)).all()
        assert (known < 0.5).mean() > 0.98
    if made.kind != "null":
        assert np.isnan(holes.score[::10]).all()


@pytest.mark.parametrize("huge", [1e300, -1e300, 1e12])
def test_huge_values_do_no_lasting_harm(finder: Callable[[], Detector], huge: float) -> None:
    made = finder()
    made.ensure(specs(1, "generic.x"))
    t, x = week(10, days=10)
    x[700] = huge
    with np.errstate(all="raise", under="ignore"):
        scores = one(made, t, x)
    assert np.isfinite(scores.score[-PER_DAY:]).all()
    assert (scores.score[-PER_DAY:] < 0.5).mean() > 0.9


def test_a_failed_reading_is_scored_but_not_learned(finder: Callable[[], Detector]) -> None:
    with_fault, without = finder(), finder()
    for made in (with_fault, without):
        made.ensure(specs(1))
        one(made, *week(11, days=5))
    t = 5 * DAY_MS
    failed = with_fault.observe(judged([0], [t], [5_000.0], [Flag.FAIL]))
    assert np.isfinite(failed.score).all()
    later, y = week(12, days=1, start=t + STEP_MS)
    assert_same(one(with_fault, later, y), one(without, later, y))


def test_a_level_shift_of_ten_sigma_is_found_after_a_clean_week(finder: Callable[[], Detector]) -> None:
    made = finder()
    made.ensure(specs(1))
    rng = np.random.default_rng(13)
    n, after = int(7.5 * PER_DAY), PER_DAY // 2
    t = np.arange(n + after) * STEP_MS
    x = 500 + rng.normal(0, 10, n + after)
    x[n:] += 100
    scores = one(made, t, x)
    assert (scores.score[n:] >= 0.5).any()
    assert (scores.score[:n] >= 0.5).sum() <= 3


def test_memory_is_bounded(make: Callable[[], Detector]) -> None:
    made = make()
    made.ensure(specs(1))
    sizes = []
    tracemalloc.start()
    try:
        for part in range(3):
            t, x = week(part, days=22, start=part * 22 * DAY_MS)  # more than twice the memory of the stock detectors
            one(made, t, x)
            del t, x
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[1] < 200_000


def test_parameters_in_force_are_plain_values(make: Callable[[], Detector]) -> None:
    for name, value in make().parameters.items():
        assert isinstance(name, str)
        assert isinstance(value, int | float | str | bool)


def test_importing_the_registry_does_not_import_river() -> None:
    import subprocess

    code = "import sys, models.registry; sys.exit('river' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
