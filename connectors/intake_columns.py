"""Columns of text and numbers to readings: what is checked the same way for every kind of body."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from domain.errors import Rejected, Rejection
from domain.readings import Ints, Readings
from domain.series import parse_series
from domain.times import parse_time

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Intake:
    """What a request brought: ``positions`` (``int64[n]``) says where in it each reading stood."""

    readings: Readings
    positions: Ints
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.positions) + len(self.rejections)


def from_columns(
    series: Sequence[str],
    times: Sequence[str],
    values: Sequence[float],
    positions: Ints,
    rejections: list[Rejection],
) -> Intake:
    """Check series, time and value of n rows, in this order; a row that fails is added to ``rejections``.

    Each different text is looked at once, so that a thousand readings of one minute cost one parse of its time.
    """
    named, refused_series = _each_once(series, parse_series)
    timed, refused_times = _each_once(times, parse_time)
    index = {name: k for k, name in enumerate(named)}
    x = np.array(values, dtype=np.float64)
    if refused_series or refused_times or not np.isfinite(x).all():
        good = np.isfinite(x)
        good &= np.fromiter((name in index for name in series), dtype=np.bool_, count=len(series))
        good &= np.fromiter((time in timed for time in times), dtype=np.bool_, count=len(times))
        for k in np.flatnonzero(~good).tolist():
            error = refused_series.get(series[k]) or refused_times.get(times[k])
            error = error or Rejected("value", values[k], "value is a finite number")
            rejections.append(_printable(Rejection.of(int(positions[k]), error)))
        rows = np.flatnonzero(good).tolist()
        series, times = [series[k] for k in rows], [times[k] for k in rows]
        x, positions = x[good], positions[good]
    i = np.array([index[name] for name in series], dtype=np.int32)
    t = np.array([timed[time] for time in times], dtype=np.int64)
    return Intake(
        Readings(list(index), i, t, x), positions, sorted(rejections, key=lambda rejection: rejection.position)
    )


def rejected(position: int, error: Rejected) -> Rejection:
    """The rejection of one item, safe to be sent back as UTF-8."""
    return _printable(Rejection.of(position, error))


def every(count: int) -> NDArray[np.int64]:
    """Positions of ``count`` readings that were all taken."""
    return np.arange(count, dtype=np.int64)


def _each_once(texts: Sequence[str], parse: Callable[[str], V]) -> tuple[dict[str, V], dict[str, Rejected]]:
    parsed: dict[str, V] = {}
    refused: dict[str, Rejected] = {}
    for text in dict.fromkeys(texts):
        try:
            parsed[text] = parse(text)
        except Rejected as error:
            refused[text] = error
    return parsed, refused


def _printable(rejection: Rejection) -> Rejection:
    value = rejection.value.encode("utf-8", "replace").decode()
    if value == rejection.value:
        return rejection
    return Rejection(rejection.position, rejection.field, value, rejection.reason)
