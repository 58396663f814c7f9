"""Same scenario, seed and version: same bytes. The sums are pinned, and hold on processors of several kinds.

A sum that is wrong here means that the simulated city is another one. If that is what you wanted, raise the version
in CHANGELOG.md and pin the sums anew: the message has them. How it can hold at all: docs/decisions/0018.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.service.conftest import Borough

ROOT = Path(__file__).resolve().parents[2]
HEAD = "title: {}\nteaches: its bytes\ndays: {}\nsize: {}\nstart: {}\nevents:\n"
#: Rain, rush hour and events of all three fields, and every way in which readings travel badly.
USUAL = (
    HEAD.format("A morning", 0.36, 24, "2026-03-02T00:00:00Z")
    + """\
  - {kind: crash, target: loop-003, at: day 1 07:40, for: 20 min}
  - {kind: fog, target: town, at: day 1 06:30, for: 40 min}
  - {kind: pollution-episode, target: old-town, at: day 1 07:00, for: 30 min}
  - {kind: overload, target: substation-lenwick, at: day 1 06:00, for: 1 h}
  - {kind: battery-decline, target: air-002, at: day 1 05:00, for: 2 h}
  - {kind: swapped-channels, target: loop-007, at: day 1 06:00, for: 1 h}
  - {kind: counter-rollover, target: meter-003, at: day 1 06:00, for: 1 h}
"""
)
TROUBLED = (
    HEAD.format("A bad line", 0.09, 40, "2026-10-25T00:00:00Z")
    + """\
  - {kind: late, target: ring-north, at: day 1 00:10, for: 30 min}
  - {kind: duplicate, target: ring-south, at: day 1 00:10, for: 30 min}
  - {kind: lost, target: old-town, at: day 1 00:15, for: 30 min}
  - {kind: corrupt, target: millbrook, at: day 1 00:15, for: 20 min}
  - {kind: burst, target: substation-lenwick, at: day 1 01:00, for: 20 min}
  - {kind: feeder-fault, target: substation-market, at: day 1 00:30, for: 20 min}
"""
)
MIXED = (
    HEAD.format("Drawn by the seed", 0.2, 60, "2026-07-04T00:00:00Z").removesuffix("events:\n")
    + """\
mix: {from: day 1 00:00, per_day: {crash: 9, noise: 9, drift: 9, voltage-sag: 9, out-of-order: 9, saharan-dust: 0}}
"""
)
SCENARIOS = {"usual": USUAL, "troubled": TROUBLED, "mixed": MIXED}
#: (scenario, seed) → the first 16 digits of the sums of readings.csv and truth.csv
PINNED = {
    ("usual", 7): ("8ded59b58f99758f", "62f32f50ff9df46f"),
    ("usual", 4_711): ("63f415c1c34f43ed", "2ac5c5588b02633e"),
    ("troubled", 7): ("b9b6df5f300a2684", "7618bf7f81e7da98"),
    ("mixed", 1): ("0dbabef9788a8edc", "ab2df9777b1d9bda"),
    ("mixed", 2): ("98eff9d2a450ae72", "ec8398fd180a879e"),
}


@pytest.mark.parametrize(("name", "seed"), PINNED)
def test_the_sums_are_those_that_were_pinned(name: str, seed: int, borough: Borough, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yaml").write_text(SCENARIOS[name])
    ran = borough("simulate", "run", f"{name}.yaml", "--seed", str(seed), "--out", "city", "--json")
    assert ran.code == 0, ran.err
    sums = json.loads(ran.out)["sha256"]
    assert (sums["readings.csv"][:16], sums["truth.csv"][:16]) == PINNED[name, seed]


def unused() -> str:
    """What this processor can do beyond the least that NumPy needs."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return " ".join(found)


def test_a_lesser_processor_makes_the_same_bytes(tmp_path: Path) -> None:
    """NumPy takes other paths for exponentials and powers there; what is written is rounded, so it does not show."""
    (tmp_path / "usual.yaml").write_text(USUAL)
    script = (
        "import sys; from service.playing import write_play; from simulator.scenario import load\n"
        "from simulator.scenario_run import Play; from pathlib import Path\n"
        "print(write_play(Play.of(load(sys.argv[1]), 7), Path(sys.argv[2]), 1))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "usual.yaml", tmp_path / "city"], cwd=ROOT, check=True,
        capture_output=True, text=True, env={**os.environ, "NPY_DISABLE_CPU_FEATURES": unused()},
    )  # fmt: skip
    assert ran.stdout.strip()[:16] == PINNED["usual", 7][0], ran.stderr
