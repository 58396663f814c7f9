"""The same stages in memory, as fast as it goes: for backtests, replay checks and tests."""

from collections.abc import Iterable, Iterator

import numpy as np

from domain.errors import Rejected
from domain.readings import Frame, Readings, Tick
from domain.sensors import Event, SensorRegister
from domain.series import parse_series
from domain.times import DAY_MS, HOUR_MS
from domain.topics import partition_of, topic_of
from streams.analyser import Analyser, Step
from streams.area_clock import NEVER
from streams.setup import Setup

_GATEWAY = "driver"


class Driver:
    """Feeds analysers with frames and ticks, each topic and partition in the order it would have in the log."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._analysers: dict[tuple[str, int], Analyser] = {}
        self._seq = 0
        self._begin = NEVER  # of the span under way; what comes to a new place comes after this tick

    def apply(self, topic: str, partition: int, raw: bytes) -> Step:
        """One message as it stands in a topic."""
        return self._analyser(topic, partition).apply(raw)

    def run(self, chunks: Iterable[Readings], events: Iterable[Event] = ()) -> Iterator[Step]:
        """Readings in the order of time, cut into frames; a tick at the end of each span, events in between.

        Time also passes over a stretch without readings, before what comes after it: else that would be ahead of the
        clock, and what one series does would change what becomes of another.

        Args:
            chunks: readings sorted by time, within and across chunks.
            events: maintenance events.
        """
        due = sorted(events, key=lambda event: event.time)
        end = None
        for day in _days(chunks):
            for begin, span_end, part in _spans(day):
                if end is not None and span_end != end:
                    yield from self._pass_time(end, due)
                    if begin > end:
                        yield from self._pass_time(begin, due)
                self._begin, end = begin, span_end
                yield from self._frames(part)
        if end is not None:
            yield from self._pass_time(end + self._setup.patience.lateness_ms, due)

    def _frames(self, readings: Readings) -> Iterator[Step]:
        number: dict[tuple[str, str], int] = {}
        register = self._setup.register
        group = [number.setdefault(_place(register, name), len(number)) for name in readings.series]
        places = list(number)
        for k, part in readings.split(group):
            topic, area = places[k]
            place = topic, partition_of(area)
            if place not in self._analysers:
                yield self._analyser(*place).on_message(Tick(_GATEWAY, self._next_seq(), self._begin))
            yield self._analyser(*place).on_message(Frame(_GATEWAY, self._next_seq(), area, part))

    def _pass_time(self, now: int, due: list[Event]) -> Iterator[Step]:
        while due and due[0].time <= now:
            event = due.pop(0)
            for analyser in self._analysers.values():
                analyser.on_event(event)
        for _, analyser in sorted(self._analysers.items()):
            yield analyser.on_message(Tick(_GATEWAY, self._next_seq(), now))

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _analyser(self, topic: str, partition: int) -> Analyser:
        place = (topic, partition)
        if place not in self._analysers:
            self._analysers[place] = self._setup.analyser(topic, partition)
        return self._analysers[place]


def _place(register: SensorRegister, series: str) -> tuple[str, str]:
    """Topic and area; what has no place goes where it is put aside."""
    try:
        name = parse_series(series)
    except Rejected:
        return "readings.energy", ""
    sensor = register.find(name.sensor)
    return topic_of(name.quantity), sensor.area if sensor else ""


def _days(chunks: Iterable[Readings]) -> Iterator[Readings]:
    """Cut anew at whole days, so that nothing depends on how the readings happened to be cut before."""
    waiting: list[Readings] = []
    for chunk in chunks:
        which = chunk.t // DAY_MS
        for part in np.split(np.arange(len(chunk)), np.flatnonzero(np.diff(which)) + 1):
            if not len(part):
                continue
            if waiting and waiting[0].t[0] // DAY_MS != which[part[0]]:
                yield _in_order(Readings.joined(waiting))
                waiting = []
            waiting.append(chunk.take(part))
    if waiting:
        yield _in_order(Readings.joined(waiting))


def _in_order(readings: Readings) -> Readings:
    """The series by name: which came first in a chunk tells how it was cut, and must not number the rows of an area."""
    order = sorted(range(len(readings.series)), key=readings.series.__getitem__)
    new = np.empty(len(order), dtype=np.int32)
    new[order] = np.arange(len(order), dtype=np.int32)
    return Readings([readings.series[k] for k in order], new[readings.i], readings.t, readings.x)


def _spans(readings: Readings) -> Iterator[tuple[int, int, Readings]]:
    """Cut at whole hours, or not at all where readings are far apart; begin and end of the span (epoch ms)."""
    covered = max(1, int(readings.t[-1] - readings.t[0]))
    span = HOUR_MS if len(readings) / len(readings.series) * HOUR_MS > 4 * covered else DAY_MS
    which = readings.t // span
    cuts = np.flatnonzero(np.diff(which)) + 1
    for begin, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(readings)], strict=True):
        number = int(which[begin])
        yield number * span, (number + 1) * span, readings.take(np.arange(begin, stop))
