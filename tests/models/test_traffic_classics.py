"""California 7 and 8, the standard normal deviate and the bottleneck test, on numbers worked out by hand."""

import numpy as np
import pytest

from models.bottleneck import MILE_M, Bottleneck
from models.california import EIGHT, SEVEN, California, CaliforniaParameters
from models.normal_deviate import NormalDeviate

NAN = float("nan")


def confirmed(up: list[float], down: list[float], parameters: CaliforniaParameters = SEVEN) -> list[bool]:
    model = California(1, parameters)
    return [bool(model.step(np.array([u]), np.array([d]))[0]) for u, d in zip(up, down, strict=True)]


def test_california_7_tentative_then_confirmed_then_free():
    # Step 2: OCCDF 30 − 10 = 20, OCCRDF .67, DOCCTD (20 − 10) / 20 = .5: tentative. Step 3: OCCRDF .67: confirmed.
    assert confirmed([0.2, 0.2, 0.3, 0.3, 0.3, 0.2], [0.2, 0.2, 0.1, 0.1, 0.12, 0.18]) == [
        False, False, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("up", "down", "why"),
    [
        ([0.15, 0.15, 0.15, 0.15], [0.12, 0.12, 0.08, 0.08], "OCCDF 7 < 8"),
        ([0.3, 0.3, 0.3, 0.3], [0.25, 0.25, 0.16, 0.16], "OCCRDF .47 < .5"),
        ([0.3, 0.3, 0.3, 0.3], [0.14, 0.14, 0.1, 0.1], "DOCCTD .29 < .3"),
        ([0.2, 0.2, 0.3, 0.3], [0.2, 0.2, 0.1, 0.2], "OCCRDF not held"),
        ([0.2, 0.2, 0.3, NAN], [0.2, 0.2, 0.1, 0.1], "no occupancy at the next step"),
    ],
)
def test_california_7_says_nothing_when_one_condition_fails(up: list[float], down: list[float], why: str):
    assert not any(confirmed(up, down)), why


def test_california_8_waits_after_a_compression_wave():
    up = [0.3] * 4 + [0.4] * 8
    down = [0.15, 0.15, 0.3, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert any(confirmed(up, down))
    assert not any(confirmed(up, down, EIGHT))


def test_california_keeps_pairs_apart_and_its_state():
    up = np.array([[0.2, 0.2], [0.2, 0.2], [0.3, 0.2], [0.3, 0.2]])
    down = np.array([[0.2, 0.2], [0.2, 0.2], [0.1, 0.2], [0.1, 0.2]])
    whole, first, second = (California(2) for _ in range(3))
    expected = [whole.step(u, d).tolist() for u, d in zip(up, down, strict=True)]
    assert expected[-1] == [True, False]
    for u, d in zip(up[:3], down[:3], strict=True):
        first.step(u, d)
    second.restore(first.snapshot())
    assert second.step(up[3], down[3]).tolist() == expected[-1]


def test_the_normal_deviate_needs_two_critical_values_in_a_row():
    model = NormalDeviate(1)
    base = [0.10, 0.12, 0.11, 0.09, 0.13]  # mean .11, deviation .0158: critical from .1733 on
    told = [bool(model.step(np.array([x]))[0]) for x in [*base, 0.18, 0.11, 0.19, 0.18, 0.2]]
    assert told == [False] * 8 + [True, True]


def test_the_normal_deviate_waits_for_its_base_and_has_a_smallest_deviation():
    model = NormalDeviate(1)
    assert not any(model.step(np.array([x]))[0] for x in [0.1, 0.1, 0.9, 0.9])
    for after, critical in ((0.145, True), (0.135, False)):
        level = NormalDeviate(1)
        told = [bool(level.step(np.array([x]))[0]) for x in [0.1] * 5 + [after, after]]
        assert told[-1] is critical, "equal values: a deviation of .01 at least, so .14 and up is critical"


def bottlenecks(up: list[float], down: list[float], miles: float = 1.0) -> list[bool]:
    model = Bottleneck(np.array([miles * MILE_M]))
    return [bool(model.step(np.array([u]), np.array([d]))[0]) for u, d in zip(up, down, strict=True)]


def test_a_bottleneck_is_five_points_of_seven():
    slow, fast = 30 * MILE_M / 1_000, 55 * MILE_M / 1_000
    assert bottlenecks([slow] * 7, [fast] * 7) == [False] * 4 + [True] * 3
    gaps = [slow, fast, slow, slow, fast, slow, slow]
    assert bottlenecks(gaps, [fast] * 7) == [False] * 6 + [True]
    assert not any(bottlenecks([slow, fast] * 7, [fast] * 14)), "four of seven at most"


@pytest.mark.parametrize(("up", "down", "miles"), [(41, 65, 1), (30, 49, 1), (30, 55, 3), (55, 30, 1), (NAN, 55, 1)])
def test_what_is_no_bottleneck(up: float, down: float, miles: float):
    mph = MILE_M / 1_000
    assert not any(bottlenecks([up * mph] * 9, [down * mph] * 9, miles))
