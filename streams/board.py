"""What the stages of one area share: who writes each part is said here, the others only read it."""

from dataclasses import dataclass, field

import numpy as np

from domain.readings import Floats, Ints
from domain.sensors import Link, SensorRegister
from models.interval import IntervalLearner
from models.neighbour_lists import NeighbourLists
from streams.area_clock import NEVER, AreaClock, Patience
from streams.reading_log import ReadingLog
from streams.series_index import SeriesIndex


@dataclass(slots=True)
class Board:
    """The validate stage writes all of these.

    Attributes:
        links: the road graph, of the whole register.
        near: which series stand beside which.
        keep_from: ``int64[rows]`` from which event time on readings of each row may still change something, epoch ms;
            moves on from time to time.
        slow_residual: ``float64[rows]`` how far each series has been from its usual course of late, in its own scatter.
        floor: windows that begin before it were published by a state that is lost: they stay as they are (epoch ms).
        begins_anew: what a restored state had no part for that this program can read, in words.
    """

    area: str
    patience: Patience
    index: SeriesIndex
    log: ReadingLog
    clock: AreaClock
    interval: IntervalLearner
    links: tuple[Link, ...] = ()
    near: NeighbourLists = field(default_factory=NeighbourLists)
    keep_from: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    slow_residual: Floats = field(default_factory=lambda: np.empty(0))
    floor: int = NEVER
    begins_anew: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, area: str, register: SensorRegister, patience: Patience) -> "Board":
        index = SeriesIndex(register)
        links = register.links
        near = NeighbourLists(links)
        return cls(area, patience, index, ReadingLog(), AreaClock(patience), IntervalLearner(), links, near)
