"""What every model is. Models work on columns of one area; a row is a series, given out in the order of ``ensure``.

State goes in and out as ``(kind, version, payload)``: the first two are class attributes, ``snapshot`` gives the
payload as a dict of plain values, numpy arrays, bytes, and dicts and lists of these; never a pickle.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.readings import Flags, Floats, Ints, Rows
from domain.scores import Judged, Scores
from models.series_spec import SeriesSpec

Payload = dict[str, Any]


class Stateful(Protocol):
    """State that can be taken out and put back; put back into a fresh object it must go on exactly as before."""

    kind: ClassVar[str]
    version: ClassVar[str]

    def snapshot(self) -> Payload: ...

    def restore(self, payload: Mapping[str, Any]) -> None: ...


class Detector(Stateful, Protocol):
    """Scores readings one after the other in the order of time: each is scored first, then learned."""

    parameters: Mapping[str, Any]

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room: ``specs`` are all series of the area so far; those met before keep their rows and state."""

    def observe(self, readings: Judged) -> Scores:
        """Score, then learn. Readings flagged FAIL are scored but not learned."""


class QualityTests(Stateful, Protocol):
    """Flags readings one after the other in the order of time."""

    def ensure(self, specs: Sequence[SeriesSpec]) -> None: ...

    def check(self, readings: Judged, refused: Judged) -> tuple[Flags, NDArray[np.uint32], Judged]:
        """Flag and failed tests of each reading, to be combined with those it already has; and what is now known of
        earlier readings, by (row, t), to be added to theirs. Readings that were ``refused``, because no instrument
        can measure them, are judged for what they say of others; their own ``tests`` are added to in place."""

    def apart(self, until_ms: int) -> tuple[Rows, Ints]:
        """What is known of the hours that end by ``until_ms`` once all their readings are there: rows that failed
        against their neighbours, and the start of each such hour (epoch ms)."""

    def slow_residual(self) -> Floats:
        """``float64[rows]``: how far each series has been from its usual course of late, in its own scatter."""
