"""Readings in columns, the shape in which they are carried and worked on everywhere."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings of m series.

    Attributes:
        series: the m series names, each once.
        i: ``int32[n]``, index into ``series``.
        t: ``int64[n]``, event time in epoch ms.
        x: ``float64[n]``, value in the quantity's unit; NaN says "reported as missing".
    """

    series: list[str]
    i: Rows
    t: Ints
    x: Floats

    def __len__(self) -> int:
        return len(self.t)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Readings":
        """The chosen readings, in their order; ``series`` keeps only what is used."""
        used, i = np.unique(self.i[chosen], return_inverse=True)
        return Readings([self.series[k] for k in used], i.astype(np.int32), self.t[chosen], self.x[chosen])

    def split(self, group: Sequence[int]) -> Iterator[tuple[int, "Readings"]]:
        """The readings of each group, in the order of the groups' numbers; ``group[k]`` is the group of series k."""
        of = np.asarray(group, dtype=np.int64)[self.i]
        order = np.argsort(of, kind="stable")
        bounds = np.flatnonzero(np.diff(of[order])) + 1
        if len(order) and not len(bounds):
            yield int(of[0]), self
        elif len(order):
            for part in np.split(order, bounds):
                yield int(of[part[0]]), self.take(part)

    @classmethod
    def joined(cls, parts: Sequence["Readings"]) -> "Readings":
        """One after the other, each series named once."""
        if len(parts) == 1:
            return parts[0]
        names: dict[str, int] = {}
        places = [np.array([names.setdefault(name, len(names)) for name in part.series], np.int32) for part in parts]
        return cls(
            list(names),
            np.concatenate([place[part.i] for place, part in zip(places, parts, strict=True)]),
            np.concatenate([part.t for part in parts]),
            np.concatenate([part.x for part in parts]),
        )

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, float]]) -> "Readings":
        """From ``(series, epoch ms, value)`` triples, in their order."""
        names: dict[str, int] = {}
        triples = [(names.setdefault(series, len(names)), t, x) for series, t, x in rows]
        return cls(
            list(names),
            np.array([row[0] for row in triples], dtype=np.int32),
            np.array([row[1] for row in triples], dtype=np.int64),
            np.array([row[2] for row in triples], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """Many readings of one area: the unit that travels. ``seq`` rises by one per gateway, topic and partition."""

    gateway: str
    seq: int
    area: str
    readings: Readings


@dataclass(frozen=True, slots=True)
class Tick:
    """The passing of time, written in the log: ``time`` is the gateway's clock in epoch ms."""

    gateway: str
    seq: int
    time: int
