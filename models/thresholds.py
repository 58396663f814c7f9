"""What operators' verdicts say about how high a finding of one rule in one area must score to become an alert.

Every alert that was judged has a score and either deserved an operator's time or did not. The threshold that is
proposed is the one at which the verdicts' cost is least: an alert that should not have been costs one, an alert that
would be lost costs ``LOST_COST``. It moves a step at a time, within bounds, and only when enough has been judged:
verdicts are few and judged alerts are not a fair sample (what scores below the threshold is never seen, so what says
"lower" can only be the absence of false alerts just above it).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

LOWEST: Final = 0.5  # the detectors' own threshold
HIGHEST: Final = 0.999  # what scores higher is always told
STEP_LOGITS: Final = 1.5  # of one adoption; a score's logit grows by about so much per decade of rarity
JUDGED_MIN: Final = 5
WRONG_MIN: Final = 3  # false verdicts before anything is raised
LOST_COST: Final = 3.0
_NEAR: Final = 0.1  # verdicts this close above a threshold say whether it may be lowered

#: Verdicts that say an alert was worth an operator's time. A broken sensor is what a quality or silence rule is there
#: to find, and not what a detector of events is.
_FAULT_KINDS: Final = ("quality", "silence", "maintenance")


@dataclass(frozen=True, slots=True)
class JudgedScore:
    """The score of an alert and whether it was worth it."""

    score: float
    deserved: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold, and why: how many were judged, how many of them wrong, and what it costs before and after."""

    threshold: float
    judged: int
    wrong: int
    cost_before: float
    cost_after: float


def deserved(kind: str, verdict: str) -> bool | None:
    """Whether a verdict says that an alert of this kind was worth it; None when it says nothing."""
    if verdict == "sensor_fault":
        return kind in _FAULT_KINDS
    return {"true": True, "false": False}.get(verdict)


def propose(judged: Sequence[JudgedScore], current: float) -> Proposal | None:
    """The threshold that the verdicts ask for; None when they ask for no change or are too few.

    Args:
        judged: alerts of one rule in one area that were judged.
        current: the threshold in force.
    """
    wrong = sum(not one.deserved for one in judged)
    if len(judged) < JUDGED_MIN:
        return None
    if wrong < WRONG_MIN:
        return _lowered(judged, current, wrong)
    before = _cost(judged, current)
    top = min(HIGHEST, moved(current, STEP_LOGITS))
    best = min(_candidates(judged, current, top), key=lambda threshold: (_cost(judged, threshold), threshold))
    after = _cost(judged, best)
    return Proposal(best, len(judged), wrong, before, after) if after < before else None


def moved(threshold: float, logits: float) -> float:
    """A threshold in (0, 1) moved on the logistic scale, on which scores are even."""
    return 1 / (1 + math.exp(-(math.log(threshold / (1 - threshold)) + logits)))


def _lowered(judged: Sequence[JudgedScore], current: float, wrong: int) -> Proposal | None:
    """Nothing false was told just above a threshold that has been raised before: a step back towards the lowest."""
    near = [one for one in judged if current <= one.score < current + _NEAR]
    if current <= LOWEST or len(near) < JUDGED_MIN or not all(one.deserved for one in near):
        return None
    cost = _cost(judged, current)
    return Proposal(round(max(LOWEST, moved(current, -STEP_LOGITS)), 3), len(judged), wrong, cost, cost)


def _candidates(judged: Sequence[JudgedScore], low: float, high: float) -> list[float]:
    """Half-way between neighbouring scores, rounded to three digits; the present threshold and the highest too."""
    scores = sorted({one.score for one in judged if low <= one.score <= high})
    halves = [round((a + b) / 2, 3) for a, b in pairwise([*scores, min(high, scores[-1] + 0.02)])] if scores else []
    return [low, *(h for h in halves if low < h <= high), round(high, 3)]


def _cost(judged: Sequence[JudgedScore], threshold: float) -> float:
    return sum((LOST_COST if one.score < threshold else 0.0) if one.deserved else float(one.score >= threshold)
               for one in judged)  # fmt: skip
