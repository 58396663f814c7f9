"""Many histories of the simulated town, each from its seed; and programs with one thing wrong, which must be found.

``BOROUGH_FAULTS=nightly`` runs 20,000 seeds instead of 200. A seed that fails is printed with the command that plays it
again, step by step the same.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.simulation.disk import SimDisk, SimPath
from tests.faults.simulation.history import run
from tests.faults.simulation.mutants import MUTANTS
from tests.faults.simulation.sites import MODES

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 20_000 if os.environ.get("BOROUGH_FAULTS") == "nightly" else 200
BLOCKS = 10


def command(mode: str, seed: int) -> str:
    return f"python -m tests.faults.simulation.history --mode {mode} --seed {seed}"


@pytest.mark.timeout(0 if SEEDS > 200 else 600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_is_lost_and_nothing_doubled(mode: str, block: int) -> None:
    """Every reading counted once, windows exact, results and alerts as without faults, offsets at their end."""
    count = SEEDS // BLOCKS // len(MODES)
    struck = messages = 0
    for seed in range(block * count, (block + 1) * count):
        history = run(seed, mode)
        struck += len(history.faults)
        messages += history.messages
        assert not history.found, "\n".join([command(mode, seed), *history.faults, "wrong:", *history.found[:10]])
    assert struck > count
    print(f"{mode}: {count} seeds, {struck} faults, {messages} messages")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_program_with_one_thing_wrong_is_found(name: str) -> None:
    mutant = MUTANTS[name]
    for seed in range(mutant.first, mutant.first + mutant.seeds):
        if run(seed, mutant.mode, mutant.parts).found:
            return
    pytest.fail(f"{name}: not found in {mutant.seeds} seeds from {mutant.first} on")


@pytest.mark.parametrize("mode", MODES)
def test_a_seed_plays_the_same_history_in_another_process(mode: str) -> None:
    here = run(7, mode)
    told = []
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        words = [sys.executable, *command(mode, 7).split()[1:]]
        told.append(subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout)
    assert told[0] == told[1]
    assert f"{here.steps} steps, {here.messages} messages, trace {here.trace:012x}" in told[0]


def test_the_disk_keeps_what_is_synced_and_only_that() -> None:
    import random

    torn = set()
    for seed in range(200):
        disk = SimDisk(random.Random(seed))
        for name, synced in (("f/kept", True), ("f/lost", False)):
            with SimPath(disk, name).open("wb") as file:
                file.write(b"x" * 100)
                if synced:
                    disk.fsync(file.fileno())
                    disk.fsync(disk.open(SimPath(disk, "f"), disk.O_RDONLY))
        disk.power_cut()
        assert disk.names["f/kept"].content == b"x" * 100
        torn.add(disk.names["f/lost"].content if "f/lost" in disk.names else None)
    assert None in torn
    assert len(torn) > 20
