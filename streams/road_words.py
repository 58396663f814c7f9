"""What a road detector has seen, in words: one sentence for each rule, and a clause for one that joins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from domain.messages import Channel, ModelRef, Why
from domain.times import MINUTE_MS, format_time
from models.road_detectors import RoadDetector, RoadModel
from models.series_spec import SeriesSpec
from streams.traces import number


@dataclass(frozen=True, slots=True)
class Seen:
    """One place at one step.

    Attributes:
        loops: the place's series, upstream first; observed: what they measured, in their unit.
        neighbours: the next loops along the road that are no part of the place, and what they measured.
        end: of the step, epoch ms; since: when it began.
        expected, upper: of the first loop; NaN where the rule expects nothing.
    """

    detector: RoadDetector
    model: RoadModel
    parameters: Mapping[str, object]
    loops: tuple[SeriesSpec, ...]
    observed: tuple[float, ...]
    neighbours: tuple[tuple[SeriesSpec, float], ...]
    metres: float
    end: int
    expected: float
    upper: float

    @property
    def since(self) -> int:
        return self.end - (self.detector.lead + 1) * self.detector.needs.minutes * MINUTE_MS

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(spec.sensor.place or spec.sensor.sensor for spec in self.loops)


def why(seen: Seen) -> Why:
    """The explanation of a finding that this opens."""
    begin = seen.end - seen.detector.needs.minutes * MINUTE_MS
    others = [*zip(seen.loops[1:], seen.observed[1:], strict=True), *seen.neighbours]
    return Why(
        sentence=SENTENCES[seen.detector.name](seen),
        observed=number(seen.observed[0]),
        expected=number(seen.expected),
        lower=None,
        upper=number(seen.upper),
        one_in=None,
        since=seen.since,
        channels=[Channel(seen.detector.channel, 1.0)],
        neighbours=[{"series": spec.name, "time": begin, "observed": number(x)} for spec, x in others],
        model=ModelRef(seen.detector.rule, seen.model.version, dict(seen.parameters)),
    )


def joined(seen: Seen) -> str:
    """The clause for a detector that finds what another has found."""
    return f" {TITLES[seen.detector.name]} says so too since {format_time(seen.since)}, at {seen.places[0]}."


TITLES: Final[Mapping[str, str]] = {
    "california7": "California algorithm 7",
    "california8": "California algorithm 8",
    "snd": "The standard normal deviate of occupancy",
    "bottleneck": "The bottleneck test of speeds",
}


def _california7(seen: Seen) -> str:
    return f"{_piled(seen)}: something between them is in the way."


def _california8(seen: Seen) -> str:
    return f"{_piled(seen)}, with no wave of braking traffic just before: something between them is in the way."


def _piled(seen: Seen) -> str:
    (first, second), (up, down) = seen.places, seen.observed
    return (
        f"Traffic piles up at {first} (occupancy {up:.0%}) and thins out at {second} ({down:.0%}) since "
        f"{format_time(seen.since)}"
    )


def _snd(seen: Seen) -> str:
    return (
        f"Occupancy at {seen.places[0]} has jumped to {seen.observed[0]:.0%} since {format_time(seen.since)}, from "
        f"{seen.expected:.0%} in the five minutes before (limit {seen.upper:.0%}): traffic there has slowed suddenly."
    )


def _bottleneck(seen: Seen) -> str:
    (first, second), (up, down) = seen.places, seen.observed
    return (
        f"Traffic is slow at {first} ({up:.0f} km/h) and free again at {second} ({down:.0f} km/h), "
        f"{seen.metres:.0f} m on, since {format_time(seen.since)}: a bottleneck between them that is not usual at this "
        "hour."
    )


SENTENCES: Final[Mapping[str, Callable[[Seen], str]]] = {
    "california7": _california7,
    "california8": _california8,
    "snd": _snd,
    "bottleneck": _bottleneck,
}
