"""Findings in words and numbers: from the columns of a detector to a message that explains itself."""

from dataclasses import dataclass

import msgspec
import numpy as np

from domain.flags import Test
from domain.messages import Channel, Finding, ModelRef, Why
from domain.scores import Judged, Scores
from models.contract import Detector
from models.explain import sentence
from models.series_spec import SeriesSpec
from streams.quarantine import identity
from streams.traces import Traces, number

#: Quality tests that speak of a broken sensor, in the order in which they are named.
FAULTS = {
    Test.FLAT_LINE: "quality.flat_line",
    Test.COUNTER: "quality.counter",
    Test.PHYSICS: "quality.physics",
    Test.GROSS_RANGE: "quality.gross_range",
    Test.SPIKE: "quality.spike",
    Test.RATE_OF_CHANGE: "quality.rate_of_change",
}
_FAULT_WORDS = {
    "quality.flat_line": "repeats one value for longer than it ever did",
    "quality.counter": "counts in a way a meter cannot",
    "quality.physics": "contradicts the other quantities of the same sensor",
    "quality.gross_range": "reports what an instrument cannot measure",
    "quality.spike": "jumps and comes back within one reading",
    "quality.rate_of_change": "changes faster than is possible",
    "quality.failed": "fails its quality tests",
}
_NEIGHBOURS_MAX = 5


@dataclass(frozen=True, slots=True)
class Scored:
    """The scored readings of one step, and what was said of them."""

    readings: Judged
    scores: Scores


class Explainer:
    """Makes findings for the rows of one area."""

    def __init__(self, area: str, detector: Detector, specs: list[SeriesSpec], traces: Traces) -> None:
        self._area = area
        self._detector = detector
        self._specs = specs
        self._traces = traces

    def opened(self, scored: Scored, k: int) -> Finding:
        """The finding that reading ``k`` opens."""
        readings, scores = scored.readings, scored.scores
        row, t = int(readings.row[k]), int(readings.t[k])
        spec = self._specs[row]
        fault = fault_of(int(readings.flag[k]), int(readings.tests[k]))
        rule = fault or f"detector.{self._detector.kind}"
        score = float(scores.score[k])
        return Finding(
            id=identity(rule, self._area, spec.sensor.sensor, t),
            rule=rule,
            kind="quality" if fault else "anomaly",
            phase="open",
            area=self._area,
            place=spec.sensor.place or spec.sensor.sensor,
            series=[spec.name],
            time=t,
            onset=t,
            score=score,
            severity="medium" if fault else _severity(score),
            why=self._why(scored, k, fault),
        )

    def again(self, finding: Finding, phase: str, time: int, row: int) -> Finding:
        """A later phase of the finding, with the picture as it is now."""
        why = msgspec.structs.replace(finding.why, trace=self._traces.points(row))
        return msgspec.structs.replace(finding, phase=phase, time=time, why=why)

    def _why(self, scored: Scored, k: int, fault: str) -> Why:
        readings, scores = scored.readings, scored.scores
        row, t, x = int(readings.row[k]), int(readings.t[k]), float(readings.x[k])
        spec = self._specs[row]
        expected, lower, upper = (float(c[k]) for c in (scores.expected, scores.lower, scores.upper))
        one_in = float(scores.one_in[k])
        evidence = {name: float(values[k]) for name, values in scores.channels.items()}
        if fault:
            where = spec.sensor.place or spec.sensor.sensor
            words = f"{spec.name} at {where} {_FAULT_WORDS[fault]}: the sensor, not the city."
            channels = [Channel(fault, 1.0)]
        else:
            words = sentence(spec, x, expected, lower, upper, one_in, t, evidence)
            channels = _shares(evidence)
        return Why(
            sentence=words,
            observed=number(x),
            expected=number(expected),
            lower=number(lower),
            upper=number(upper),
            one_in=number(one_in),
            since=t,
            channels=channels,
            neighbours=self._neighbours(row),
            model=ModelRef(self._detector.kind, self._detector.version, dict(self._detector.parameters)),
            trace=self._traces.points(row),
        )

    def _neighbours(self, row: int) -> list[dict[str, object]]:
        """What other sensors of the area say of the same quantity just now."""
        mine = self._specs[row]
        told: list[dict[str, object]] = []
        for other, spec in enumerate(self._specs):
            if other == row or spec.quantity.name != mine.quantity.name or len(told) == _NEIGHBOURS_MAX:
                continue
            last = self._traces.last(other)
            if last is not None:
                told.append(
                    {"series": spec.name, "time": last.time, "observed": last.value, "expected": last.expected,
                     "lower": last.lower, "upper": last.upper}
                )  # fmt: skip
        return told


def fault_of(flag: int, tests: int) -> str:
    """The quality rule that a failed reading breaks; empty for a reading that has not failed."""
    if flag != 4:
        return ""
    return next((rule for test, rule in FAULTS.items() if tests & test), "quality.failed")


def _severity(score: float) -> str:
    return "high" if score >= 0.9 else "medium" if score >= 0.7 else "low"


def _shares(evidence: dict[str, float]) -> list[Channel]:
    """Shares of the evidence, the largest first."""
    known = {name: max(0.0, value) for name, value in evidence.items() if np.isfinite(value)}
    total = sum(known.values())
    if total <= 0:
        return []
    ordered = sorted(known.items(), key=lambda item: (-item[1], item[0]))
    return [Channel(name, round(value / total, 4)) for name, value in ordered]
