import doctest
import inspect
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from river import checks
from river.base import AnomalyDetector
from river.checks import common

import models.novelty_river
from models.novelty_river import Novelty


def dataset(n: int = 600) -> list[tuple[dict[str, float], bool]]:
    """Rows of a made-up series with other features beside ours, and whether they are anomalous."""
    rng = np.random.default_rng(1)
    rows = []
    for k in range(n):
        strange = k > 400 and k % 50 == 0
        value = 100 + rng.normal(0, 5) + (100 if strange else 0)
        rows.append(({"time": 1_000.0 * k, "value": value, "a": 1.0, "b": 2.0, "c": 3.0}, strange))
    return rows


def applicable() -> list[str]:
    """River's checks by name, the data-driven ones and those without data; its own data set is a download."""
    generic = [name for name, _ in inspect.getmembers(common, inspect.isfunction) if name.startswith("check_")]
    others = ("transform", "many", "debug", "wrapper", "has_tag", "mutable_attributes", "seeding")
    return [name for name in generic if not any(word in name for word in others)]


@pytest.mark.parametrize("name", applicable())
def test_passes_rivers_own_estimator_check(name: str) -> None:
    check = getattr(common, name)
    arguments = {"dataset": dataset()} if "dataset" in inspect.signature(check).parameters else {}
    check(Novelty(), **arguments)


def test_the_checks_are_those_that_river_runs() -> None:
    assert len(applicable()) >= 20
    assert issubclass(Novelty, AnomalyDetector)
    assert checks.check_estimator.__module__ == "river.checks"


def test_finds_the_anomalies_and_rests_soon_after() -> None:
    model, ordinary, strange = Novelty(warm_up_s=43_200), [], []
    for x, label in dataset():
        score = model.score_one(x)
        model.learn_one(x)
        if not math.isnan(score):
            (strange if label else ordinary).append(score)
    assert len(strange) >= 3
    assert min(strange) >= 0.5
    assert np.mean(np.array(ordinary) >= 0.5) < 0.05  # those right behind an anomaly: the short mean remembers it


def test_a_datetime_is_the_same_as_its_epoch_seconds() -> None:
    when = datetime(2026, 3, 2, 6, tzinfo=UTC)
    left, right = Novelty(warm_up_s=60), Novelty(warm_up_s=60)
    for k in range(900):
        seconds = when.timestamp() + 600 * k
        left.learn_one({"time": datetime.fromtimestamp(seconds, UTC), "value": k % 5})
        right.learn_one({"time": seconds, "value": k % 5})
    later = when.timestamp() + 600 * 900
    assert left.score_one({"time": datetime.fromtimestamp(later, UTC), "value": 3}) == right.score_one(
        {"time": later, "value": 3}
    )


def test_the_examples_in_the_docstring_are_true() -> None:
    assert doctest.testmod(models.novelty_river).failed == 0
    assert doctest.testmod(models.novelty_river).attempted > 0
