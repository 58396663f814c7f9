import numpy as np
import pytest

from domain.flags import Flag
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from domain.times import DAY_MS, MINUTE_MS
from models.asset_days import asset_days, measurement_names
from models.health_signals import DaySignals, HealthSignals
from models.series_spec import SeriesSpec

STEP_MS = 10 * MINUTE_MS
A_DAY = DAY_MS // STEP_MS


def specs(count: int) -> list[SeriesSpec]:
    return [SeriesSpec(f"s{k}/air.no2", quantity("air.no2"), Sensor(f"s{k}", "a")) for k in range(count)]


def town(rows: int, days: int, seed: int) -> np.ndarray:
    """``float64[rows, readings]``: one daily curve that all share, and noise of each."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * A_DAY)
    return 40 + 10 * np.sin(2 * np.pi * t / A_DAY) + rng.normal(0, 1, (rows, len(t)))


def judged(
    table: np.ndarray, first: int = 0, keep: np.ndarray | None = None, flags: np.ndarray | None = None
) -> Judged:
    rows, count = table.shape
    row = np.repeat(np.arange(rows), count).astype(np.int32)
    t = np.tile((first + np.arange(count)) * STEP_MS, rows).astype(np.int64)
    flag = np.full(row.shape, Flag.GOOD, np.uint8) if flags is None else flags.ravel()
    every = Judged(row, t, table.ravel(), flag, np.zeros(len(row), np.uint32))
    return every if keep is None else every.take(keep.ravel())


def run(model: HealthSignals, table: np.ndarray, **kwargs: np.ndarray) -> list[DaySignals]:
    told = []
    for day in range(table.shape[1] // A_DAY):
        part = slice(day * A_DAY, (day + 1) * A_DAY)
        mine = {name: column[:, part] for name, column in kwargs.items()}
        model.observe(judged(table[:, part], day * A_DAY, **mine), np.full(len(table), 600.0))
        told.extend(model.close_day((day + 1) * DAY_MS))
    return told


def ready(rows: int) -> HealthSignals:
    model = HealthSignals()
    model.ensure(specs(rows))
    return model


def of(told: list[DaySignals], row: int, day: int) -> dict[str, float]:
    return next(part.signals for part in told if (part.row, part.day) == (row, day * DAY_MS))


def test_a_healthy_series_has_quiet_signals():
    signals = of(run(ready(4), town(4, 12, seed=1)), 2, 11)
    assert signals["gap_rate"] == 0
    assert abs(signals["noise"]) < 0.3
    assert signals["suspect_share"] == 0
    assert signals["flat_share"] < 0.05
    assert abs(signals["drift"]) < 0.02
    assert signals["mean"] == pytest.approx(40, abs=0.5)


def test_noise_growth_gaps_flags_and_stillness_are_told_of_the_right_row():
    table = town(4, 12, seed=2)
    last = np.arange(table.shape[1]) >= 10 * A_DAY
    table[0, last] = 40 + np.random.default_rng(3).normal(0, 4, last.sum())
    table[3, last] = 7.0
    keep = np.ones(table.shape, np.bool_)
    keep[1, last] = np.arange(last.sum()) % 4 == 0
    flags = np.full(table.shape, Flag.GOOD, np.uint8)
    flags[2, last] = np.where(np.arange(last.sum()) % 2, Flag.SUSPECT, Flag.GOOD)
    told = run(ready(4), table, keep=keep, flags=flags)
    assert of(told, 0, 11)["noise"] == pytest.approx(np.log(4), abs=0.3)
    assert of(told, 1, 11)["gap_rate"] == pytest.approx(0.75, abs=0.01)
    assert of(told, 2, 11)["suspect_share"] == pytest.approx(0.5, abs=0.02)
    assert of(told, 3, 11)["flat_share"] > 0.95
    assert of(told, 3, 11)["noise"] < -4


def test_drift_is_seen_against_the_neighbours_not_against_the_weather():
    table = town(5, 40, seed=4)
    table += np.linspace(0, 30, table.shape[1])  # the season, shared by all
    table[1] += np.where(np.arange(table.shape[1]) > 10 * A_DAY, np.linspace(0, 20, table.shape[1]), 0)
    told = run(ready(5), table)
    assert of(told, 1, 39)["drift"] > 0.15
    assert all(abs(of(told, row, 39)["drift"]) < 0.03 for row in (0, 2, 3, 4))


def test_a_series_that_ends_is_told_as_silent_for_a_week_and_then_forgotten():
    table = town(3, 20, seed=5)
    keep = np.ones(table.shape, np.bool_)
    keep[0, 5 * A_DAY :] = False
    told = run(ready(3), table, keep=keep)
    assert of(told, 0, 5)["gap_rate"] == 1
    assert "mean" not in of(told, 0, 5)
    assert max(part.day for part in told if part.row == 0) == 11 * DAY_MS


def test_years_between_two_days_cost_nothing():
    model = ready(3)
    told = run(model, town(3, 2, seed=6))
    model.observe(judged(town(3, 1, seed=7), 9000 * A_DAY), np.full(3, 600.0))
    late = model.close_day(9001 * DAY_MS)
    assert len(told) == 6
    assert {part.day // DAY_MS for part in late} == {9000}


def test_one_reading_a_day_gives_mean_and_gap_rate_only():
    model = ready(1)
    told = []
    for day in range(20):
        reading = Judged(
            np.zeros(1, np.int32), np.array([day * DAY_MS]), np.array([float(day)]), np.ones(1, np.uint8),
            np.zeros(1, np.uint32),
        )  # fmt: skip
        model.observe(reading, np.array([86_400.0]))
        told.extend(model.close_day((day + 1) * DAY_MS))
    assert [part.signals for part in told] == [{"mean": float(day), "gap_rate": 0.0} for day in range(20)]


def test_readings_of_a_closed_day_change_nothing():
    model = ready(2)
    run(model, town(2, 2, seed=8))
    before = model.snapshot()["days"]
    model.observe(judged(town(2, 1, seed=9)), np.full(2, 600.0))
    assert model.snapshot()["days"] == before == []
    assert model.close_day(DAY_MS) == []


def test_goes_on_exactly_after_restore_in_the_middle_of_a_day():
    table = town(4, 11, seed=10)
    one = ready(4)
    run(one, table[:, : 10 * A_DAY])
    half = slice(10 * A_DAY, 10 * A_DAY + 50)
    one.observe(judged(table[:, half], half.start), np.full(4, 600.0))
    two = HealthSignals()
    two.restore(one.snapshot())
    rest = slice(half.stop, 11 * A_DAY)
    told = []
    for model in (one, two):
        model.observe(judged(table[:, rest], rest.start), np.full(4, 600.0))
        told.append(model.close_day(11 * DAY_MS))
    assert told[0] == told[1]
    assert len(told[0]) == 4


def test_rows_may_be_added_on_the_way():
    model = ready(3)
    run(model, town(3, 9, seed=11))
    model.ensure(specs(5))
    model.observe(judged(town(5, 1, seed=12), 9 * A_DAY), np.full(5, 600.0))
    assert {part.row for part in model.close_day(10 * DAY_MS)} == {0, 1, 2, 3, 4}


def test_cutting_the_frames_differently_tells_the_same():
    table = town(3, 9, seed=13)
    whole, pieces = ready(3), ready(3)
    told = run(whole, table)
    again = []
    for start in range(0, table.shape[1], 7):
        pieces.observe(judged(table[:, start : start + 7], start), np.full(3, 600.0))
        again.extend(pieces.close_day((start + 7) // A_DAY * DAY_MS))
    again.extend(pieces.close_day(9 * DAY_MS))
    assert [(part.row, part.day) for part in told] == [(part.row, part.day) for part in again]
    for a, b in zip(told, again, strict=True):
        assert a.signals == pytest.approx(b.signals)


def spec(series: str, asset: str | None = None) -> SeriesSpec:
    sensor, name = series.split("/")
    return SeriesSpec(series, quantity(name), Sensor(sensor, "a", asset=asset))


def test_like_assets_share_the_names_of_their_measurements():
    names = measurement_names(
        [
            spec("e1/generic.heat"),
            spec("e2-s04/generic.v", "e2"), spec("e2-s11/generic.v", "e2"), spec("e3-s04/generic.v", "e3"),
            spec("x/generic.v", "e4"), spec("y/generic.v", "e4"), spec("y/generic.w", "e4"),
        ]
    )  # fmt: skip
    assert names == [
        "generic.heat", "generic.v|s04", "generic.v|s11", "generic.v|s04", "generic.v", "generic.v|2", "generic.w",
    ]  # fmt: skip


def test_signals_of_several_series_become_the_measurements_of_one_asset():
    known = [spec("e1-a/generic.heat", "e1"), spec("e1-b/generic.heat", "e1")]
    told = [DaySignals(0, 0, {"mean": 3.0, "gap_rate": 0.5}), DaySignals(1, 0, {"mean": 4.0})]
    assert asset_days(known, told) == {
        (0, "e1"): {"generic.heat|a": 3.0, "generic.heat|a|gap_rate": 0.5, "generic.heat|b": 4.0}
    }
