"""The classics of incident detection on roads, under one contract. Adding one is a model and a row here.

A *place* is what a detector judges: a loop, or two loops that follow each other. Models hold places in columns and
step all of them at a time, a minute or five on; a gate behind each decides what of it is told
(:mod:`models.road_gates`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import numpy as np

from domain.errors import Misconfigured
from domain.readings import Floats, Ints, Mask
from domain.times import MINUTE_MS
from models.bottleneck import Bottleneck
from models.california import EIGHT, SEVEN, California
from models.contract import Payload, Stateful
from models.normal_deviate import NormalDeviate
from models.road_gates import Gate, OnDelay, UnusualHour
from models.road_names import NAMES, in_order


class RoadModel(Stateful, Protocol):
    """Places in columns; every array of its state has the places as its last axis."""

    parameters: Mapping[str, Any]

    @property
    def step(self) -> Callable[..., Mask]:
        """A method that takes ``float64[places]`` for each loop of a place, upstream first, NaN where there is nothing,
        and gives ``bool[places]``: where it sees something."""

    def expected(self) -> Floats:
        """``float64[2, places]``: what was to be expected of the first loop, and the upper limit; NaN for none."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a detector is fed: which quantity of how many loops that follow each other, every how many minutes."""

    quantity: str
    loops: int
    minutes: int


LOOP_OCCUPANCY: Final = Need("traffic.occupancy", 1, 1)
PAIR_OCCUPANCY: Final = Need("traffic.occupancy", 2, 1)
PAIR_SPEED: Final = Need("traffic.speed", 2, 5)


@dataclass(frozen=True, slots=True)
class RoadDetector:
    """One row.

    Attributes:
        make: a model for places whose loops are ``float64[places]`` metres apart (0 for single loops).
        gate: for so many places.
        lead: steps between the first sign and the step at which it is told.
        rest_ms: it is over when it has not been seen for so long.
        channel: what carries its findings.
    """

    name: str
    needs: Need
    make: Callable[[Floats], RoadModel]
    gate: Callable[[int], Gate]
    lead: int
    rest_ms: int
    score: float
    severity: str
    channel: str

    @property
    def rule(self) -> str:
        return f"traffic.{self.name}"


def _california(name: str, make: Callable[[Floats], RoadModel], channel: str) -> RoadDetector:
    # On-delay: a minute's occupancy on a quiet street jumps about, and two such minutes pass the algorithm now and
    # then; what is really in the way stays there. It is confirmed a step after it began.
    delay = 3
    gate = partial(OnDelay, steps=delay)
    return RoadDetector(name, PAIR_OCCUPANCY, make, gate, delay, 5 * MINUTE_MS, 0.8, "high", channel)


_ROWS: Final = (
    _california("california7", lambda metres: California(len(metres), SEVEN), "occupancy difference"),
    _california("california8", lambda metres: California(len(metres), EIGHT), "occupancy difference without a wave"),
    RoadDetector(
        "snd", LOOP_OCCUPANCY, lambda metres: NormalDeviate(len(metres)), partial(OnDelay, steps=1),
        lead=1, rest_ms=5 * MINUTE_MS, score=0.7, severity="medium", channel="occupancy deviate",
    ),
    RoadDetector(
        "bottleneck", PAIR_SPEED, Bottleneck, UnusualHour,
        lead=4, rest_ms=15 * MINUTE_MS, score=0.6, severity="low", channel="speed difference",
    ),
)  # fmt: skip
ROAD_DETECTORS: Final[Mapping[str, RoadDetector]] = {row.name: row for row in _ROWS}


def road_detectors(names: Sequence[str]) -> tuple[RoadDetector, ...]:
    """In the order of the table, each once.

    Raises:
        Misconfigured: no road detector has one of the names.
    """
    try:
        return tuple(ROAD_DETECTORS[name] for name in in_order(names))
    except ValueError as error:
        raise Misconfigured(f"road_detectors: '{error}' is not known; known are {', '.join(NAMES)}") from None


def carried(old: Payload, fresh: Payload, come_from: Ints) -> Payload:
    """The state of places that stay: place ``k`` of ``fresh`` becomes ``come_from[k]`` of ``old``; -1: it is new."""
    stay = come_from >= 0
    made = {name: np.array(array) for name, array in fresh.items()}
    for name, array in made.items():
        array[..., stay] = old[name][..., come_from[stay]]
    return made
