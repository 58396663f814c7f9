"""The Numenta Anomaly Benchmark through ``borough backtest``: a table on stdout, and in Markdown with ``--write``.

``python -m benchmarks.quality.nab --data ../shared/data/nab --write nab-rows.md``. The threshold is the one
built in: a score of 0.5. Perturbations carry a seed. Parameters are varied on the detector itself, behind the episode
gate, as ``backtest`` has no knobs for them; the first lines show that both ways agree.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.quality import nab_runs as runs
from benchmarks.quality.nab_choice import half_and_half
from benchmarks.quality.nab_data import NabFile, load
from benchmarks.quality.nab_scorer import Tally, scores
from models.novelty import NoveltyDetector
from models.novelty_state import NoveltyParameters
from models.registry import DEFAULT, DETECTORS, detector

Line = tuple[str, list[Tally], str]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path("../shared/data/nab"))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", type=Path, help="the table in Markdown")
    options.add_argument("--parts", nargs="*", default=["backtest", "perturbed", "directly", "varied", "half"])
    options.add_argument("--detectors", nargs="*", default=list(DETECTORS))
    chosen = options.parse_args()
    files = load(chosen.data)
    command = f"`python -m benchmarks.quality.nab --seed {chosen.seed} --parts {' '.join(chosen.parts)}`"
    out = [f"Made by {command}; 58 series, 116 windows, threshold 0.5.", ""]
    out += ["| run | standard | low FP | low FN | windows found | false | note |", "|---|---|---|---|---|---|---|"]
    for name, tallies, note in lines(files, chosen):
        by_profile = " | ".join(f"{value:.1f}" for value in scores(tallies).values())
        found, false = sum(one.found for one in tallies), sum(one.false_count for one in tallies)
        out.append(f"| {name} | {by_profile} | {found} | {false} | {note} |")
        print(out[-1], flush=True)
    if "half" in chosen.parts:
        held = half_and_half(files, splits=10, seed=chosen.seed)
        out += ["", f"Channels and threshold chosen on half of the files, scored on the other half, 10 splits: "
                f"standard {np.mean(held):.1f} (from {min(held):.1f} to {max(held):.1f})."]  # fmt: skip
        print(out[-1])
    if chosen.write:
        chosen.write.parent.mkdir(parents=True, exist_ok=True)
        chosen.write.write_text("# NAB\n\n" + "\n".join(out) + "\n", encoding="utf-8")


def lines(files: list[NabFile], chosen: argparse.Namespace) -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        if "backtest" in chosen.parts:
            yield _backtest(f"{DEFAULT}, by backtest", files, Path(folder) / "plain")
        if "perturbed" in chosen.parts:
            for name, perturb in runs.PERTURBED.items():
                yield _backtest(f"{DEFAULT}, {name}", perturb(files, chosen.seed), Path(folder) / name[:1])
    if "directly" in chosen.parts:
        for name in chosen.detectors:
            detected, micros = runs.directly(files, detector(name))
            yield f"{name}, directly", runs.tallies(files, detected), f"{micros:.0f} µs per sample, rows side by side"
    if "varied" in chosen.parts:
        yield from _varied(files)


def _backtest(name: str, files: list[NabFile], folder: Path) -> Line:
    return name, runs.tallies(files, runs.by_backtest(files, DEFAULT, folder)), ""


#: Parameters of the verdict: for these the channels need not be looked at again.
_OF_VERDICT = (
    "threshold", "history_power", "reference_s", "evidence_max", "young_s", "young_power", "warm_up_s", "rest_s",
    "fatigue", "fatigue_s", "agreement", "step_decades",
)  # fmt: skip


def _varied(files: list[NabFile]) -> Iterator[Line]:
    """Every parameter of the default detector ± 20 %."""
    usual = NoveltyParameters()
    readings, interval = runs.side_by_side(files)
    looked = _made(files, usual).look(readings)
    for field in dataclasses.fields(usual):
        value = getattr(usual, field.name)
        for factor in (0.8, 1.2):
            varied = round(value * factor) if isinstance(value, int) else value * factor
            if field.name == "days" and not 1 <= varied <= 7:
                continue
            made = _made(files, dataclasses.replace(usual, **{field.name: varied}))
            seen = looked if field.name in _OF_VERDICT else made.look(readings)
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                score = made.verdict(readings, seen)
            yield f"{field.name} = {varied:g}", runs.tallies(files, runs.detected(files, readings, score, interval)), ""


def _made(files: list[NabFile], parameters: NoveltyParameters) -> NoveltyDetector:
    made = NoveltyDetector(parameters)
    made.ensure(runs.specs(files))
    return made


if __name__ == "__main__":
    main()
