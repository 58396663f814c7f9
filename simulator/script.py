"""What is to happen in the town: world events, sensor faults and transport faults, asked for by time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.instrument import SensorFault
from simulator.plan import Town
from simulator.transport import TransportFault
from simulator.truth import Truth
from simulator.world_event import EnergyEvent, WorldEvent


class Script(Protocol):
    """A schedule. It may go on for ever, so it is asked for stretches of time (epoch ms, the end exclusive)."""

    def events(self, start: int, end: int) -> Sequence[WorldEvent]:
        """Events with an effect in the stretch."""

    def faults(self, start: int, end: int) -> Sequence[SensorFault]:
        """Sensor faults present in the stretch."""

    def transport(self, start: int, end: int) -> Sequence[TransportFault]:
        """Transport faults present in the stretch."""

    def energy_events(self, before: int) -> Sequence[EnergyEvent]:
        """Every energy event since the script began that starts before a time: counters remember them."""


@dataclass(frozen=True, slots=True)
class FixedScript:
    """A schedule with an end, as a scenario has."""

    world: tuple[WorldEvent, ...] = ()
    sensors: tuple[SensorFault, ...] = ()
    feed: tuple[TransportFault, ...] = ()

    def events(self, start: int, end: int) -> Sequence[WorldEvent]:
        return [event for event in self.world if event.start < end and start < event.over]

    def faults(self, start: int, end: int) -> Sequence[SensorFault]:
        return [fault for fault in self.sensors if fault.start < end and start < fault.end]

    def transport(self, start: int, end: int) -> Sequence[TransportFault]:
        return [fault for fault in self.feed if fault.start < end and start < fault.end]

    def energy_events(self, before: int) -> Sequence[EnergyEvent]:
        return [event for event in self.world if isinstance(event, EnergyEvent) and event.start < before]


QUIET = FixedScript()


def fixed(items: Iterable[WorldEvent | SensorFault | TransportFault]) -> FixedScript:
    """A schedule of these things."""
    each = list(items)
    return FixedScript(
        tuple(item for item in each if isinstance(item, WorldEvent)),
        tuple(item for item in each if isinstance(item, SensorFault)),
        tuple(item for item in each if isinstance(item, TransportFault)),
    )


class LiveScript:
    """A schedule to which things can be added while it is played.

    ``revision`` rises with each addition: whoever has computed ahead knows by it that this has to be done again.
    """

    def __init__(self, planned: Script) -> None:
        self._planned = planned
        self._added = QUIET
        self.revision = 0

    def add(self, item: WorldEvent | SensorFault | TransportFault) -> None:
        """It has to begin now or later: what has been sent is not changed."""
        known = [*self._added.world, *self._added.sensors, *self._added.feed, item]
        self._added = fixed(known)
        self.revision += 1

    def events(self, start: int, end: int) -> Sequence[WorldEvent]:
        return [*self._planned.events(start, end), *self._added.events(start, end)]

    def faults(self, start: int, end: int) -> Sequence[SensorFault]:
        return [*self._planned.faults(start, end), *self._added.faults(start, end)]

    def transport(self, start: int, end: int) -> Sequence[TransportFault]:
        return [*self._planned.transport(start, end), *self._added.transport(start, end)]

    def energy_events(self, before: int) -> Sequence[EnergyEvent]:
        return [*self._planned.energy_events(before), *self._added.energy_events(before)]


def truth(script: Script, town: Town, start: int, end: int) -> Iterator[Truth]:
    """Labels of all that acts in a stretch of time."""
    for event in script.events(start, end):
        yield event.truth(town)
    for fault in script.faults(start, end):
        yield fault.truth(town)
    for trouble in script.transport(start, end):
        yield trouble.truth(town)
