"""Power, energy and voltage at the meters.

Power without instrument noise runs in straight lines between nodes every 15 minutes; the counter is its exact
integral. A main feeder measures the sum of the meters behind it, of customers without a meter, and the losses. What a
meter reports as power scatters round it by :data:`METER_NOISE`, so over an hour counter and mean reported power agree
to about 0.2 %.

With events the counters follow exactly: while the same events act, they change loads by constants.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import HOUR_MS, MINUTE_MS
from simulator.load_profile import LOSSES, Profile
from simulator.noise import Noise
from simulator.plan import Town
from simulator.world_event import EnergyEvent, Load

METER_NOISE = 0.012
NOMINAL_V = 244.0  # usual in British low-voltage networks; 230 V +10/-6 % is allowed

Rows = NDArray[np.intp]
#: of some meters at times ``[rows, n]``: what they take themselves, and the sun on a roof; as power or as energy
Read = Callable[[Rows, Ints], tuple[Floats, Floats]]


class Energy:
    """The meters of a town. Rows are meters, in the order of ``town.meters``."""

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._seed = seed
        self._profile = Profile(town, seed)
        self._keys, self._rated, self._roof = self._profile.keys, self._profile.rated, self._profile.roof
        self._member, self._main = self._profile.member, self._profile.main
        self._past: dict[tuple[EnergyEvent, ...], Floats] = {}

    def readings(
        self, t: Ints, active: Sequence[EnergyEvent], earlier: Sequence[EnergyEvent]
    ) -> tuple[Floats, Floats, Floats]:
        """Active power kW, counter kWh and voltage V at times ``t[m, n]``.

        Args:
            active: events that act somewhere in ``t``. earlier: all that began before its end, counters keep them.
        """
        if t.size == 0:
            return np.zeros(t.shape), np.zeros(t.shape), np.zeros(t.shape)
        power, counter = self._profile.meters(np.arange(len(t)), t)
        volts = self._voltage(t, power)
        for start, end, load in _spans(self._town, active):
            inside = (t >= start) & (t < end)
            if inside.any():
                power = power + np.where(inside, self._changed(load, t), 0.0)
                volts = volts * np.where(inside, load.volts[:, None], 1.0)
        for group in _groups(earlier):
            counter = counter + self._since(group, t)
        power = power * (1 + METER_NOISE * Noise(self._seed, "meter").normal(self._keys, t))
        return np.round(power, 3), np.round(counter, 3), np.round(volts, 1)

    def _voltage(self, t: Ints, power: Floats) -> Floats:
        """Falls with the load of the meter and with the evening's, wanders as the transformer's taps change."""
        noise = Noise(self._seed, "volts").smooth(self._keys, t, 20 * MINUTE_MS)
        quick = Noise(self._seed, "volts-now").normal(self._keys, t)
        share = power / np.maximum(self._rated[:, None], 1e-9)
        return np.asarray(NOMINAL_V - 6.0 * share + 0.9 * noise + 0.25 * quick, dtype=np.float64)

    def _changed(self, load: Load, t: Ints) -> Floats:
        """kW by which a load changes power at times ``t[m, n]``."""

        def taken(rows: Rows, when: Ints) -> tuple[Floats, Floats]:
            return self._profile.meters(rows, when)[0], self._profile.sun(when)[0]

        return self._change(load, t, taken) + self._constant(load)[:, None]

    def _since(self, group: tuple[EnergyEvent, ...], t: Ints) -> Floats:
        """kWh by which a group of events that overlap has changed the counters at times ``t``."""
        over = max(event.end for event in group)
        if int(t.min()) < over:
            return self._energy(group, t)
        if group not in self._past:
            self._past[group] = self._energy(group, np.full((len(self._keys), 1), over, dtype=np.int64))
        return self._past[group]

    def _energy(self, group: tuple[EnergyEvent, ...], t: Ints) -> Floats:
        total = np.zeros(t.shape)
        for start, end, load in _spans(self._town, group):
            if int(t.max()) <= start:
                continue
            at, begin = np.clip(t, start, end), np.full((len(t), 1), start, dtype=np.int64)

            def used(rows: Rows, when: Ints) -> tuple[Floats, Floats]:
                return self._profile.meters(rows, when)[1], self._profile.sun(when)[1]

            change = self._change(load, at, used) - self._change(load, begin, used)
            total = total + change + self._constant(load)[:, None] * ((at - start) / HOUR_MS)
        return np.asarray(total, dtype=np.float64)

    def _change(self, load: Load, t: Ints, read: Read) -> Floats:
        """A load applied to what ``read`` tells of meters; a main feeder also sees what its members change."""
        rows = np.flatnonzero((load.factor != 1) | (load.solar != 0))
        change = np.zeros(t.shape)
        behind = np.isin(self._member, rows)
        for onto, of, weight in (
            (rows, rows, 1.0),
            (self._main[behind], self._member[behind], LOSSES),
        ):
            if len(of):
                own, sun = read(of, t[onto])
                if weight == 1.0:
                    own = own - self._behind(onto, t[onto], read)
                delta = (load.factor[of] - 1)[:, None] * own + (load.solar[of] * self._roof[of])[:, None] * sun
                np.add.at(change, onto, weight * delta)
        return change

    def _behind(self, rows: Rows, t: Ints, read: Read) -> Floats:
        """What of a main feeder's reading is its members': a load on the feeder acts on the rest by itself."""
        total = np.zeros(t.shape)
        place = np.full(len(self._keys), -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        chosen = place[self._main] >= 0
        if chosen.any():
            at = place[self._main[chosen]]
            np.add.at(total, at, LOSSES * read(self._member[chosen], t[at])[0])
        return np.asarray(total, dtype=np.float64)

    def _constant(self, load: Load) -> Floats:
        """kW that a load takes for itself, also as seen by the main feeders."""
        own = load.rated * self._rated
        total = own.copy()
        np.add.at(total, self._main, LOSSES * own[self._member])
        return np.asarray(total, dtype=np.float64)


def _spans(town: Town, events: Sequence[EnergyEvent]) -> Iterator[tuple[int, int, Load]]:
    """Stretches in which the same events act, each with what they do together."""
    bounds = sorted({bound for event in events for bound in (event.start, event.end)})
    for start, end in pairwise(bounds):
        acting = [event.load(town) for event in events if event.start <= start and end <= event.end]
        if acting:
            yield start, end, reduce(_both, acting)


def _both(a: Load, b: Load) -> Load:
    """First one, then the other: factors multiply, what is added by the first is changed by the second."""
    return Load(a.factor * b.factor, a.rated * b.factor + b.rated, a.solar * b.factor + b.solar, a.volts * b.volts)


def _groups(events: Sequence[EnergyEvent]) -> Iterator[tuple[EnergyEvent, ...]]:
    """Events that overlap in time stand together."""
    group: list[EnergyEvent] = []
    for event in sorted(events, key=lambda event: (event.start, event.end, event.kind, event.target)):
        if group and event.start >= max(other.end for other in group):
            yield tuple(group)
            group = []
        group.append(event)
    if group:
        yield tuple(group)
