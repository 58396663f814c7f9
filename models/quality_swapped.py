"""Swapped channels: two quantities of one instrument have changed places (:data:`models.quality_limits.BESIDE`).

An exchange is a step at which each of two channels takes up where the other left off, though both are far from where
they were, in their own usual changes. It is told once, over several readings, each of the two fits the usual course
(mean and scatter by hour of day) of the other and no longer its own. What was measured is followed through the
exchange, so that changing back is seen as well. Only where the two can be told apart; a swap during a gap is not seen.

Readings of one time are brought together here, whichever comes first and in whichever frame, those included that no
instrument for the quantity can measure: of what is exchanged, much is out of range. State per pair of series: some ten
numbers, five per hour of day, and the few readings that wait for their partner.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final

import numpy as np

from domain.readings import Floats, Ints, Rows
from domain.times import HOUR_MS
from models.contract import Payload
from models.physical_laws import TOGETHER_MS
from models.quality_limits import BESIDE, SwapLimits
from models.series_spec import SeriesSpec

_WAITING_MAX: Final = 256  # readings of a series whose partner has not come
(MEAN_A, MEAN_B, SIZE_A, SIZE_B, DAYS) = range(5)


@dataclass(slots=True)
class _Pair:
    """What is known of two channels; a and b are the quantities as measured, whichever channel they come through."""

    t: float = -np.inf  # ms
    a: float = 0.0
    b: float = 0.0
    step: float = 0.0  # ms from pair to pair
    move_a: float = 0.0  # usual change
    move_b: float = 0.0
    seen: float = 0.0
    run: float = 0.0  # pairs since they were exchanged, 0 while they are not
    evidence: float = 0.0
    off_a: float = 0.0  # mean residual of the quantities since, in their usual residuals
    off_b: float = 0.0
    hours: list[list[float]] = field(default_factory=lambda: [[0.0] * 5 for _ in range(24)])  # see MEAN_A and so on

    def take(self, t: int, x: float, y: float, limits: SwapLimits) -> bool:
        """The next readings of the two channels; whether they are known to be exchanged."""
        beside = self.seen > 0 and t - self.t <= limits.gap * self.step
        if beside and self.seen >= limits.learned_readings:
            self._turn(x, y, limits)
        crossed = self.run > 0
        a, b = (y, x) if crossed else (x, y)
        hour = self.hours[t // HOUR_MS % 24]
        if crossed:
            self._weigh(hour, a, b, limits)
            a, b = (a, b) if self.run > 0 else (x, y)  # it was none
        else:
            self._learn(hour, a, b, t, beside, limits)
        self.step = t - self.t if self.seen == 1 else self.step
        if self.seen > 1:
            self.step += 0.05 * (min(t - self.t, 2 * self.step) - self.step)
        self.t, self.a, self.b = t, a, b
        self.seen += 1
        return self.run >= limits.readings and self._told(limits)

    def _turn(self, x: float, y: float, limits: SwapLimits) -> None:
        """Begin or end an exchange where that is what the step looks like."""
        move_a, move_b = max(self.move_a, 1e-9), max(self.move_b, 1e-9)
        straight = abs(x - self.a) / move_a, abs(y - self.b) / move_b
        crossed = abs(y - self.a) / move_a, abs(x - self.b) / move_b
        stays, turns = (crossed, straight) if self.run > 0 else (straight, crossed)
        left = sum(stays) >= limits.jump and min(stays) >= limits.jump_each
        if left and max(turns) <= limits.meets and sum(turns) <= limits.better * sum(stays):
            self.run = 0.0 if self.run > 0 else 1.0
            self.evidence = self.off_a = self.off_b = 0.0

    def _weigh(self, hour: list[float], a: float, b: float, limits: SwapLimits) -> None:
        """Whether the exchange goes on to fit better than none; it is dropped where it does not."""
        size_a, size_b = max(hour[SIZE_A], 1e-9), max(hour[SIZE_B], 1e-9)
        off_a, off_b = (a - hour[MEAN_A]) / size_a, (b - hour[MEAN_B]) / size_b
        fit = abs(off_a) + abs(off_b)
        own = abs(b - hour[MEAN_A]) / size_a + abs(a - hour[MEAN_B]) / size_b
        most = limits.evidence_most
        self.evidence = min(most, max(-most, self.evidence + (own - fit) / max(own + fit, 1e-9)))
        share = 1 / min(self.run, limits.mean_of)
        self.off_a += share * (off_a - self.off_a)
        self.off_b += share * (off_b - self.off_b)
        self.run = self.run + 1 if self.evidence > -limits.evidence else 0.0

    def _told(self, limits: SwapLimits) -> bool:
        off = max(abs(self.off_a), abs(self.off_b))
        return self.evidence >= limits.evidence and off <= limits.off_most

    def _learn(self, hour: list[float], a: float, b: float, t: int, beside: bool, limits: SwapLimits) -> None:
        """Means over some three weeks; what is out of all proportion counts for little."""
        many = 1 + self.seen
        for name, change in (("move_a", abs(a - self.a)), ("move_b", abs(b - self.b))) if beside else ():
            move = getattr(self, name)
            bounded = min(change, 4 * move) if many > 10 and move > 0 else change
            setattr(self, name, move + max(1 / many, 1 / limits.learned_of) * (bounded - move))
        share = max(1 / (1 + hour[DAYS]), min(self.step / HOUR_MS, 1.0) / limits.days)
        for mean, size, value in ((MEAN_A, SIZE_A, a), (MEAN_B, SIZE_B, b)):
            off = value - hour[mean]
            least = hour[size] if hour[DAYS] > 10 and hour[size] > 0 else np.inf
            hour[mean] += share * min(max(off, -8 * least), 8 * least)
            if hour[DAYS] > 0:
                hour[size] += share * (min(abs(off), 5 * least) - hour[size])
        hour[DAYS] += 1


class Swapped:
    """Which readings are those of the channel beside."""

    def __init__(self, limits: SwapLimits = SwapLimits()) -> None:  # noqa: B008  frozen values
        self._limits = limits
        self._rows: dict[tuple[str, str], int] = {}
        self._partner: dict[int, tuple[int, int]] = {}  # row → its partner and their pair
        self._pairs: list[_Pair] = []
        self._last: dict[int, int] = {}
        self._waiting: dict[int, list[tuple[int, float]]] = {}

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Pairs are numbered as their second series comes, so that a state finds its own again."""
        for row in range(len(self._rows), len(specs)):
            sensor, name = specs[row].sensor.sensor, specs[row].quantity.name
            self._rows[sensor, name] = row
            partner = self._rows.get((sensor, BESIDE.get(name, "")))
            if partner is not None:
                number = len(self._partner) // 2
                self._partner[row], self._partner[partner] = (partner, number), (row, number)
        self._pairs += [_Pair() for _ in range(len(self._partner) // 2 - len(self._pairs))]

    def judge(self, row: Rows, t: Ints, x: Floats) -> list[tuple[int, int]]:
        """(row, t) of the readings that are known to be exchanged, now that these have come, in any order."""
        found: list[tuple[int, int]] = []
        concerned = np.flatnonzero(np.isin(row, list(self._partner)) & np.isfinite(x)) if self._partner else ()
        order = sorted(concerned, key=lambda k: (t[k], row[k]))
        for k in order:
            for mine, pair in self._met(int(row[k]), int(t[k]), float(x[k])):
                found += mine if self._pairs[pair[0]].take(*pair[1:], self._limits) else []
        return found

    def _met(self, row: int, t: int, x: float) -> Iterator[tuple[list[tuple[int, int]], tuple[int, int, float, float]]]:
        """The pair that this reading completes, if it does: the readings, and what is to be taken of them."""
        if t <= self._last.get(row, -(1 << 62)):
            return
        self._last[row] = t
        partner, number = self._partner[row]
        others = self._waiting.get(partner, [])
        while others and others[0][0] < t - TOGETHER_MS:
            others.pop(0)
        if not others or others[0][0] > t + TOGETHER_MS:
            mine = self._waiting.setdefault(row, [])
            mine.append((t, x))
            del mine[:-_WAITING_MAX]
            return
        then, value = others.pop(0)
        self._waiting.pop(row, None)  # what came before and met nobody never will
        first = row < partner
        yield [(row, t), (partner, then)], (number, max(t, then), x if first else value, value if first else x)

    def snapshot(self) -> Payload:
        pairs = [astuple(pair) for pair in self._pairs]
        return {
            "one": np.array([pair[:-1] for pair in pairs], np.float64).reshape(len(pairs), 11),
            "hours": np.array([pair[-1] for pair in pairs], np.float64).reshape(len(pairs), 24, 5),
            "last": [[row, t] for row, t in self._last.items()],
            "waiting": [[row, *zip(*held, strict=True)] for row, held in self._waiting.items() if held],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._pairs = [_Pair(*one) for one in payload["one"].tolist()]
        for pair, hours in zip(self._pairs, payload["hours"].tolist(), strict=True):
            pair.hours = hours
        self._last = {int(row): int(t) for row, t in payload["last"]}
        self._waiting = {
            int(row): [(int(t), float(x)) for t, x in zip(ts, xs, strict=True)] for row, ts, xs in payload["waiting"]
        }
