"""Columns of numbers and times as text, in bulk."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.flags import Test
from domain.readings import Ints
from domain.times import format_time

#: Text of each row, or one text that stands in all rows.
Column = Sequence[str] | str


def number_texts(values: NDArray[Any]) -> list[str]:
    """Numbers as text; floats as the shortest that reads back to the same, empty where not finite."""
    if len(values) == 0:
        return []
    text = msgspec.json.encode(values.tolist()).decode()[1:-1]
    return text.replace("null", "").split(",")  # null is what JSON has for NaN and the infinities


def number_column(values: NDArray[Any]) -> Column:
    """As :func:`number_texts`; one text when all numbers are the same, as counts, flags and revisions often are."""
    if len(values) and (values == values[0]).all():
        return number_texts(values[:1])[0]
    return number_texts(values)


def rows_text(n: int, *columns: Column) -> str:
    """The text of n rows: the columns side by side, with nothing between them but what stands in them."""
    merged: list[Column] = []
    for column in columns:
        if isinstance(column, str) and merged and isinstance(merged[-1], str):
            merged[-1] += column
        else:
            merged.append(column)
    width = len(merged)
    cells = [""] * (n * width)
    for k, column in enumerate(merged):
        cells[k::width] = [column] * n if isinstance(column, str) else column
    return "".join(cells)


def comma_separated(n: int, *columns: Column) -> str:
    """n lines of CSV from columns of cells that need no quotes any more."""
    parts: list[Column] = []
    for column in columns:
        parts += [column, ","]
    return rows_text(n, *parts[:-1], "\n")


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
