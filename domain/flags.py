"""QARTOD quality flags and their roll-up (IOOS QARTOD manual; precedence as in ioos_qc)."""

from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray


class Flag(IntEnum):
    """Primary flag of a reading, of a window (its worst) and of everything computed from them."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Test(IntFlag):
    """Which quality tests a reading failed: a bitmask beside the flag. Values are written to files, never renumber."""

    __test__ = False  # not a pytest class

    GROSS_RANGE = 1
    SPIKE = 2
    RATE_OF_CHANGE = 4
    FLAT_LINE = 8
    ATTENUATED = 16
    GAP = 32
    CORRECTION = 64
    FUTURE = 128
    LATE = 256
    CLIMATOLOGY = 512
    NEIGHBOUR = 1024
    PHYSICS = 2048
    COUNTER = 4096
    MISSING = 8192
    DROPOUT = 1 << 14  # zeros where there is something to measure
    NOISE = 1 << 15  # scatters far more than it ever did
    LEVEL = 1 << 16  # stepped away from its usual level and stays there
    DRIFT = 1 << 17  # has crept away from its usual level
    COUNTER_DIP = 1 << 18  # a lower count for a moment
    COUNTER_RESET = 1 << 19  # starts again at about zero
    COUNTER_ROLLOVER = 1 << 20  # wrapped at the end of the register
    COUNTER_SWAP = 1 << 21  # goes on from another count: another meter
    UNIT = 1 << 22  # off by the factor of another unit
    GAIN = 1 << 23  # off by a factor that is no unit's
    SWAPPED = 1 << 24  # what the channel beside it measures


# Index = flag, value = rank in the roll-up 4 > 3 > 1 > 2 > 9; unknown flags rank lowest.
_RANK = np.zeros(10, dtype=np.uint8)
for _rank, _flag in enumerate((Flag.MISSING, Flag.NOT_EVALUATED, Flag.GOOD, Flag.SUSPECT, Flag.FAIL), start=1):
    _RANK[_flag] = _rank
_BY_RANK = np.array([0, 9, 2, 1, 3, 4], dtype=np.uint8)


def rank(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Roll-up rank of each flag; the highest rank of a group is the group's worst flag."""
    return np.asarray(_RANK[flags], dtype=np.uint8)


def from_rank(ranks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inverse of :func:`rank`."""
    return np.asarray(_BY_RANK[ranks], dtype=np.uint8)


def worst(flags: NDArray[np.uint8]) -> int:
    """The worst flag of a non-empty array."""
    return int(_BY_RANK[_RANK[flags].max()])
