"""Parameters and state of the novelty detector (:mod:`models.novelty`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import Misconfigured, Rejected
from domain.readings import Floats, Ints, Rows
from models.contract import Payload

SLOTS: Final = 1_152  # of the ring of a row: eight days of 10 minutes, or 48 days of hours
DAY_S: Final = 86_400.0
GRIDS_S: Final = (600.0, 900.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0)
CHANNELS: Final = ("value", "recent", "pattern", "hour", "time", "record", "range")
KINDS: Final = len(CHANNELS)
#: In the mean: of the channels, and of what the seasonal detector calls ``level``.
WEIGHTS: Final = (1.0, 1.0, 1.5, 1.0, 0.5, 1.5, 1.0)
LEVEL_WEIGHT: Final = 1.0

# Scalar state of a row: one line each of the state matrix.
(T, X, RATE, ORIGIN, INTERVAL, SEEN, FIRST, GRID, SLOT, KEPT, NEXT_SCALE, MIDDLE, SCALE, MEAN, HOUR) = range(15)
(LAST_HIGH, LAST_SAID, FATIGUE, FATIGUE_T, LOWEST, HIGHEST, RECORD) = range(15, 22)
COUNT: Final = slice(22, 22 + KINDS)  # distances learned by each channel
SHORT: Final = slice(22 + KINDS, 22 + 2 * KINDS)  # their short mean …
LONG: Final = slice(22 + 2 * KINDS, 22 + 3 * KINDS)  # … long mean …
SQUARE: Final = slice(22 + 3 * KINDS, 22 + 4 * KINDS)  # … and variance
LINES: Final = 22 + 4 * KINDS

_SCALE_EVERY: Final = 256.0  # slots
_NO_SEAT: Final = -1
VALUE_AT, MEAN_AT, HOUR_AT = range(3)  # what the ring keeps of a slot: value, mean of hours, mean of the last hour


@dataclass(frozen=True, slots=True)
class NoveltyParameters:
    """Durations in seconds; evidence in decades of probability.

    Attributes:
        threshold: evidence that a finding takes, when ``reference_s`` have been seen.
        history_power: decades that each ten times longer history adds to it: who looks longer sees more by chance.
        reference_s: see ``history_power``.
        evidence_max: of one channel.
        young_s: a history shorter than this takes more, not less: nearly all is new, and no deviation is known well …
        young_power: … by so many decades for each time that it is ten times shorter.
        warm_up_s: not scored before.
        mean_s: span of the mean of the last hours. hour_s: span of the mean of the last hour.
        short_s: span of the short mean of a distance, at least ``short_intervals`` sampling intervals.
        memory_s: what the long mean of a distance and its deviation remember.
        floor: least deviation of a distance, as a share of the 5–95 % range of the series.
        clip: distances beyond so many deviations count as this when learning.
        day_weight: what half a day of difference in the time of day counts, in half 5–95 % ranges.
        days: earlier days that the last hours are compared with.
        rest_s: a new finding takes so long below the threshold before it.
        fatigue: what every finding adds to the evidence that the next one takes …
        fatigue_s: … and how long that lasts.
        agreement: power at which the channels are averaged: below 1, several that agree count for more than one.
        step_decades: by so much must a step, a level or a restlessness break its own tail to be a finding alone.
    """

    threshold: float = 1.15
    history_power: float = 0.7
    reference_s: float = 900_000.0
    evidence_max: float = 6.0
    young_s: float = 4 * 86_400.0
    young_power: float = 0.9
    warm_up_s: float = 86_400.0
    mean_s: float = 10_800.0
    hour_s: float = 3_600.0
    short_s: float = 600.0
    short_intervals: float = 3.0
    memory_s: float = 10 * 86_400.0
    floor: float = 0.02
    clip: float = 12.0
    day_weight: float = 4.0
    days: int = 7
    rest_s: float = 5 * 3_600.0
    fatigue: float = 0.45
    fatigue_s: float = 2 * 86_400.0
    agreement: float = 0.7
    step_decades: float = 0.35

    def __post_init__(self) -> None:
        for name in (
            "reference_s", "evidence_max", "mean_s", "hour_s", "short_s", "memory_s", "floor", "clip", "rest_s",
            "fatigue_s", "agreement", "young_s",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise Misconfigured(f"{name} must be greater than 0, not {getattr(self, name)}")
        if not 1 <= self.days <= 7:
            raise Misconfigured(f"days must be from 1 to 7, not {self.days}")


class NoveltyState:
    """Struct of arrays; a row is a series.

    Attributes:
        line: ``float64[LINES, rows]`` scalar state.
        seat: ``int64[rows]`` where the ring of a row is, −1 while it has none: a fast series never needs one.
        ring: ``float32[3, seats, SLOTS]`` what each slot of the grid of a row ended with, NaN where nothing is known.
            Slots are numbered from 1970 modulo ``SLOTS``, so that a place in the ring has a fixed time of day.
    """

    def __init__(self) -> None:
        self.line: Floats = np.empty((LINES, 0))
        self.seat: Ints = np.empty(0, np.int64)
        self.ring: NDArray[np.float32] = np.empty((3, 0, SLOTS), np.float32)

    def grow(self, rows: int) -> None:
        more = rows - self.line.shape[1]
        if more <= 0:
            return
        fresh = np.zeros((LINES, more))
        fresh[[T, X, RATE, ORIGIN, INTERVAL, FIRST, GRID, SLOT, MIDDLE, SCALE, MEAN, HOUR]] = np.nan
        fresh[[LOWEST, HIGHEST, RECORD]] = np.nan
        fresh[[LAST_HIGH, LAST_SAID, FATIGUE_T]] = -np.inf
        fresh[NEXT_SCALE] = 8
        self.line = np.concatenate([self.line, fresh], axis=1)
        self.seat = np.append(self.seat, np.full(more, _NO_SEAT))

    def seat_rows(self, rows: Ints | Rows) -> None:
        """Rings for rows that have none; room is made for twice as many, so that it is seldom made."""
        taken = int((self.seat != _NO_SEAT).sum())
        lacking = taken + len(rows) - self.ring.shape[1]
        if lacking > 0:
            more = np.full((3, lacking + taken, SLOTS), np.nan, np.float32)
            self.ring = np.concatenate([self.ring, more], axis=1)
        self.seat[rows] = np.arange(taken, taken + len(rows))

    def advance(self, rows: Ints, slots: Floats, filled: NDArray[np.bool_]) -> None:
        """Move rows to later slots; those passed over are empty, or hold what the one before did where ``filled``."""
        last = self.line[SLOT, rows]
        for seat, old, new, fill in zip(
            self.seat[rows].tolist(), last.tolist(), slots.tolist(), filled.tolist(), strict=True
        ):
            if new - old > 1:
                passed = np.arange(int(max(old + 1, new - SLOTS)), int(new)) % SLOTS
                held = self.ring[:, seat, int(old) % SLOTS] if fill else np.full(3, np.nan, np.float32)
                self.ring[:, seat, passed] = held[:, None]

    def rescale(self, rows: Ints | Rows) -> None:
        """Middle and 5–95 % range of the rings of those rows for which it is time: at 8, 16, 32, … slots, then now
        and then."""
        line = self.line
        row = rows[line[KEPT, rows] >= line[NEXT_SCALE, rows]]
        if not len(row):
            return
        values = self.ring[VALUE_AT, self.seat[row]]
        low, middle, high = np.nanquantile(values.astype(np.float64), [0.05, 0.5, 0.95], axis=1)
        whole = np.nanmax(values, axis=1) - np.nanmin(values, axis=1)
        least = 1e-6 * np.maximum(np.abs(middle + line[ORIGIN, row]), 1e-3)
        line[SCALE, row] = np.maximum(np.maximum(high - low, 0.05 * whole), least)
        line[MIDDLE, row] = middle
        line[NEXT_SCALE, row] = line[KEPT, row] + np.minimum(line[KEPT, row], _SCALE_EVERY)

    def snapshot(self) -> Payload:
        taken = int((self.seat != _NO_SEAT).sum())
        return {"line": self.line.copy(), "seat": self.seat.copy(), "ring": self.ring[:, :taken].copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: shapes that do not belong together."""
        line, ring = np.array(payload["line"], np.float64), np.array(payload["ring"], np.float32)
        seat = np.array(payload["seat"], np.int64)
        seats = np.sort(seat[seat != _NO_SEAT])
        if line.ndim != 2 or line.shape[0] != LINES or len(seat) != line.shape[1]:
            raise Rejected("state", str(line.shape), "not a state of the novelty detector")
        if ring.shape != (3, len(seats), SLOTS) or not np.array_equal(seats, np.arange(len(seats))):
            raise Rejected("state", str(ring.shape), "not a state of the novelty detector")
        self.line, self.seat, self.ring = line, seat, ring
