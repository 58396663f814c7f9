import numpy as np
import pytest

from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.anticipate import AnticipatedRows, Anticipation
from models.series_spec import SeriesSpec

FIVE_MIN = 300_000


def road(rows: int, days: int, seed: int) -> np.ndarray:
    """``float64[rows, cells]`` km/h: jams begin at the last sensor, more often at rush hour, and crawl upstream."""
    rng = np.random.default_rng(seed)
    count = days * 288
    speed = 100 + rng.normal(0, 3, (rows, count))
    for start in range(0, count - 60):
        rush = 90 <= start % 288 < 110 or 200 <= start % 288 < 220
        if rng.random() < (0.03 if rush else 0.0005):
            for row in range(rows):
                begin = start + 2 * (rows - 1 - row)
                fall = np.minimum(1.0, np.arange(24) / 4)  # twenty minutes from free flow to a crawl
                speed[row, begin : begin + 24] = np.minimum(speed[row, begin : begin + 24], 100 - 70 * fall)
    return speed


def ready(rows: int, name: str = "traffic.speed", **columns: float) -> Anticipation:
    model = Anticipation()
    model.ensure([SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a", **columns)) for k in range(rows)])
    return model


def feed(model: Anticipation, table: np.ndarray, first: int = 0, step_ms: int = FIVE_MIN) -> list[AnticipatedRows]:
    rows = len(table)
    said = []
    for k in range(table.shape[1]):
        now = (first + k) * step_ms
        frame = Judged(
            np.arange(rows, dtype=np.int32), np.full(rows, now, np.int64), table[:, k].copy(),
            np.ones(rows, np.uint8), np.zeros(rows, np.uint32),
        )  # fmt: skip
        model.observe(frame.take(np.isfinite(frame.x)), np.full(rows, step_ms / 1_000))
        said.extend(model.issue(now))
    return said


def entries(said: list[AnticipatedRows], trouble: np.ndarray, within: int, step_ms: int = FIVE_MIN):
    """Probability and truth of every statement whose horizon lies inside the table."""
    p, y = [], []
    for rows in said:
        k = rows.issued // step_ms
        if k + within >= trouble.shape[1]:
            continue
        p.append(rows.probability)
        y.append(trouble[rows.row, k + 1 : k + 1 + within].any(axis=1))
    return np.concatenate(p), np.concatenate(y)


def auc(p: np.ndarray, y: np.ndarray) -> float:
    ranks = np.empty(len(p))
    ranks[np.argsort(p, kind="stable")] = np.arange(1, len(p) + 1)
    return (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())


@pytest.mark.parametrize("columns", [{"free_flow_speed": 100.0}, {}])
def test_congestion_is_seen_coming_from_downstream(columns):
    table = road(5, 25, seed=1)
    said = feed(ready(5, **columns), table)
    p, y = entries(said, table < 50, within=6)
    assert {rows.kind for rows in said} == {"congestion"}
    assert {rows.within_s for rows in said} == {1_800}
    assert auc(p, y) > 0.85
    assert p.mean() == pytest.approx(y.mean(), abs=0.02)
    assert y[p > 0.5].mean() > 0.5


def test_only_calm_series_are_asked():
    table = road(3, 12, seed=2)
    for rows in feed(ready(3, free_flow_speed=100.0), table):
        assert (table[rows.row, rows.issued // FIVE_MIN] >= 75).all()
        assert ((rows.probability >= 0) & (rows.probability <= 1)).all()


def test_nothing_is_said_before_it_has_happened_often_enough():
    quiet = 100 + np.random.default_rng(3).normal(0, 3, (3, 288 * 8))
    assert feed(ready(3, free_flow_speed=100.0), quiet) == []


def hours(days: int, seed: int, level: float, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    slow = np.zeros(days * 24)
    for k in range(1, len(slow)):
        slow[k] = 0.98 * slow[k - 1] + rng.normal(0, 0.2)
    curve = np.sin(2 * np.pi * np.arange(len(slow)) / 24)
    return np.maximum(0, level + spread * (slow + 0.3 * curve))[None]


def test_pollution_is_asked_of_the_running_mean():
    table = hours(300, seed=4, level=25, spread=9)
    said = feed(ready(1, "air.pm25"), table, step_ms=3_600_000)
    running = np.convolve(table[0], np.ones(24) / 24)[: table.shape[1]][None]
    assert {(rows.kind, rows.within_s) for rows in said} == {("pollution", 86_400)}
    assert all(running[0, rows.issued // 3_600_000] < 36 for rows in said)
    p, y = entries(said, running >= 36, within=24, step_ms=3_600_000)
    assert y.any()
    assert auc(p, y) > 0.8


def test_overload_needs_a_rated_power():
    table = hours(200, seed=5, level=70, spread=12)
    assert feed(ready(1, "energy.active_power"), table, step_ms=3_600_000) == []
    said = feed(ready(1, "energy.active_power", rated_kw=100.0), table, step_ms=3_600_000)
    assert {rows.kind for rows in said} == {"overload"}
    p, y = entries(said, table >= 100, within=24, step_ms=3_600_000)
    assert auc(p, y) > 0.7


def same(a: list[AnticipatedRows], b: list[AnticipatedRows]) -> bool:
    return len(a) == len(b) and all(
        (x.issued, x.kind) == (y.issued, y.kind)
        and np.array_equal(x.row, y.row)
        and np.array_equal(x.probability, y.probability)
        for x, y in zip(a, b, strict=True)
    )


def test_goes_on_exactly_after_restore():
    table = road(4, 16, seed=6)
    one = ready(4)
    feed(one, table[:, :3500])
    two = Anticipation()
    two.restore(one.snapshot())
    more = [feed(model, table[:, 3500:], first=3500) for model in (one, two)]
    assert more[0]
    assert same(*more)


def test_the_future_does_not_change_what_was_said():
    table = road(3, 14, seed=7)
    changed = table.copy()
    changed[:, 3500:] = 10.0
    first, second = (
        [rows for rows in feed(ready(4), one) if rows.issued < 3500 * FIVE_MIN] for one in (table, changed)
    )
    assert first
    assert same(first, second)


def test_missing_values_and_late_series():
    table = road(4, 14, seed=8)
    table[np.random.default_rng(9).random(table.shape) < 0.3] = np.nan
    table[3, :3000] = np.nan
    said = feed(ready(4), table)
    assert {row for rows in said for row in rows.row.tolist()} == {0, 1, 2, 3}


def test_messages_carry_names():
    rows = AnticipatedRows(7, "congestion", 1_800, np.array([1], np.int32), np.array([0.25]))
    (message,) = rows.messages(["a/traffic.speed", "b/traffic.speed"])
    assert (message.series, message.issued, message.probability) == ("b/traffic.speed", 7, 0.25)
