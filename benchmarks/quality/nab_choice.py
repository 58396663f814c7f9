"""How much of the NAB figure is luck: channels and threshold chosen on half of the files, scored on the other half.

The distances, their statistics and the other parameters stay as they are; for each split the set of channels (all, or
all but one or two) and the threshold are those that do best on one half.
"""

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import nab_runs as runs
from benchmarks.quality.nab_data import NabFile
from benchmarks.quality.nab_scorer import PROFILES, Tally, score
from models.novelty import NoveltyDetector
from models.novelty_state import NoveltyParameters

THRESHOLDS = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75)


def half_and_half(files: list[NabFile], splits: int, seed: int) -> list[float]:
    """Standard score on the half not used for choosing, each split both ways around."""
    choices = _choices(files)
    rng, held = np.random.default_rng(seed), []
    for _ in range(splits):
        order = rng.permutation(len(files))
        halves = order[: len(files) // 2], order[len(files) // 2 :]
        for here, there in (halves, halves[::-1]):
            best = max(choices, key=lambda choice: _standard(choice, here))
            held.append(_standard(best, there))
    return held


def _choices(files: list[NabFile]) -> list[list[Tally]]:
    """What each set of channels and threshold finds: the channels are looked at once, the verdicts made anew."""
    readings, interval = runs.side_by_side(files)
    made = NoveltyDetector()
    made.ensure(runs.specs(files))
    seen = made.look(readings)
    count = len(seen.found)
    silent = [out for k in range(3) for out in itertools.combinations(range(count), k)]
    choices = []
    for out in silent:
        found = seen.found.copy()
        found[list(out)] = np.nan
        for threshold in THRESHOLDS:
            judge = NoveltyDetector(NoveltyParameters(threshold=threshold))
            judge.ensure(runs.specs(files))
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                verdict = judge.verdict(readings, replace(seen, found=found))
            choices.append(runs.tallies(files, runs.detected(files, readings, verdict, interval)))
    return choices


def _standard(tallies: list[Tally], chosen: NDArray[np.int64]) -> float:
    return score([tallies[k] for k in chosen.tolist()], PROFILES["standard"])
