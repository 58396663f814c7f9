"""Columns of numbers and times as text, in bulk."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.flags import Test
from domain.readings import Floats, Ints
from domain.times import format_time


def float_texts(values: Floats) -> list[str]:
    """The shortest text of each number that reads back to the same; empty where it is not finite."""
    if len(values) == 0:
        return []
    texts = msgspec.json.encode(values.tolist()).decode()[1:-1].split(",")
    return texts if np.isfinite(values).all() else ["" if text == "null" else text for text in texts]


def time_texts(times: Ints) -> list[str]:
    """RFC 3339 UTC of epoch ms; each different time is formatted once."""
    different, where = np.unique(times, return_inverse=True)
    if len(different) > len(times) // 4:
        return _formatted(times)
    texts = _formatted(different)
    return [texts[k] for k in where.tolist()]


def _formatted(times: Ints) -> list[str]:
    if len(times) and not -62_135_596_800_000 <= int(times.min()) <= int(times.max()) < 253_402_300_800_000:
        return [format_time(ms) for ms in times.tolist()]  # says what is wrong
    whole = np.datetime_as_string(times.astype("datetime64[ms]"), unit="ms").tolist()
    return [f"{text[:19]}Z" if text.endswith(".000") else f"{text}Z" for text in whole]


def quality_texts(tests: NDArray[np.uint32]) -> list[str]:
    """Names of the failed tests of each bitmask joined by +, as in SPIKE+FLAT_LINE; empty for none."""
    different, where = np.unique(tests, return_inverse=True)
    texts = ["+".join(str(test.name) for test in Test if mask & test) for mask in different.tolist()]
    return [texts[k] for k in where.tolist()]
