"""A machine's rows: calm ones raise nothing, a change of level, of noise or of company does, and it ends."""

import numpy as np
import pytest

from domain.errors import Misconfigured
from domain.readings import Floats
from models.asset_baseline import Baseline
from models.asset_calibration import filled, scales, settled_from
from models.asset_novelty import AssetNovelty, Sight
from models.asset_parameters import AssetParameters

SECOND = 1_000
CHANNELS = 6


def calm(seed: int, n: int) -> Floats:
    """Six channels of very different size; the first two move together."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1, (n, CHANNELS))
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    return np.asarray(np.array([0.03, 40.0, 1.3, 228.0, 1e6, -5.0]) + z * np.array([3e-4, 1.0, 0.2, 11.0, 1e4, 0.01]))


def watched(model: AssetNovelty, x: Floats, start: int = 0) -> list[Sight | None]:
    return [model.observe((start + k) * SECOND, row) for k, row in enumerate(x)]


def begun(sights: list[Sight | None]) -> list[int]:
    return [sight.time // SECOND for sight in sights if sight and sight.begun is not None]


def test_calm_rows_raise_hardly_anything():
    opened = [len(begun(watched(AssetNovelty(CHANNELS), calm(seed, 1_200)))) for seed in range(8)]
    assert sum(opened) <= 3, f"eight calm machines of 20 minutes, by seed: {opened}"
    assert len(begun(watched(AssetNovelty(CHANNELS), calm(9, 8_000)))) <= 2


def test_it_is_silent_while_it_calibrates():
    sights = watched(AssetNovelty(CHANNELS), calm(1, 400))
    assert all(sight is None for sight in sights[:320])
    assert all(sight is not None for sight in sights[320:])


@pytest.mark.parametrize("channel", range(CHANNELS))
def test_a_level_shift_of_any_channel_opens_and_ends_in_time(channel: int):
    x = calm(channel + 40, 1_000)
    x[600:800, channel] += 3 * x[:320, channel].std()
    sights = watched(AssetNovelty(CHANNELS), x)
    assert len(begun(sights)) == 1
    assert 600 < begun(sights)[0] < 625
    (first,) = [sight.begun for sight in sights if sight and sight.begun is not None]
    assert 590 * SECOND < first < 625 * SECOND, "since when"
    (ended,) = [sight.ended for sight in sights if sight and sight.ended is not None]
    assert 790 * SECOND < ended < 850 * SECOND


def test_the_picture_names_the_channel_and_its_numbers():
    x = calm(3, 660)
    x[600:, 3] += 50.0
    model = AssetNovelty(CHANNELS)
    watched(model, x)
    picture = model.picture()
    assert picture is not None
    assert picture.share.sum() == pytest.approx(1)
    assert picture.share.sum(axis=0).argmax() == 3
    assert picture.observed[3] == pytest.approx(278, abs=12)
    assert picture.expected[3] == pytest.approx(228, abs=6)


def test_more_noise_without_a_change_of_level_is_novel():
    x = calm(4, 1_000)
    middle = x[:320].mean(axis=0)
    x[600:, 2:] = middle[2:] + 2.5 * (x[600:, 2:] - middle[2:])
    found = begun(watched(AssetNovelty(CHANNELS), x))
    assert len(found) >= 1
    assert 600 < found[0] < 700


def test_channels_that_part_company_are_novel_though_each_is_in_its_range():
    x = calm(5, 1_000)
    unit = np.array([3e-4, 1.0])
    x[600:, 0] += 0.9 * unit[0]
    x[600:, 1] -= 0.9 * unit[1]
    found = begun(watched(AssetNovelty(CHANNELS), x))
    assert len(found) >= 1
    assert 600 < found[0] < 720


def test_a_slow_wander_that_was_there_all_along_is_usual():
    x = calm(6, 1_200)
    x[:, 4] += np.linspace(0, 8e4, 1_200)
    assert begun(watched(AssetNovelty(CHANNELS), x)) == []


def test_a_state_that_lasts_becomes_the_usual_one():
    x = calm(7, 3_000)
    x[600:] += 5 * x[:320].std(axis=0)
    model = AssetNovelty(CHANNELS)
    sights = watched(model, x)
    assert not model.novel
    assert len(begun(sights)) <= 2


def test_missing_values_and_a_channel_that_is_never_there():
    x = calm(8, 1_000)
    rng = np.random.default_rng(8)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 5] = np.nan
    x[600:, 1] += 5.0
    model = AssetNovelty(CHANNELS)
    found = begun(watched(model, x))
    assert model.judging == 5
    assert len(found) == 1
    assert 600 < found[0] < 630


def test_a_snapshot_goes_on_exactly():
    x = calm(9, 900)
    x[500:, 2] += 1.0
    for cut in (100, 319, 320, 450, 520):
        whole, first, second = (AssetNovelty(CHANNELS) for _ in range(3))
        expected = watched(whole, x)
        head = watched(first, x[:cut])
        second.restore(first.snapshot())
        assert head + watched(second, x[cut:], cut) == expected, f"cut at {cut}"


def test_more_channels_may_come():
    model = AssetNovelty(4)
    x = calm(10, 700)
    watched(model, x[:100, :4])
    model.widen(CHANNELS)
    watched(model, x[100:], 100)
    assert model.judging == 4, "the fifth and sixth were there for too little of the calibration"


def test_the_start_up_is_cut_off_and_nothing_else():
    x = calm(11, 320)
    assert settled_from(x) <= 60
    x[:90] += np.exp(-np.arange(90) / 30)[:, None] * 20 * x[200:].std(axis=0)
    assert 50 <= settled_from(x) <= 150


def test_gaps_are_filled_from_before_and_a_constant_channel_has_a_scale():
    rows = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, 3.0]])
    assert filled(rows).tolist() == [[2.0, 1.0], [2.0, 1.0], [2.0, 3.0]]
    assert scales(np.full((10, 1), 50.0), np.array([50.0])).tolist() == [1.0]


def test_the_deviance_of_one_channel_is_that_of_students_t():
    one = Baseline(np.zeros(1), np.array([4.0]), np.array([1.0]), np.eye(1), 1.0)
    assert one.deviance(np.array([6.0]), 0) == pytest.approx((8 * np.log(1 + 9 / 8), 9.0))
    assert one.deviance(np.array([6.0]), 5) == pytest.approx((8 * np.log(1 + 4 / 8), 4.0)), "five rows of drift"


def test_parameters_that_cannot_work_are_refused():
    with pytest.raises(Misconfigured, match="calibration 50"):
        AssetParameters(calibration=50)
    with pytest.raises(Misconfigured, match="lower"):
        AssetParameters(lower=1.5)
