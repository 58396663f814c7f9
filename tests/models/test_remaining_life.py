import numpy as np
import pytest

from domain.times import DAY_MS
from models.life_features import HISTORY_ROWS_MAX
from models.remaining_life import FAILURES_NEEDED, LIFE_CAP_DAYS, RemainingLife


def wear(days: int, seed: int, until: int | None = None) -> list[dict[str, float]]:
    """A machine that lives ``days`` days: one measurement grows as it wears, one is noise, one never moves."""
    rng = np.random.default_rng(seed)
    level = rng.normal(100, 5)
    left = np.arange(days)[::-1]
    heat = level + 30 * np.exp(-left / 40) + rng.normal(0, 0.5, days)
    noise = rng.normal(0, 1, days)
    rows = [{"generic.heat": h, "generic.noise": n, "generic.still": 5.0} for h, n in zip(heat, noise, strict=True)]
    return rows[:until]


def live(model: RemainingLife, asset: str, rows: list[dict[str, float]], start: int = 0) -> int:
    for day, row in enumerate(rows, start=start):
        model.observe(asset, day * DAY_MS, row)
    return (start + len(rows) - 1) * DAY_MS


def trained(lives: int) -> RemainingLife:
    model = RemainingLife()
    for k in range(lives):
        model.event(f"m{k}", live(model, f"m{k}", wear(120 + 10 * (k % 7), seed=k)), "failure")
    return model


def test_learns_to_tell_the_days_left():
    model = trained(20)
    errors = []
    inside = []
    for k in range(30):
        left = 5 + 3 * k
        live(model, f"new{k}", wear(150, seed=1000 + k, until=150 - left))
        said = model.predict(f"new{k}")
        assert said.remaining is not None
        assert said.lower is not None
        assert said.upper is not None
        errors.append(said.remaining - left)
        inside.append(said.lower <= left <= said.upper)
        assert 0 <= said.lower <= said.remaining <= said.upper <= LIFE_CAP_DAYS
    assert np.sqrt(np.mean(np.square(errors))) < 15
    assert np.mean(inside) >= 0.75


def test_probability_of_failure_orders_worn_before_new():
    model = trained(12)
    live(model, "worn", wear(150, seed=77, until=140))
    live(model, "new", wear(150, seed=78, until=40))
    worn, new = model.predict("worn").p_failure, model.predict("new").p_failure
    assert worn is not None
    assert new is not None
    assert worn > 0.7
    assert new < 0.1


def test_says_so_while_too_few_have_failed():
    model = trained(FAILURES_NEEDED - 1)
    live(model, "worn", wear(150, seed=5, until=149))
    said = model.predict("worn")
    assert said.remaining is None
    assert said.p_failure is None
    assert "not enough failures seen (2 of 3)" in said.note
    assert "generic.heat is up" in said.note


def test_unknown_asset_and_asset_that_just_failed():
    model = trained(4)
    assert model.predict("nobody").remaining is None
    assert "no readings since" in model.predict("m0").note
    model.event("nobody", 0, "failure")


def test_repair_starts_the_age_anew_and_teaches_nothing():
    model = trained(4)
    live(model, "a", wear(150, seed=9, until=145))
    before = model.predict("a").remaining
    model.event("a", 144 * DAY_MS, "inspection")
    assert model.predict("a").remaining == before
    model.event("a", 144 * DAY_MS, "repair")
    assert model.failures("a") == 4
    live(model, "a", wear(150, seed=10, until=30), start=145)
    after = model.predict("a").remaining
    assert before is not None
    assert after is not None
    assert after > before + 50


def test_goes_on_exactly_after_restore():
    one = trained(5)
    rows = wear(200, seed=42)
    live(one, "x", rows[:90])
    two = RemainingLife()
    two.restore(one.snapshot())
    for model in (one, two):
        live(model, "x", rows[90:], start=90)
        model.event("x", 199 * DAY_MS, "failure")
        live(model, "y", wear(160, seed=43, until=100))
    assert one.predict("y") == two.predict("y")
    assert one.predict("y").remaining is not None


def test_snapshot_is_not_changed_by_what_comes_later():
    model = trained(5)
    payload = model.snapshot()
    live(model, "x", wear(200, seed=42))
    model.event("x", 199 * DAY_MS, "failure")
    back = RemainingLife()
    back.restore(payload)
    assert back.failures("m0") == 5
    assert np.array_equal(
        back.snapshot()["groups"]["generic"]["regression"]["precision"],
        payload["groups"]["generic"]["regression"]["precision"],
    )


def test_the_future_does_not_change_what_was_said():
    rows = wear(150, seed=3)
    said = []
    for tail in (1.0, -50.0):
        model = trained(4)
        live(model, "x", rows[:100])
        said.append(model.predict("x"))
        live(model, "x", [{"generic.heat": tail}] * 20, start=100)
    assert said[0] == said[1]


@pytest.mark.parametrize("row", [{}, {"generic.heat": float("nan")}])
def test_a_day_without_values_is_passed_over(row):
    model = trained(4)
    live(model, "x", wear(150, seed=3, until=50))
    before = model.predict("x")
    model.observe("x", 50 * DAY_MS, row)
    assert model.predict("x") == before


def test_measurements_may_come_late_and_stay_away():
    model = trained(4)
    rows = wear(150, seed=3, until=60)
    live(model, "x", [{"generic.heat": row["generic.heat"]} for row in rows])
    model.observe("x", 60 * DAY_MS, {"generic.new": 1.0})
    model.event("x", 61 * DAY_MS, "failure")
    live(model, "y", rows)
    assert model.predict("y").remaining is not None


def test_history_is_bounded():
    model = RemainingLife()
    live(model, "old", wear(3000, seed=1))
    assert len(model.snapshot()["lives"]["old"]["days"]) <= HISTORY_ROWS_MAX


def test_groups_do_not_mix():
    model = trained(4)
    live(model, "loop", [{"traffic.flow": 300.0, "gap_rate": 0.1}] * 10)
    assert "0 of 3" in model.predict("loop").note
