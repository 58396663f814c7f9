"""One topic and partition: its areas, who has written to it, and how far time has come. Pure; the unit of state.

State is kept per topic and partition because only there is the order of messages the same in every run (decision
0003). A message for an area that belongs to another partition or topic is passed on there as loose readings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from domain.codec import Loose, decode, encode_loose
from domain.errors import Rejected
from domain.messages import Quarantined
from domain.ports import Record
from domain.readings import Frame, Readings, Tick
from domain.sensors import Event, SensorRegister
from domain.series import parse_series
from domain.times import TIME_MS_MAX
from domain.topics import partition_of, topic_of
from streams.area import Area
from streams.area_clock import NEVER
from streams.quarantine import Origin, unreadable
from streams.stage import Flow

MakeArea = Callable[[str], Area]
_LOOSE_PER_MESSAGE = 2_000
_GATEWAYS_MAX = 1_000  # a gateway has a new name at every start: of the oldest, readings are told apart one by one
_NOWHERE = ""  # the area of what belongs to none: it only fills the quarantine


@dataclass(slots=True)
class Step:
    """What one message led to."""

    flows: list[Flow] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    forward: list[Record] = field(default_factory=list)


class Analyser:
    """``apply`` the messages of one topic and partition in their order."""

    kind: ClassVar[str] = "analyser"
    version: ClassVar[str] = "2"  # 2: the stages assets, roads and earlier

    def __init__(self, topic: str, partition: int, register: SensorRegister, make_area: MakeArea) -> None:
        self._topic = topic
        self._partition = partition
        self._register = register
        self._make_area = make_area
        self._areas: dict[str, Area] = {}
        self._places: dict[str, tuple[str, str]] = {}  # topic and area of the series that have been met
        self._tick = NEVER
        self.seqs: dict[str, int] = {}  # the last seq applied, by gateway and start
        self.windows_lost = False  # an area goes on behind its windows: who has the log may rather read it again
        self.begins_anew: list[str] = []  # what a restored state had that this program cannot read

    def apply(self, raw: bytes) -> Step:
        """Never raises for what is in the message: what cannot be read is quarantined."""
        try:
            message = decode(raw)
        except Rejected as error:
            origin = Origin(self._topic, "")
            return Step(quarantined=[unreadable(origin, self._now(), raw, 0, error.field, error.value, error.reason)])
        if isinstance(message, Loose):
            return self._on_loose(message, raw)
        return self.on_message(message)

    def on_message(self, message: Frame | Tick) -> Step:
        """A frame or tick, once: one that the gateway sent again is passed over."""
        if message.seq <= self.seqs.get(message.gateway, -1):
            return Step()
        self.seqs.pop(message.gateway, None)  # kept in the order of their last message
        self.seqs[message.gateway] = message.seq
        if len(self.seqs) > _GATEWAYS_MAX:
            del self.seqs[next(iter(self.seqs))]
        if isinstance(message, Tick):
            self._tick = max(self._tick, message.time)
            return Step(flows=[area.on_tick(self._tick) for area in self._areas.values()])
        return self._on_readings(message.readings, message.gateway)

    def on_event(self, event: Event) -> None:
        """A maintenance event; areas that do not know the asset pass over it."""
        for area in self._areas.values():
            area.on_event(event)

    def _on_loose(self, message: Loose, raw: bytes) -> Step:
        step = self._on_readings(message.readings, "")
        origin = Origin(self._topic, "")
        step.quarantined += [
            unreadable(origin, self._now(), raw, r.position, r.field, r.value, r.reason) for r in message.rejections
        ]
        return step

    def _on_readings(self, readings: Readings, gateway: str) -> Step:
        """Each series goes to the area of its sensor, wherever the message says it belongs."""
        step = Step()
        possible = (readings.t > -TIME_MS_MAX) & (readings.t < TIME_MS_MAX)
        if not possible.all():
            step.flows.append(self._frame(_NOWHERE, readings.take(~possible), gateway))
            readings = readings.take(possible)
        of = [self._places.get(name) or self._place(name) for name in readings.series]
        number = {place: k for k, place in enumerate(dict.fromkeys(of))}
        places, group = list(number), [number[place] for place in of]
        for k, chosen in readings.split(group):
            topic, area = places[k]
            if area == _NOWHERE or (topic, partition_of(area)) == (self._topic, self._partition):
                step.flows.append(self._frame(area, chosen, gateway))
            else:
                step.forward += _loose_records(topic, area, chosen)
        return step

    def _frame(self, area: str, readings: Readings, gateway: str) -> Flow:
        return self._area(area).on_frame(readings, Origin(self._topic, gateway), self._tick)

    def _place(self, series: str) -> tuple[str, str]:
        """Topic and area of a series; one that has no place may be given one later, so that is not kept."""
        try:
            name = parse_series(series)
        except Rejected:
            return self._topic, _NOWHERE
        sensor = self._register.find(name.sensor)
        if sensor is None:
            return self._topic, _NOWHERE
        place = self._places[series] = topic_of(name.quantity), sensor.area
        return place

    def _area(self, name: str) -> Area:
        area = self._areas.get(name)
        if area is None:
            area = self._areas[name] = self._make_area(name)
        return area

    @property
    def clock(self) -> int:
        """The latest tick, epoch ms; ``NEVER`` before the first."""
        return self._tick

    def _now(self) -> int:
        return max(self._tick, 0)

    def snapshot(self) -> dict[str, Any]:
        return {
            "tick": self._tick,
            "seqs": dict(self.seqs),
            "areas": {name: area.snapshot() for name, area in self._areas.items()},
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """What cannot be read begins anew; ``begins_anew`` says so in words."""
        self._tick = payload["tick"]
        self.seqs = dict(payload["seqs"])
        for name, kept in payload["areas"].items():
            try:
                told = self._area(name).restore(kept)
            except Rejected as error:
                self._areas[name] = self._make_area(name)
                self._areas[name].begin_after(kept)
                told = [f"everything: {error}"]
                self.windows_lost = True
            self.windows_lost |= any(words.startswith("window: ") for words in told)
            self.begins_anew += [f"area {name or 'of what belongs nowhere'}, {words}" for words in told]


def _loose_records(topic: str, area: str, readings: Readings) -> list[Record]:
    parts = range(0, len(readings), _LOOSE_PER_MESSAGE)
    return [
        Record(topic, partition_of(area), area.encode(), encode_loose(readings, begin, begin + _LOOSE_PER_MESSAGE))
        for begin in parts
    ]
