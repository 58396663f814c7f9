"""What can be said of readings at the door: physical bounds, time, and whether the sensor is known."""

from dataclasses import dataclass, field

import numpy as np

from connectors.intake_columns import Intake
from domain.errors import Rejected, Rejection
from domain.quantities import Quantity
from domain.readings import Ints, Readings
from domain.sensors import SensorRegister
from domain.series import parse_series
from domain.times import DAY_MS, SECOND_MS, format_time
from domain.topics import topic_of

UNKNOWN_SENSOR = (
    "unknown sensor: held in quarantine until it is registered"
    " (add it to the sensors table or start with --accept-unknown)"
)
QUARANTINE_FULL = "unknown sensor: register it first, the quarantine for unknown sensors is full"
_PLACES_MAX = 500_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a series belongs; ``area`` is empty while its sensor is unknown."""

    sensor: str
    quantity: Quantity
    topic: str
    area: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The parts of an intake: to be taken, to be held (with their positions), and refused."""

    taken: Readings
    unknown: Readings
    unknown_positions: Ints
    rejections: list[Rejection] = field(default_factory=list)


class Judge:
    """Judges whole requests with arrays; safe to call from several threads."""

    def __init__(self, register: SensorRegister, future_s: float, past_days: float) -> None:
        self._register = register
        self._future_ms = int(future_s * SECOND_MS)
        self._past_ms = int(past_days * DAY_MS)
        self._places: dict[str, Place] = {}

    def place(self, series: str) -> Place:
        """Raises: Rejected: not a series name."""
        place = self._places.get(series)
        if place is None:
            name = parse_series(series)
            sensor = self._register.find(name.sensor)
            place = Place(name.sensor, name.quantity, topic_of(name.quantity), sensor.area if sensor else "")
            if sensor is not None:
                if len(self._places) >= _PLACES_MAX:
                    self._places.clear()
                self._places[series] = place
        return place

    def judge_live(self, intake: Intake, now: int) -> Judged:
        """``now`` in epoch ms; readings too far in the past are refused as well."""
        return self._judge(intake, now, now - self._past_ms)

    def judge_history(self, intake: Intake, now: int) -> Judged:
        """As :meth:`judge_live`, without a limit in the past: for recordings."""
        return self._judge(intake, now, -(1 << 62))

    def _judge(self, intake: Intake, now: int, oldest: int) -> Judged:
        intake = self._named(intake)
        r = intake.readings
        places = [self.place(name) for name in r.series]
        newest = now + self._future_ms
        lower = np.array([place.quantity.lower for place in places])
        upper = np.array([place.quantity.upper for place in places])
        outside = (r.x < lower[r.i]) | (r.x > upper[r.i]) if len(r) else np.zeros(0, np.bool_)
        bad = outside | (r.t > newest) | (r.t < oldest)
        unknown = np.array([not place.area for place in places], dtype=np.bool_)
        rejections = list(intake.rejections)
        nobody = Readings([], np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0))
        if not bad.any() and not unknown.any():
            return Judged(r, nobody, np.empty(0, np.int64), rejections)
        for k in np.flatnonzero(bad).tolist():
            error = self._why(places[r.i[k]].quantity, int(r.t[k]), float(r.x[k]), newest, oldest)
            rejections.append(Rejection.of(int(intake.positions[k]), error))
        held = unknown[r.i] & ~bad
        return Judged(r.take(~bad & ~held), r.take(held), intake.positions[held], rejections)

    def _named(self, intake: Intake) -> Intake:
        """Without the readings of series that are no series names; a frame from elsewhere may hold such."""
        r = intake.readings
        refused: dict[int, Rejected] = {}
        for k, name in enumerate(r.series):
            try:
                self.place(name)
            except Rejected as error:
                refused[k] = error
        if not refused:
            return intake
        bad = np.isin(r.i, list(refused))
        rejections = [Rejection.of(int(intake.positions[k]), refused[int(r.i[k])]) for k in np.flatnonzero(bad)]
        return Intake(r.take(~bad), intake.positions[~bad], [*intake.rejections, *rejections])

    def _why(self, quantity: Quantity, t: int, x: float, newest: int, oldest: int) -> Rejected:
        if x < quantity.lower or x > quantity.upper:
            unit = "" if quantity.unit in ("", "1") else f" {quantity.unit}"
            bounds = f"{quantity.name} lies between {quantity.lower:g} and {quantity.upper:g}{unit}"
            return Rejected("value", x, f"outside its range: {bounds}")
        if t > newest:
            ahead = f"more than {self._future_ms // SECOND_MS} s ahead of this gateway's clock"
            return Rejected("time", _paper(t), f"in the future: {ahead} ({format_time(newest - self._future_ms)})")
        days = self._past_ms // DAY_MS
        return Rejected("time", _paper(t), f"in the far past: more than {days} days ago; bring history with replay")


def _paper(t: int) -> str:
    try:
        return format_time(t)
    except (ValueError, OverflowError):
        return f"{t} ms"
