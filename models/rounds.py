"""Sequential models on columns: the first reading of every row together, then the second of every row, and so on.

Within a round every row occurs once, so a recursive model may gather its state, compute on arrays and scatter it back.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Rows

NARROW: Final = 12  # rows from which on a round costs less than plain numbers
Round = slice | NDArray[np.intp]


def rounds(row: Rows) -> Iterator[Round]:
    """Positions of the k-th reading of every row, k = 0, 1, …; ``row`` is sorted. A slice where one will do."""
    n = len(row)
    if n == 0:
        return
    if row[0] == row[-1]:
        yield from (slice(k, k + 1) for k in range(n))
        return
    first = np.empty(n, dtype=bool)
    first[0] = True
    np.not_equal(row[1:], row[:-1], out=first[1:])
    if first.all():
        yield slice(0, n)
        return
    starts = np.flatnonzero(first)
    turn = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    order = np.argsort(turn, kind="stable")
    yield from np.split(order, np.cumsum(np.bincount(turn))[:-1])


def narrow(row: Rows) -> list[range] | None:
    """The positions of each row where that many rows at once are too few for arrays to pay, else None.

    A model may then walk one row after the other; it must come to the same as in rounds.
    """
    n = len(row)
    if n == 0:
        return []
    if row[0] == row[-1]:
        return [range(n)]
    starts = np.flatnonzero(row[1:] != row[:-1]) + 1
    if len(starts) >= NARROW:
        return None
    return [range(begin, end) for begin, end in pairwise([0, *starts.tolist(), n])]
