"""Findings in words and numbers: from the columns of a detector to a message that explains itself."""

from dataclasses import dataclass

import msgspec
import numpy as np

from domain.messages import Channel, Finding, ModelRef, Why
from domain.scores import Judged, Scores
from models.causes import Cause
from models.contract import Detector
from models.explain import sentence
from models.quality import QualityTests
from streams.board import Board
from streams.quarantine import identity
from streams.traces import Traces, number

FAULT_SCORE = 0.75
_NEIGHBOURS_MAX = 5


@dataclass(frozen=True, slots=True)
class Scored:
    """The scored readings of one step, and what was said of them."""

    readings: Judged
    scores: Scores


class Explainer:
    """Makes findings for the rows of one area."""

    def __init__(self, board: Board, detector: Detector, traces: Traces) -> None:
        self._area = board.area
        self._detector = detector
        self._specs = board.index.specs
        self._traces = traces
        self._near = board.near

    def opened(self, scored: Scored, k: int) -> Finding:
        """The finding that reading ``k`` opens."""
        readings, scores = scored.readings, scored.scores
        row, t = int(readings.row[k]), int(readings.t[k])
        spec = self._specs[row]
        rule = f"detector.{self._detector.kind}"
        score = float(scores.score[k])
        return Finding(
            id=identity(rule, self._area, spec.sensor.sensor, t),
            rule=rule,
            kind="anomaly",
            phase="open",
            area=self._area,
            place=spec.sensor.place or spec.sensor.sensor,
            series=[spec.name],
            time=t,
            onset=t,
            score=score,
            severity=_severity(score),
            why=self._why(scored, k),
        )

    def fault(self, row: int, t: int, cause: Cause, of_city: bool) -> Finding:
        """The finding that a fault of a sensor opens, or with ``of_city`` one that its neighbours share."""
        spec = self._specs[row]
        return Finding(
            id=identity(cause.rule, self._area, spec.sensor.sensor, t),
            rule=cause.rule.replace("quality.", "detector.") if of_city else cause.rule,
            kind="anomaly" if of_city else "quality",
            phase="open",
            area=self._area,
            place=spec.sensor.place or spec.sensor.sensor,
            series=[spec.name],
            time=t,
            onset=t,
            score=FAULT_SCORE,
            severity="medium",
            why=self.fault_why(row, t, cause, of_city),
        )

    def fault_why(self, row: int, since: int, cause: Cause, of_city: bool) -> Why:
        """Why a finding speaks of a fault, and of which."""
        spec = self._specs[row]
        where = spec.sensor.place or spec.sensor.sensor
        last = self._traces.last(row)
        blame = "its neighbours do too, so look at the city" if of_city else "the sensor, not the city"
        return Why(
            sentence=f"{spec.name} at {where} {cause.words}: {blame}.",
            observed=last.value if last else None,
            expected=last.expected if last else None,
            lower=last.lower if last else None,
            upper=last.upper if last else None,
            one_in=None,
            since=since,
            channels=[Channel(cause.rule, 1.0)],
            neighbours=self._neighbours(row),
            model=ModelRef("quality", QualityTests.version, {"cause": cause.rule.removeprefix("quality.")}),
            trace=self._traces.points(row),
        )

    def again(self, finding: Finding, phase: str, time: int, row: int) -> Finding:
        """A later phase of the finding, with the picture as it is now."""
        why = msgspec.structs.replace(finding.why, trace=self._traces.points(row))
        return msgspec.structs.replace(finding, phase=phase, time=time, why=why)

    def _why(self, scored: Scored, k: int) -> Why:
        readings, scores = scored.readings, scored.scores
        row, t, x = int(readings.row[k]), int(readings.t[k]), float(readings.x[k])
        spec = self._specs[row]
        expected, lower, upper = (float(c[k]) for c in (scores.expected, scores.lower, scores.upper))
        one_in = float(scores.one_in[k])
        evidence = {name: float(values[k]) for name, values in scores.channels.items()}
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
        """What the nearest other sensors of the area say of the same quantity just now."""
        near = [other for other in self._near.of(self._specs)[row].tolist() if other >= 0]
        told = [(self._specs[other].name, last) for other in near if (last := self._traces.last(other)) is not None]
        return [
            {"series": name, "time": last.time, "observed": last.value, "expected": last.expected,
             "lower": last.lower, "upper": last.upper}
            for name, last in told[:_NEIGHBOURS_MAX]
        ]  # fmt: skip


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
