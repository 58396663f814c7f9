"""Power and energy of every meter at any time, without events and without instrument noise.

Power runs in straight lines between nodes every 15 minutes; the counter is its exact integral. A main feeder measures
the sum of the meters behind it, of customers without a meter, and the losses.

A customer differs from its kind by noise whose energy over each day is nil. So the energy from the commissioning to
any day is the kinds' alone, and a counter can be told for any time without playing the years before it.
"""

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.geometry import LAT, LON
from simulator.loads import KINDS, LIVELY, solar
from simulator.local_time import local_time
from simulator.noise import Noise, keys_of
from simulator.plan import Town
from simulator.weather import weather

LOSSES = 1.03  # of the main feeder, over the sum of what is behind it
COMMISSIONED_MS = 1_767_225_600_000  # 2026-01-01: counters are known exactly here
_STEP_MS = 15 * MINUTE_MS
_CELLS = DAY_MS // _STEP_MS
_CELL_H = _STEP_MS / HOUR_MS
_HABITS = 0.045
_CHUNK = 64  # days whose kinds are computed at once
_SUN = len(KINDS)  # row of the sun in the tables of kinds
_KEPT_VALUES = 12_000_000

Rows = NDArray[np.intp]


class Profile:
    """The meters of a town. Rows are meters, in the order of ``town.meters``; days count from the commissioning.

    Attributes:
        keys: for noise. rated, roof: ``float64[m]`` kW. member, main: meters with a main feeder, and that feeder's row.
    """

    def __init__(self, town: Town, seed: int) -> None:
        self._seed = seed
        meters, zero = town.meters, np.zeros(1, np.int64)
        self.keys = keys_of([site.sensor.sensor for site in meters])
        self.rated = np.array([site.sensor.rated_kw or 0.0 for site in meters])
        self.roof = np.array([float(site.customer == "school") for site in meters]) * self.rated
        self.member = np.array([row for row, site in enumerate(meters) if site.main is not None], dtype=np.intp)
        self.main = np.array([site.main for site in meters if site.main is not None], dtype=np.intp)
        order = list(KINDS)
        self._kind = np.array([order.index(site.customer) for site in meters], dtype=np.intp)
        self._lively = np.array([LIVELY[site.customer] for site in meters])[:, None]
        self._level = (0.88 + 0.24 * Noise(seed, "level").uniform(self.keys, zero)[:, 0]) * self.rated
        first = Noise(seed, "first-reading").uniform(self.keys, zero)[:, 0]
        self._at_start = np.round(self.rated * 8_766 * (3 + 2 * first), 3)  # some years of use
        self._days: dict[int, tuple[Floats, Floats]] = {}
        self._days_kept = max(2, _KEPT_VALUES // (2 * (_CELLS + 1) * max(1, len(meters))))
        self._chunks: dict[int, Floats] = {}
        self._before_chunk: dict[int, Floats] = {0: np.zeros(len(KINDS) + 1)}

    def meters(self, rows: Rows, t: Ints) -> tuple[Floats, Floats]:
        """Power kW and counter kWh of some meters at their times ``t[rows, n]``."""
        power, counter = np.empty(t.shape), np.empty(t.shape)
        days = (t - COMMISSIONED_MS) // DAY_MS
        for day in range(int(days.min()), int(days.max()) + 1) if t.size else ():
            here = days == day
            if not here.any():
                continue
            nodes, sums = self._day(day)
            now, used = _between(nodes[rows], sums[rows], t - COMMISSIONED_MS - day * DAY_MS)
            power[here], counter[here] = now[here], used[here]
        return power, counter

    def sun(self, t: Ints) -> tuple[Floats, Floats]:
        """What a solar roof makes at times ``t``, as a share of its rated power, and the hours of that it has made."""
        power, made = np.empty(t.shape), np.empty(t.shape)
        days = (t - COMMISSIONED_MS) // DAY_MS
        for day in range(int(days.min()), int(days.max()) + 1) if t.size else ():
            here = days == day
            nodes = np.broadcast_to(self._kinds(day)[_SUN], (len(t), _CELLS + 1))
            now, used = _between(nodes, _running(nodes), t - COMMISSIONED_MS - day * DAY_MS)
            power[here], made[here] = now[here], (used + self._kinds_before(day)[_SUN])[here]
        return power, made

    def _day(self, day: int) -> tuple[Floats, Floats]:
        """Power at the nodes of a day, and the counter there, both ``float64[m, _CELLS + 1]``."""
        found = self._days.get(day)
        if found is None:
            while len(self._days) >= self._days_kept:
                self._days.pop(next(iter(self._days)))
            nodes = self._nodes(day)
            total = self._kinds_before(day)
            before = self._with_members((self._level * total[self._kind] - self.roof * total[_SUN])[:, None])
            sums = _running(nodes)
            sums += before + self._at_start[:, None]
            found = self._days[day] = (nodes, sums)
        return found

    def _nodes(self, day: int) -> Floats:
        t = COMMISSIONED_MS + day * DAY_MS + np.arange(_CELLS + 1, dtype=np.int64) * _STEP_MS
        kinds = self._kinds(day)
        share = kinds[self._kind]
        own = 0.6 * Noise(self._seed, "load").smooth(self.keys, t, 100 * MINUTE_MS)
        own += 0.4 * Noise(self._seed, "load-day").smooth(self.keys, t, DAY_MS)
        own += 0.35 * Noise(self._seed, "load-nodes").normal(self.keys, t)
        # Nil over the day: what is too much is taken off in the middle of the day, nothing at its ends.
        hump = np.sin(np.pi * np.arange(_CELLS + 1) / _CELLS) ** 2
        weight = share * np.where(np.arange(_CELLS + 1) % _CELLS == 0, 0.5, 1.0)
        own -= ((weight * own).sum(axis=1) / (weight * hump).sum(axis=1))[:, None] * hump
        share = share * (1 + self._lively * own) * self._level[:, None]
        return self._with_members(share - self.roof[:, None] * kinds[_SUN])

    def _with_members(self, own: Floats) -> Floats:
        """Adds to the main feeders what the meters behind them take, and the losses."""
        np.add.at(own, self.main, LOSSES * own[self.member])
        return own

    def _kinds(self, day: int) -> Floats:
        """``float64[kinds + 1, _CELLS + 1]``: share of the rated power of each kind, and of a solar roof."""
        at = day - day // _CHUNK * _CHUNK
        return self._chunk(day // _CHUNK)[:, at * _CELLS : (at + 1) * _CELLS + 1]

    def _chunk(self, chunk: int) -> Floats:
        if chunk not in self._chunks:
            start = COMMISSIONED_MS + chunk * _CHUNK * DAY_MS
            t = start + np.arange(_CHUNK * _CELLS + 1, dtype=np.int64) * _STEP_MS
            clock, sky = local_time(t), weather(self._seed, LAT, LON, t)
            shares = np.stack([*(shape(clock, sky) for shape in KINDS.values()), solar(clock, sky)])
            # Days differ for all customers of a kind alike: what is on, who is away.
            habits = Noise(self._seed, "habits").smooth(keys_of(list(KINDS)), t, 2 * DAY_MS)
            shares[:_SUN] *= 1 + _HABITS * habits * (np.array(list(KINDS)) != "lighting")[:, None]
            self._chunks[chunk] = shares
        return self._chunks[chunk]

    def _kinds_before(self, day: int) -> Floats:
        """Hours of rated power from the commissioning to a day, by kind; negative before it."""
        chunk = day // _CHUNK
        while chunk not in self._before_chunk:
            if chunk > 0:
                last = max(self._before_chunk)
                self._before_chunk[last + 1] = self._before_chunk[last] + _running(self._chunk(last))[:, -1]
            else:
                first = min(self._before_chunk)
                self._before_chunk[first - 1] = self._before_chunk[first] - _running(self._chunk(first - 1))[:, -1]
        within = self._chunk(chunk)[:, : (day - chunk * _CHUNK) * _CELLS + 1]
        return np.asarray(self._before_chunk[chunk] + _running(within)[:, -1], dtype=np.float64)


def _running(nodes: Floats) -> Floats:
    """Integral from the first node to each, in hours of ``nodes[m, K]``."""
    sums = np.zeros(nodes.shape)
    np.cumsum((nodes[:, 1:] + nodes[:, :-1]) * (0.5 * _CELL_H), axis=1, out=sums[:, 1:])
    return sums


def _between(nodes: Floats, sums: Floats, at: Ints) -> tuple[Floats, Floats]:
    """Power and its integral at ``at[m, n]`` ms after the first node; outside the nodes whatever comes."""
    cell = np.clip(at // _STEP_MS, 0, _CELLS - 1)
    share = (at - cell * _STEP_MS) / _STEP_MS
    before = np.take_along_axis(nodes, cell, 1)
    now = before + (np.take_along_axis(nodes, cell + 1, 1) - before) * share
    return now, np.take_along_axis(sums, cell, 1) + (before + now) * (0.5 * _CELL_H) * share
