"""Roll-up of QARTOD flags: 4 > 3 > 1 > 2 > 9."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.flags import Flag, Test, from_rank, rank, worst

ORDER = [4, 3, 1, 2, 9]


@given(st.lists(st.sampled_from(ORDER), min_size=1))
def test_the_worst_is_the_first_in_the_order(flags: list[int]) -> None:
    assert worst(np.array(flags, np.uint8)) == min(flags, key=ORDER.index)


def test_rank_and_back() -> None:
    flags = np.array(ORDER, np.uint8)
    np.testing.assert_array_equal(from_rank(rank(flags)), flags)
    assert (np.diff(rank(flags).astype(int)) < 0).all()


@pytest.mark.parametrize(
    ("flag", "value"),
    [(Flag.GOOD, 1), (Flag.NOT_EVALUATED, 2), (Flag.SUSPECT, 3), (Flag.FAIL, 4), (Flag.MISSING, 9)],
)
def test_flags_are_qartods(flag: Flag, value: int) -> None:
    assert flag == value


def test_bits_of_tests_are_never_renumbered() -> None:
    assert {test.name: int(test) for test in Test} == {
        "GROSS_RANGE": 1, "SPIKE": 2, "RATE_OF_CHANGE": 4, "FLAT_LINE": 8, "ATTENUATED": 16, "GAP": 32,
        "CORRECTION": 64, "FUTURE": 128, "LATE": 256, "CLIMATOLOGY": 512, "NEIGHBOUR": 1024, "PHYSICS": 2048,
        "COUNTER": 4096, "MISSING": 8192, "DROPOUT": 16384, "NOISE": 32768, "LEVEL": 65536, "DRIFT": 131072,
        "COUNTER_DIP": 262144, "COUNTER_RESET": 524288, "COUNTER_ROLLOVER": 1048576, "COUNTER_SWAP": 2097152,
        "UNIT": 4194304, "GAIN": 8388608, "SWAPPED": 16777216,
    }  # fmt: skip
