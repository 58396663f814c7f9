"""What happens in the demo town: a few things in the days before now, something at once, then a steady mix for ever."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain.times import HOUR_MS, MINUTE_MS, SECOND_MS
from simulator.events import Crash, EnergyEvent, FeederFault, Overload, PollutionEpisode, WorldEvent
from simulator.faults import (
    CounterReset,
    Drift,
    DropOut,
    Noisy,
    Offset,
    SensorFault,
    Silent,
    Spikes,
    Stuck,
    WrongUnit,
)
from simulator.noise import Noise
from simulator.plan import Town
from simulator.script import Script
from simulator.signals import phases
from simulator.transport import Duplicate, Late, OutOfOrder, TransportFault

Item = WorldEvent | SensorFault | TransportFault

_SLOTS = 10  # an hour has ten slots of six minutes, one thing begins in each
_SLOT_MS = HOUR_MS // _SLOTS
_LONGEST_MS = 3 * HOUR_MS  # nothing here lasts longer, effects included
_FIRST_MIX_MS = 3 * MINUTE_MS  # the first minutes after now belong to the opening
_AIR_FAULTS: tuple[type[SensorFault], ...] = (Stuck, Noisy, Offset, Drift, DropOut)
_TRAFFIC_FAULTS: tuple[type[SensorFault], ...] = (Stuck, DropOut, Noisy, WrongUnit, Silent, Spikes)
_ENERGY_FAULTS: tuple[type[SensorFault], ...] = (CounterReset, Spikes, Stuck, WrongUnit, DropOut)
_TRANSPORT: tuple[type[TransportFault], ...] = (Late, Duplicate, OutOfOrder)


@dataclass
class DemoScript:
    """Drawn hour by hour from a hash of the seed and the hour, so it goes on for ever and any part can be asked for."""

    town: Town
    seed: int
    now_ms: int
    fixed: tuple[Item, ...]
    _hours: dict[int, tuple[Item, ...]] = field(default_factory=dict)

    def events(self, start: int, end: int) -> Sequence[WorldEvent]:
        items = self._items(start, end)
        return [item for item in items if isinstance(item, WorldEvent) and item.start < end and start < item.over]

    def faults(self, start: int, end: int) -> Sequence[SensorFault]:
        items = self._items(start, end)
        return [item for item in items if isinstance(item, SensorFault) and item.start < end and start < item.end]

    def transport(self, start: int, end: int) -> Sequence[TransportFault]:
        items = self._items(start, end)
        return [item for item in items if isinstance(item, TransportFault) and item.start < end and start < item.end]

    def energy_events(self, before: int) -> Sequence[EnergyEvent]:
        hours = range(self.now_ms // HOUR_MS, before // HOUR_MS + 1)
        items = (*self.fixed, *(item for hour in hours for item in self._hour(hour)))
        return [item for item in items if isinstance(item, EnergyEvent) and item.start < before]

    def _items(self, start: int, end: int) -> Sequence[Item]:
        first = max(start - _LONGEST_MS, self.now_ms) // HOUR_MS
        return (*self.fixed, *(item for hour in range(first, end // HOUR_MS + 1) for item in self._hour(hour)))

    def _hour(self, hour: int) -> tuple[Item, ...]:
        if hour not in self._hours:
            slots = (self._slot(hour * _SLOTS + k) for k in range(_SLOTS))
            self._hours[hour] = tuple(item for item in slots if item.start >= self.now_ms + _FIRST_MIX_MS)
        return self._hours[hour]

    def _slot(self, slot: int) -> Item:
        """Thing number ``slot`` since the epoch. Targets are taken in turn, so that one is not hit twice at a time."""
        noise = Noise(self.seed, "demo")
        start = slot * _SLOT_MS + int(noise.fraction("start", slot) * 0.8 * _SLOT_MS) // SECOND_MS * SECOND_MS
        length = noise.fraction("length", slot)
        make: tuple[Callable[[int, int, float], Item], ...] = (
            self._crash, self._traffic_fault, self._pollution, self._energy_fault, self._crash,
            self._feeder, self._air_fault, self._traffic_fault, self._overload, self._transport,
        )  # fmt: skip
        return make[slot % _SLOTS](slot, start, length)

    def _crash(self, slot: int, start: int, length: float) -> Item:
        loops = [site for site in self.town.loops if site.road.road_class != "tertiary"]
        # Half a turn of the list apart, the two crashes of an hour are far from each other.
        nth = slot // _SLOTS * 2 + (slot % _SLOTS > 0)
        at = nth * (len(loops) // 2 + 3) % len(loops)
        return Crash(loops[at].sensor.sensor, start, start + int((9 + 14 * length) * MINUTE_MS), 0.75 + 0.2 * length)

    def _pollution(self, slot: int, start: int, length: float) -> Item:
        areas = list(dict.fromkeys(site.sensor.area for site in self.town.stations))
        area = areas[slot // _SLOTS * 3 % len(areas)]
        return PollutionEpisode(area, start, start + int((18 + 22 * length) * MINUTE_MS), 0.4 + 0.5 * length)

    def _feeder(self, slot: int, start: int, length: float) -> Item:
        return FeederFault(self._substation(slot, 0), start, start + int((6 + 10 * length) * MINUTE_MS))

    def _overload(self, slot: int, start: int, length: float) -> Item:
        return Overload(self._substation(slot, 3), start, start + int((12 + 15 * length) * MINUTE_MS), 0.8)

    def _substation(self, slot: int, turn: int) -> str:
        areas = list(dict.fromkeys(site.sensor.area for site in self.town.meters))
        return areas[(slot // _SLOTS + turn) % len(areas)]

    def _traffic_fault(self, slot: int, start: int, length: float) -> Item:
        loops = self.town.loops
        site = loops[slot // 2 * 17 % len(loops)].sensor.sensor
        return self._fault(_TRAFFIC_FAULTS, site, slot, start, length)

    def _air_fault(self, slot: int, start: int, length: float) -> Item:
        site = self.town.stations[slot // _SLOTS * 7 % len(self.town.stations)].sensor.sensor
        return self._fault(_AIR_FAULTS, site, slot, start, length)

    def _energy_fault(self, slot: int, start: int, length: float) -> Item:
        site = self.town.meters[slot // _SLOTS * 11 % len(self.town.meters)].sensor.sensor
        return self._fault(_ENERGY_FAULTS, site, slot, start, length)

    def _fault(self, kinds: tuple[type[SensorFault], ...], site: str, slot: int, start: int, length: float) -> Item:
        kind = kinds[Noise(self.seed, "demo-kind").pick(site, slot, len(kinds))]
        minutes = 60 + 50 * length if kind is Drift else 12 + 20 * length
        return kind(site, start, start + int(minutes * MINUTE_MS), 1.0)

    def _transport(self, slot: int, start: int, length: float) -> Item:
        areas = self.town.areas
        kind = _TRANSPORT[slot // _SLOTS % len(_TRANSPORT)]
        return kind(areas[slot // _SLOTS * 5 % len(areas)], start, start + int((5 + 6 * length) * MINUTE_MS))


def demo_script(town: Town, seed: int, now_ms: int) -> Script:
    """The demo's schedule.

    Seven things lie in the three days before ``now_ms``. A crash and a tripped feeder follow within seconds of it,
    where the next reading shows them. From the fourth minute on a new thing begins every six minutes, for ever.
    """
    return DemoScript(town, seed, now_ms, (*_past(town, seed, now_ms), *_opening(town, seed, now_ms)))


def _past(town: Town, seed: int, now: int) -> tuple[Item, ...]:
    noise = Noise(seed, "demo-past")

    def ago(hours: float) -> int:
        return (now - int(hours * HOUR_MS)) // MINUTE_MS * MINUTE_MS

    ring = [site.sensor.sensor for site in town.loops if site.road.road_class == "primary"]
    inward = [site.sensor.sensor for site in town.loops if site.road.road_class == "secondary"] or ring
    airs = [site.sensor for site in town.stations]
    meters = [site.sensor for site in town.meters]
    return (
        PollutionEpisode(airs[noise.pick("air", 0, len(airs))].area, ago(31), ago(30), 0.7),
        Crash(ring[noise.pick("ring", 0, len(ring))], ago(26.2), ago(25.8), 0.85),
        FeederFault(meters[noise.pick("meter", 0, len(meters))].area, ago(20), ago(19.7)),
        Offset(airs[noise.pick("air", 1, len(airs))].sensor, ago(9), ago(8), 1.0),
        Crash(inward[noise.pick("inward", 0, len(inward))], ago(4.6), ago(4.2), 0.85),
        Stuck(ring[noise.pick("ring", 1, len(ring))], ago(1.8), ago(1.2), 1.0),
        # Dead since yesterday and still: what waits on the page for whoever opens it.
        Silent(airs[noise.pick("air", 2, len(airs))].sensor, ago(23), now + 6 * HOUR_MS, 1.0),
    )


def _opening(town: Town, seed: int, now: int) -> tuple[Item, ...]:
    """A crash where a ring loop reports soonest from 10 s after now, a trip where most meters report before 25 s."""
    ring = [site.sensor for site in town.loops if site.road.road_class == "primary"]
    soonest = int(np.argmin((phases(seed, ring) - now - 10 * SECOND_MS) % MINUTE_MS))
    meters = [site.sensor for site in town.meters]
    waits = (phases(seed, meters) - now - 5 * SECOND_MS) % MINUTE_MS
    soon = dict.fromkeys((meter.area for meter in meters), 0)
    for meter, wait in zip(meters, waits, strict=True):
        soon[meter.area] += int(wait < 20 * SECOND_MS)
    return (
        # It happened half a minute ago, so that the first reading already shows the queue.
        Crash(ring[soonest].sensor, now - 30 * SECOND_MS, now + 14 * MINUTE_MS, 0.9),
        FeederFault(max(soon, key=lambda area: soon[area]), now + 5 * SECOND_MS, now + 7 * MINUTE_MS),
    )
