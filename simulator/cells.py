"""The cell-transmission model (Daganzo 1994), all cells at once.

In each step a cell sends on what it holds, at most its capacity; it takes what its capacity and the room left in it
allow (triangular fundamental diagram). Where ways part, vehicles wait for each other (first in, first out, Daganzo
1995), but who leaves the town need not wait, so that a ring road does not lock; where they join, each way gets a share
of the room in proportion to what it sends. Queues, shock waves and their dissolving follow from this. Vehicles are
neither made nor lost: what has entered is in a cell or has left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from domain.times import MINUTE_MS, SECOND_MS
from simulator.network import STEP_H, STEP_S, Network
from simulator.world_event import Pressure, TrafficEvent

Floats32 = NDArray[np.float32]

STEPS = 60 // STEP_S  # per minute
_PATIENT = 40.0  # vehicles that wait at a source at most
_EASY = 0.20  # speed lost up to capacity, which the triangle leaves out (HCM speed-flow curves: 10 to 25 %)


@dataclass(frozen=True, slots=True)
class State:
    """Vehicles in each cell ``[n]``, and waiting outside at each source; ``entered`` and ``left`` since the reset."""

    held: Floats
    waiting: Floats
    entered: float = 0.0
    left: float = 0.0


@dataclass(frozen=True, slots=True)
class Minutes:
    """What passes each loop in each minute, ``float32[loops, minutes]``: veh/h and km/h."""

    flow: Floats32
    speed: Floats32


def at_rest(network: Network, by_road: Floats) -> State:
    """Free flow everywhere, with so many veh/h on each road."""
    density = by_road[network.road_of] / network.free
    return State(density * network.length, np.zeros(len(network.source_cell)))


def demand_at_sources(network: Network, by_road: Floats) -> Floats:
    """``float64[sources, minutes]`` veh/h that want to enter, from those on each road ``[roads, minutes]``."""
    terms = by_road[network.term_road] * network.term_share[:, None]
    return np.maximum(np.add.reduceat(terms, network.term_start, axis=0), 0.0)


def advance(
    network: Network, state: State, start: int, by_road: Floats, wet: Floats, events: Sequence[TrafficEvent]
) -> tuple[State, Minutes]:
    """Play some minutes from ``start`` (epoch ms).

    Args:
        by_road: ``[roads, minutes]`` veh/h, the ordinary demand. wet: ``[minutes]`` 0..1, rain slows all.
    """
    minutes = by_road.shape[1]
    step = _Step(network, state)
    sources = demand_at_sources(network, by_road)
    shape = (len(network.loop_cell), minutes)
    told = Minutes(np.empty(shape, np.float32), np.empty(shape, np.float32))
    for minute in range(minutes):
        t = start + minute * MINUTE_MS
        acting = [event for event in events if event.start < t + MINUTE_MS and event.end > t]
        step.open_minute(sources[:, minute], float(wet[minute]))
        for k in range(STEPS):
            step.go(t + k * STEP_S * SECOND_MS, acting)
        told.flow[:, minute], told.speed[:, minute] = step.close_minute()
    return State(step.held[:-1].copy(), step.waiting, step.entered, step.left), told


class _Step:
    """The arrays of one run. The last row of padded arrays is "outside": it sends nothing and takes all."""

    def __init__(self, network: Network, state: State) -> None:
        self._n = n = len(network.length)
        self._net = network
        self.held = np.append(state.held, 0.0)
        self.waiting = state.waiting.copy()
        self.entered, self.left = state.entered, state.left
        self._share = np.append(network.onward, 0.0)
        self._leave = 1 - network.onward - np.bincount(network.turn_from, network.turn_share, n)
        self._passing = network.free * STEP_H / network.length
        self._most = network.capacity * STEP_H
        self._backing = network.wave * STEP_H / network.length
        self._sent = np.zeros(n + 1)
        self._scale = np.ones(n + 1)
        self._quiet = Pressure(np.ones(n), np.ones(n), np.ones(len(self.waiting)), np.zeros(len(self.waiting)))
        self._slow = np.ones(n)

    def open_minute(self, demand: Floats, wet: float) -> None:
        self._demand = demand
        self._speed, self._carry = 1 - 0.05 * wet, 1 - 0.07 * wet
        self._passed, self._stood = np.zeros(self._n), np.zeros(self._n)
        self._slow[:] = 0.0

    def go(self, t: int, events: Sequence[TrafficEvent]) -> None:
        net, n, held = self._net, self._n, self.held[:-1]
        press = self._pressure(t, events)
        sent, scale = self._sent, self._scale
        most = self._most * self._carry
        np.minimum(held * self._passing * (self._speed * press.speed), most * press.capacity, out=sent[:-1])
        want = np.minimum(
            self.waiting + (self._demand * press.demand + press.extra) * STEP_H, net.source_capacity * STEP_H
        )
        onward = sent * self._share
        asked = onward[net.before]
        turning = sent[net.turn_from] * net.turn_share
        asked += np.bincount(net.turn_to, turning, n)
        asked += np.bincount(net.source_cell, want, n)
        room = np.minimum(most, self._backing * (net.room - held))
        np.divide(room, np.maximum(asked, 1e-12), out=scale[:-1])
        np.minimum(scale, 1.0, out=scale)
        free = scale[net.after]
        free[net.turn_from] = np.minimum(free[net.turn_from], scale[net.turn_to])
        out = sent[:-1] * (self._leave + (1 - self._leave) * free)
        onward[:-1] *= free
        taken = onward[net.before]
        taken += np.bincount(net.turn_to, turning * free[net.turn_from], n)
        came = want * scale[net.source_cell]
        taken += np.bincount(net.source_cell, came, n)
        # Who finds a long queue goes another way.
        queue = self.waiting + (self._demand * press.demand + press.extra) * STEP_H - came
        self.waiting = np.minimum(queue, _PATIENT)
        entering, delta = float(came.sum()), taken - out
        self.entered += entering
        self.left += entering - float(delta.sum())
        self._passed += out
        self._stood += held
        self._slow += press.speed
        held += delta

    def close_minute(self) -> tuple[Floats, Floats]:
        """Flow veh/h and speed km/h at the loops: flow over density, and never above the speed-flow curve."""
        at = self._net.loop_cell
        flow = self._passed[at] * (60 * 1.0)
        density = self._stood[at] / STEPS / self._net.length[at]
        free = self._net.free[at] * self._speed * self._slow[at] / STEPS
        easy = free * (1 - _EASY * np.minimum(flow / self._net.capacity[at], 1.0) ** 2)
        return flow, np.minimum(easy, np.maximum(flow, 1.0) / np.maximum(density, 1e-3))

    def _pressure(self, t: int, events: Sequence[TrafficEvent]) -> Pressure:
        acting = [event for event in events if event.start <= t < event.end]
        if not acting:
            return self._quiet
        quiet = self._quiet
        press = Pressure(quiet.capacity.copy(), quiet.speed.copy(), quiet.demand.copy(), quiet.extra.copy())
        for event in acting:
            event.act(self._net, t, press)
        return press
