"""California 7 and 8, the standard normal deviate and the bottleneck test, on numbers worked out by hand."""

import numpy as np
import pytest

from models.bottleneck import MILE_M, Bottleneck
from models.california import EIGHT, SEVEN, California, CaliforniaParameters
from models.normal_deviate import DeviateParameters, NormalDeviate

PAPER = DeviateParameters(critical=4.0, deviation_min=0.01)

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
    model = NormalDeviate(1, PAPER)
    base = [0.10, 0.12, 0.11, 0.09, 0.13]  # mean .11, deviation .0158: critical from .1733 on
    told = [bool(model.step(np.array([x]))[0]) for x in [*base, 0.18, 0.11, 0.19, 0.18, 0.2]]
    assert told == [False] * 8 + [True, True]


def test_the_normal_deviate_waits_for_its_base_and_has_a_smallest_deviation():
    model = NormalDeviate(1, PAPER)
    assert not any(model.step(np.array([x]))[0] for x in [0.1, 0.1, 0.9, 0.9])
    for after, critical in ((0.145, True), (0.135, False)):
        level = NormalDeviate(1, PAPER)
        told = [bool(level.step(np.array([x]))[0]) for x in [0.1] * 5 + [after, after]]
        assert told[-1] is critical, "equal values: a deviation of .01 at least, so .14 and up is critical"


def deviates(occupancies: list[float], stays: int = 30) -> list[bool]:
    model = NormalDeviate(1, DeviateParameters(critical=4.0, deviation_min=0.01, stays=stays))
    return [bool(model.step(np.array([x]))[0]) for x in occupancies]


def test_the_normal_deviate_takes_what_stays_for_the_new_base():
    told = deviates([0.1] * 5 + [0.4] * 20 + [0.8] * 3, stays=6)
    assert told[:12] == [False] * 6 + [True] * 5 + [False], "critical from the sixth on, given up after six more"
    assert not any(told[12:25]), "five minutes of .4 are the new base"
    assert told[25:] == [False, True, True], "against which .8 is critical"


def test_the_normal_deviate_does_not_compare_with_what_was_before_a_silence():
    assert deviates([0.1] * 5 + [NAN] * 4 + [0.4] * 2)[-1], "four minutes without a value: the base still counts"
    assert not any(deviates([0.1] * 5 + [NAN] * 5 + [0.4] * 9)), "five: it does not"


def test_the_normal_deviate_says_what_it_expected():
    model = NormalDeviate(2, PAPER)
    for x in [0.10, 0.12, 0.11, 0.09, 0.13, 0.5, 0.5]:
        model.step(np.array([x, NAN]))
    mean, limit = model.expected()
    assert mean[0] == pytest.approx(0.11)
    assert limit[0] == pytest.approx(0.11 + 4 * np.std([0.10, 0.12, 0.11, 0.09, 0.13], ddof=1))
    assert np.isnan([mean[1], limit[1]]).all()


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
