import numpy as np
import pytest

from domain.flags import Flag
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from domain.times import DAY_MS, HOUR_MS
from models.forecast import ForecastRows, SharedRidge
from models.series_spec import SeriesSpec

HOURLY = 3_600.0


def specs(count: int, name: str = "air.no2") -> list[SeriesSpec]:
    return [SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a")) for k in range(count)]


def seasonal_ar(rows: int, days: int, seed: int, a_day: int = 24) -> np.ndarray:
    """``float64[rows, cells]``: a daily curve and an AR(1) departure from it that all rows share in part."""
    rng = np.random.default_rng(seed)
    count = days * a_day
    curve = 10 * np.sin(2 * np.pi * np.arange(count) / a_day)
    shocks = rng.normal(0, 1, (rows, count)) + rng.normal(0, 1, count)
    departure = np.zeros((rows, count))
    for k in range(1, count):
        departure[:, k] = 0.9 * departure[:, k - 1] + shocks[:, k]
    return 100 + 20 * np.arange(rows)[:, None] + curve + departure


def judged(table: np.ndarray, first: int, step_ms: int, flag: int = Flag.GOOD) -> Judged:
    rows, count = table.shape
    row = np.repeat(np.arange(rows), count).astype(np.int32)
    t = np.tile((first + np.arange(count)) * step_ms, rows).astype(np.int64)
    every = Judged(row, t, table.ravel(), np.full(len(row), flag, np.uint8), np.zeros(len(row), np.uint32))
    return every.take(np.isfinite(every.x))


def feed(
    model: SharedRidge, table: np.ndarray, first: int = 0, interval_s: float = HOURLY, chunk: int = 1
) -> list[ForecastRows]:
    step_ms = int(interval_s * 1_000)
    said = []
    for start in range(0, table.shape[1], chunk):
        part = table[:, start : start + chunk]
        model.observe(judged(part, first + start, step_ms), np.full(len(table), interval_s))
        said.extend(model.issue((first + start + part.shape[1] - 1) * step_ms))
    return said


def ready(rows: int, name: str = "air.no2") -> SharedRidge:
    model = SharedRidge()
    model.ensure(specs(rows, name))
    return model


def errors(said: list[ForecastRows], table: np.ndarray, ahead: int, step_ms: int = HOUR_MS) -> dict[str, float]:
    """Mean absolute errors of what was shown for one horizon (cells), and the share inside the interval."""
    sums = []
    for rows in said:
        chosen = rows.target - rows.issued == ahead * step_ms
        at = rows.target[chosen] // step_ms
        row = rows.row[chosen][at < table.shape[1]]
        value, low, high = (column[chosen][at < table.shape[1]] for column in (rows.value, rows.lower, rows.upper))
        at = at[at < table.shape[1]]
        truth = table[row, at]
        naive, still = table[row, at - 7 * DAY_MS // step_ms], table[row, at - ahead]
        inside = (low <= truth) & (truth <= high)
        sums.append(np.column_stack([abs(truth - value), abs(truth - naive), abs(truth - still), inside]))
    entries = np.concatenate(sums)
    return dict(zip(("said", "naive", "still", "inside"), entries.mean(axis=0).tolist(), strict=True)) | {
        "count": float(len(entries))
    }


def test_recovers_a_seasonal_process_and_beats_the_naive_ones():
    table = seasonal_ar(6, 90, seed=1)
    said = feed(ready(6), table)
    one = errors(said, table, ahead=1)
    # The innovation has two unit variances: no forecast can have a smaller mean absolute error than this.
    best = np.sqrt(2) * np.sqrt(2 / np.pi)
    assert one["said"] < 1.12 * best
    for ahead in (1, 3, 6, 12, 24):
        result = errors(said, table, ahead)
        assert result["said"] < result["naive"]
        assert result["said"] < result["still"]
        assert 0.85 <= result["inside"] <= 0.95
        assert result["count"] > 500


def test_five_minute_means_of_faster_readings():
    table = seasonal_ar(4, 12, seed=2, a_day=1440)
    said = feed(ready(4, "traffic.flow"), table, interval_s=60.0, chunk=5)
    assert said
    assert {int(ahead) for rows in said for ahead in (rows.target - rows.issued)} == {900_000, 1_800_000, 3_600_000}
    # Issued at the last reading of the five-minute cell.
    assert all(rows.issued % 300_000 == 240_000 for rows in said)


def test_is_silent_while_warming_up_and_where_there_is_no_skill():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 1, (1, 24 * 2)), axis=1) + 100
    assert feed(ready(1), walk) == []
    exact = np.tile(50 + 10 * np.sin(2 * np.pi * np.arange(24) / 24), 60)[None]
    assert feed(ready(1), exact) == []  # last week's value is always right: nothing to add


