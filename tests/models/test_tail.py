import numpy as np
import pytest

from models import tail


def learned(draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    quantile, excess = np.log(np.array([2.6])), np.array([0.6])
    for value in draw:
        quantile, excess = tail.learn(np.array([value]), quantile, excess, np.array([1.0]))
    return np.exp(quantile), excess


@pytest.mark.parametrize("name", ["normal", "laplace", "standard_cauchy"])
def test_the_tail_of_many_shapes_is_met_within_a_decade(name: str):
    rng = np.random.default_rng(1)
    quantile, excess = learned(np.abs(getattr(rng, name)(size=20_000)))
    if name != "standard_cauchy":
        fresh = np.abs(getattr(rng, name)(size=1_000_000))
        for decades in (2.5, 3.5):
            limit = tail.quantile_at(10**-decades, quantile, excess)
            assert abs(-np.log10((fresh > limit).mean()) - decades) < 1
    assert 0.5 < np.mean(np.abs(getattr(rng, name)(size=20_000)) > quantile) / tail.P0 < 2


def test_evidence_rises_is_bounded_and_continuous():
    stat = np.linspace(0, 1e3, 10_001)
    quantile, excess = np.full_like(stat, 2.5), np.full_like(stat, 0.4)
    found = tail.evidence(stat, quantile, excess)
    assert found[0] == 0
    assert (np.diff(found) >= 0).all()
    assert found.max() <= tail.EVIDENCE_MAX
    around = tail.evidence(np.array([2.5 - 1e-9, 2.5 + 1e-9]), quantile[:2], excess[:2])
    assert around == pytest.approx([tail.LOG_P0] * 2)


def test_quantile_at_is_the_inverse_of_evidence():
    quantile, excess = np.array([2.5]), np.array([0.4])
    limit = tail.quantile_at(1e-4, quantile, excess)
    assert tail.evidence(limit, quantile, excess) == pytest.approx([4.0])


def test_the_score_is_one_half_where_chance_gives_the_stated_rate():
    need = tail.needed(np.array([3_600.0]), 0.5)
    assert 10 ** -need[0] * 168 == pytest.approx(0.5)
    assert tail.score(need, need) == pytest.approx([0.5])
