"""What the stages of one area share: who writes each part is said here, the others only read it."""

from dataclasses import dataclass

from domain.sensors import SensorRegister
from models.interval import IntervalLearner
from streams.area_clock import AreaClock, Patience
from streams.reading_log import ReadingLog
from streams.series_index import SeriesIndex


@dataclass(frozen=True, slots=True)
class Board:
    """The validate stage writes all of these."""

    area: str
    patience: Patience
    index: SeriesIndex
    log: ReadingLog
    clock: AreaClock
    interval: IntervalLearner

    @classmethod
    def of(cls, area: str, register: SensorRegister, patience: Patience) -> "Board":
        return cls(area, patience, SeriesIndex(register), ReadingLog(), AreaClock(patience), IntervalLearner())