def test_constant_series_missing_values_and_irregular_times():
    table = seasonal_ar(4, 60, seed=4)
    table[1] = 70.0
    rng = np.random.default_rng(5)
    table[2, rng.random(table.shape[1]) < 0.3] = np.nan
    table[3, 500:900] = np.nan
    said = feed(ready(4), table)
    shown = np.concatenate([rows.row for rows in said])
    assert 1 not in shown
    assert {0, 2, 3} <= set(shown.tolist())
    for rows in said:
        for column in (rows.value, rows.lower, rows.upper):
            assert np.isfinite(column).all()
        assert (rows.lower <= rows.value).all()
        assert (rows.value <= rows.upper).all()


def test_a_row_without_a_reading_is_not_forecast_from():
    table = seasonal_ar(2, 60, seed=6)
    table[1, 1300:1310] = np.nan
    said = {rows.issued // HOUR_MS: set(rows.row.tolist()) for rows in feed(ready(2), table)}
    assert said[1299] == {0, 1}
    assert said[1305] == {0}
    assert said[1312] == {0, 1}


def test_failed_readings_are_not_used():
    model = ready(1)
    table = seasonal_ar(1, 40, seed=7)
    feed(model, table)
    model.observe(judged(np.array([[9e9]]), 960, HOUR_MS, Flag.FAIL), np.array([HOURLY]))
    assert model.issue(961 * HOUR_MS) == []


def test_counters_slow_series_and_unknown_intervals_are_left_out():
    model = SharedRidge()
    model.ensure([*specs(1, "energy.energy_import"), *specs(2)[1:]])
    table = seasonal_ar(2, 60, seed=8)
    for k in range(table.shape[1]):
        model.observe(judged(table[:, k : k + 1], k, HOUR_MS), np.array([HOURLY, np.nan]))
        assert model.issue(k * HOUR_MS) == []


def same(a: list[ForecastRows], b: list[ForecastRows]) -> bool:
    if len(a) != len(b):
        return False
    names = ("row", "target", "value", "lower", "upper", "skill")
    return all(
        x.issued == y.issued and all(np.array_equal(getattr(x, n), getattr(y, n), equal_nan=True) for n in names)
        for x, y in zip(a, b, strict=True)
    )


def test_goes_on_exactly_after_restore():
    table = seasonal_ar(3, 60, seed=9)
    one = ready(3)
    feed(one, table[:, :1200])
    two = SharedRidge()
    two.restore(one.snapshot())
    more = [feed(model, table[:, 1200:], first=1200) for model in (one, two)]
    assert more[0]
    assert same(*more)


def test_snapshot_is_not_changed_by_what_comes_later():
    table = seasonal_ar(3, 60, seed=9)
    one = ready(3)
    feed(one, table[:, :1200])
    payload = one.snapshot()
    first = feed(one, table[:, 1200:], first=1200)
    two = SharedRidge()
    two.restore(payload)
    assert same(first, feed(two, table[:, 1200:], first=1200))


@pytest.mark.parametrize("chunk", [7, 48])
def test_cutting_the_frames_differently_says_the_same(chunk: int):
    table = seasonal_ar(3, 48, seed=10)
    assert same(feed(ready(3), table), feed(ready(3), table, chunk=chunk))


def test_the_future_does_not_change_what_was_said():
    table = seasonal_ar(3, 60, seed=11)
    changed = table.copy()
    changed[:, 1200:] = 500.0
    until = 1199 * HOUR_MS
    first, second = (
        [rows for rows in feed(ready(3), one, chunk=24) if rows.issued <= until] for one in (table, changed)
    )
    assert first
    assert same(first, second)


def test_series_may_join_later_and_start_again_years_later():
    table = seasonal_ar(3, 60, seed=12)
    model = ready(2)
    feed(model, table[:2, :600])
    model.ensure(specs(3))
    said = feed(model, table[:, 600:], first=600)
    assert {0, 1, 2} == set(said[-1].row.tolist())
    years = 24 * 3_000
    again = feed(model, table, first=years)
    assert again
    assert all(np.isfinite(rows.value).all() for rows in again)
    assert set(again[-1].row.tolist()) == {0, 1, 2}


def test_messages_group_by_series():
    table = seasonal_ar(2, 60, seed=13)
    rows = feed(ready(2), table)[-1]
    messages = rows.messages("north", ["a/air.no2", "b/air.no2"])
    assert [message.series for message in messages] == ["a/air.no2", "b/air.no2"]
    assert sum(len(message.value) for message in messages) == len(rows.row)
    assert all(message.target == sorted(message.target) for message in messages)
    assert all(message.issued == rows.issued for message in messages)
