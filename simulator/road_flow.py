"""The roads over time: hours of traffic, computed when they are asked for and always the same.

The model has a memory, so it is played in chunks from a known state: every day at 03:00 UTC (03:00 or 04:00 local
time, when hardly anybody drives) begins at free flow with half an hour of run-up, so any day can be computed by
itself. The state at each full hour is kept. With world events an hour is played a second time, from the first hour on
in which one of them acts; where that makes no material difference to a loop, the loop is taken from the undisturbed
play: what an event does not really reach stays the same to the last digit.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.cells import Minutes, State, advance, at_rest
from simulator.demand import Demand
from simulator.geometry import LAT, LON
from simulator.network import Network, build
from simulator.plan import Town
from simulator.weather import weather
from simulator.world_event import TrafficEvent

RESET_MS = 3 * HOUR_MS
_RUN_UP = 30  # minutes
_MINUTES = 60
_KEPT_VALUES = 6_000_000  # of hours of loops, and of states of cells
SPEED_MATTERS = 5.0  # km/h
FLOW_MATTERS = 0.12  # of the capacity: less is within the scatter of a minute of vehicles

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

#: World events on the roads with an effect in a stretch of time.
Events = Callable[[int, int], Sequence[TrafficEvent]]


def nothing(start: int, end: int) -> Sequence[TrafficEvent]:
    return ()


class RoadFlow:
    """The traffic of a town under a seed."""

    def __init__(self, town: Town, seed: int) -> None:
        self._seed = seed
        self.network: Network = build(town, seed)
        self._demand = Demand(self.network.roads, self.network.peak, seed, town.name)
        loops, cells = len(self.network.loop_cell), len(self.network.length)
        kept = _KEPT_VALUES // (2 * _MINUTES * max(1, loops))
        self._hours: OrderedDict[int, Minutes] = OrderedDict()
        self._disturbed: OrderedDict[tuple[int, tuple[object, ...]], tuple[State, Minutes]] = OrderedDict()
        self._states: OrderedDict[int, State] = OrderedDict()
        self._hours_kept = min(200, max(3, kept))
        self._states_kept = min(400, max(26, _KEPT_VALUES // cells))
        self.capacity = self.network.capacity[self.network.loop_cell]
        self.free = self.network.free[self.network.loop_cell]

    def minutes(self, first: int, last: int, events: Events = nothing) -> tuple[Floats, Floats]:
        """Flow veh/h and speed km/h ``[loops, n]`` of minutes since the epoch, ``first`` to ``last`` inclusive."""
        parts = []
        for hour in range(first // _MINUTES, last // _MINUTES + 1):
            played = self._hour_with(hour, events)
            a, b = max(first - hour * _MINUTES, 0), min(last + 1 - hour * _MINUTES, _MINUTES)
            parts.append((played.flow[:, a:b], played.speed[:, a:b]))
        flow, speed = (np.concatenate(column, axis=1).astype(np.float64) for column in zip(*parts, strict=True))
        return flow, speed

    def hour(self, hour: int) -> Minutes:
        """An hour (since the epoch) without events."""
        found = self._hours.get(hour)
        if found is None:
            _, found = self._play(hour, self._state(hour), ())
            _keep(self._hours, hour, found, self._hours_kept)
        return found

    def disturbed(self, hour: int, events: Events) -> Minutes:
        """An hour with what happens in it, unrounded: also what is immaterial differs from :meth:`hour`."""
        return self._chain(hour, events)[1]

    def matters(self, clean: Minutes, disturbed: Minutes) -> NDArray[np.bool_]:
        """``bool[loops, minutes]``: where a disturbance makes a material difference."""
        faster = np.abs(disturbed.speed - clean.speed) > SPEED_MATTERS
        return np.asarray(faster | (np.abs(disturbed.flow - clean.flow) > FLOW_MATTERS * self.capacity[:, None]))

    def _hour_with(self, hour: int, events: Events) -> Minutes:
        clean = self.hour(hour)
        acting = events(hour * HOUR_MS, (hour + 1) * HOUR_MS)
        if not acting:
            return clean
        played = self.disturbed(hour, events)
        material = self.matters(clean, played)
        material &= (hour * _MINUTES + 1 + np.arange(_MINUTES)) * MINUTE_MS > min(event.start for event in acting)
        return Minutes(np.where(material, played.flow, clean.flow), np.where(material, played.speed, clean.speed))

    def _chain(self, hour: int, events: Events) -> tuple[State, Minutes]:
        """State at the end of an hour and the hour, played on from the first of an unbroken row of eventful hours."""
        first, acting = hour, [tuple(events(hour * HOUR_MS, (hour + 1) * HOUR_MS))]
        while first > _day_start(hour):
            earlier = tuple(events((first - 1) * HOUR_MS, first * HOUR_MS))
            if not earlier:
                break
            first -= 1
            acting.insert(0, earlier)
        for done in range(len(acting), 0, -1):
            if (first + done - 1, tuple(acting[:done])) in self._disturbed:
                break
        else:
            done = 0
        state = self._disturbed[(first + done - 1, tuple(acting[:done]))][0] if done else self._state(first)
        for k in range(done, len(acting)):
            result = self._play(first + k, state, acting[k])
            state = result[0]
            _keep(self._disturbed, (first + k, tuple(acting[: k + 1])), result, self._hours_kept)
        return self._disturbed[(hour, tuple(acting))]

    def _state(self, hour: int) -> State:
        """At the beginning of an hour, without events."""
        found = self._states.get(hour)
        if found is None:
            if hour == _day_start(hour):
                found = self._run_up(hour * HOUR_MS)
            else:
                found, told = self._play(hour - 1, self._state(hour - 1), ())
                _keep(self._hours, hour - 1, told, self._hours_kept)
            _keep(self._states, hour, found, self._states_kept)
        return found

    def _run_up(self, reset: int) -> State:
        start = reset - _RUN_UP * MINUTE_MS
        by_road, wet = self._driving(start, _RUN_UP)
        rest = at_rest(self.network, by_road[:, 0])
        state = advance(self.network, rest, start, by_road, wet, ())[0]
        return State(state.held, state.waiting)

    def _play(self, hour: int, state: State, events: Sequence[TrafficEvent]) -> tuple[State, Minutes]:
        by_road, wet = self._driving(hour * HOUR_MS, _MINUTES)
        return advance(self.network, state, hour * HOUR_MS, by_road, wet, events)

    def _driving(self, start: int, minutes: int) -> tuple[Floats, Floats]:
        t: Ints = start + np.arange(minutes, dtype=np.int64) * MINUTE_MS
        return self._demand.at(t), np.clip(weather(self._seed, LAT, LON, t).rain / 3, 0, 1)


def _day_start(hour: int) -> int:
    """The hour of the reset before (or at) an hour."""
    day, reset = DAY_MS // HOUR_MS, RESET_MS // HOUR_MS
    return (hour - reset) // day * day + reset


def _keep(cache: OrderedDict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    cache[key] = value
    while len(cache) > most:
        cache.popitem(last=False)
