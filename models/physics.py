"""Contradictions between quantities that one sensor measures at one time (:data:`models.quality_limits.LAWS`).

Readings of one time need not come in one frame: they are looked up among the recent readings of the area, so that the
verdict does not depend on how readings are cut into frames; what came earlier is told of again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints, Mask, Rows
from models.physical_laws import LAWS, TOGETHER_MS, Law
from models.series_spec import SeriesSpec


class Physics:
    """Which rows belong together, per law."""

    def __init__(self, laws: Sequence[Law] = LAWS) -> None:
        self._laws = laws
        self._rows: dict[tuple[str, str], int] = {}
        self._partners: list[NDArray[np.int32]] = [np.empty((0, len(law.quantities)), np.int32) for law in laws]
        self._bound = np.empty(0, dtype=bool)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Find the rows of each law anew when there are new series."""
        if len(specs) == len(self._bound):
            return
        self._rows = {(spec.sensor.sensor, spec.quantity.name): row for row, spec in enumerate(specs)}
        self._bound = np.zeros(len(specs), dtype=bool)
        for k, law in enumerate(self._laws):
            sensors = [sensor for sensor, quantity in self._rows if quantity == law.quantities[0]]
            groups = [[self._rows.get((sensor, q), -1) for q in law.quantities] for sensor in sensors]
            whole = [group for group in groups if min(group) >= 0]
            self._partners[k] = np.array(whole, np.int32).reshape(len(whole), len(law.quantities))
            self._bound[self._partners[k].ravel()] = True

    def concerns(self, row: Rows) -> bool:
        """Whether any of the rows stands under a law."""
        return bool(self._bound[row].any())

    def broken(self, row: Rows, t: Ints, x: Floats, fresh: Mask) -> Mask:
        """``bool[n]``: the readings that contradict others of their sensor, where one of those involved is ``fresh``.

        Args:
            row, t, x: all readings of the time in question, each (row, t) once, in any order.
            fresh: ``bool[n]``, those that have not been judged before.
        """
        wrong = np.zeros(len(row), dtype=bool)
        order = np.lexsort((t, row))
        row, t, x, fresh = row[order], t[order], x[order], fresh[order]
        for law, partners in zip(self._laws, self._partners, strict=True):
            if not len(partners):
                continue
            group = np.full(len(self._bound), -1, np.int32)
            group[partners[:, 0]] = np.arange(len(partners))
            anchor = np.flatnonzero(group[row] >= 0)
            at = [anchor]
            at += [_nearest(row, t, partners[group[row[anchor]], k], t[anchor]) for k in range(1, partners.shape[1])]
            met = np.all([a >= 0 for a in at], axis=0) & np.any([fresh[a] for a in at], axis=0)
            at = [a[met] for a in at]
            if not len(at[0]):
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                bad = law.broken(*(x[a] for a in at))
            for a, flags in zip(at, law.flags, strict=True):
                if flags:
                    wrong[a[bad]] = True
        found = np.empty_like(wrong)
        found[order] = wrong
        return found


def _nearest(row: Rows, t: Ints, of: Rows, when: Ints) -> NDArray[np.intp]:
    """Position of the reading of row ``of[k]`` nearest to ``when[k]``, -1 where none is near; sorted by (row, t)."""
    if not len(of) or not len(row):
        return np.full(len(of), -1, np.intp)
    start = int(t.min())
    span = int(t.max()) - start + 2 * TOGETHER_MS + 2
    keys = row.astype(np.int64) * span + (t - start)
    wanted = of.astype(np.int64) * span + (when - start)
    after = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    before = np.maximum(after - 1, 0)
    away_after, away_before = np.abs(keys[after] - wanted), np.abs(keys[before] - wanted)
    best = np.where(away_before <= away_after, before, after)
    return np.where(np.minimum(away_after, away_before) <= TOGETHER_MS, best, -1)
