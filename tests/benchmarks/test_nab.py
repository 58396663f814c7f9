"""NAB's own figures must come out of our scorer, and a handful of its files must come out of the default detector."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import nab_runs as runs
from benchmarks.quality.nab_data import NabFile, load, published, shipped
from benchmarks.quality.nab_scorer import PROFILES, score, tally, worth
from models.registry import DEFAULT, detector

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder() -> Path:
    data = Path(os.environ.get("BOROUGH_DATA_SETS", _ROOT.parent / "shared" / "data")) / "nab"
    if not data.is_dir():
        if os.environ.get("BOROUGH_REQUIRE"):
            pytest.fail(f"BOROUGH_REQUIRE is set and there is no NAB at {data}")
        pytest.skip(f"no NAB at {data}")
    return data


@pytest.fixture(scope="module")
def files(folder: Path) -> list[NabFile]:
    return load(folder)


@pytest.mark.parametrize(("name", "standard"), [("numenta", 70.10), ("windowedGaussian", 39.65)])
def test_the_scorer_gives_what_nab_publishes(folder: Path, files: list[NabFile], name: str, standard: float) -> None:
    rows = {file.name: shipped(folder, name, file.name) for file in files}
    for profile, (threshold, result) in published(folder, name).items():
        tallies = [tally(worth(file.t, file.windows), rows[file.name] >= threshold) for file in files]
        assert score(tallies, PROFILES[profile]) == pytest.approx(result, abs=1e-6)
        if profile == "standard":
            assert round(score(tallies, PROFILES[profile]), 2) == standard


def test_finding_nothing_is_0_and_finding_all_at_once_is_100(files: list[NabFile]) -> None:
    nothing = [tally(worth(file.t, file.windows), np.zeros(len(file.t), bool)) for file in files]
    at_once = [
        tally(worth(file.t, file.windows), np.isin(file.t, [first for first, _ in file.windows])) for file in files
    ]
    for profile in PROFILES.values():
        assert score(nothing, profile) == pytest.approx(0)
        assert score(at_once, profile) == pytest.approx(100)


def test_perturbed_files_keep_their_windows(files: list[NabFile]) -> None:
    for perturb in runs.PERTURBED.values():
        for file in perturb(files[:5] + files[-5:], 1):
            assert all(first in file.t and last in file.t for first, last in file.windows)


def test_backtest_finds_what_the_detector_finds_directly(files: list[NabFile], tmp_path: Path) -> None:
    few = [file for file in files if len(file.t) < 2_000][-2:]
    assert len(few) == 2
    through = runs.tallies(few, runs.by_backtest(few, DEFAULT, tmp_path))
    direct, _ = runs.directly(few, detector(DEFAULT))
    assert [one.found for one in through] == [one.found for one in runs.tallies(few, direct)]
    assert sum(one.found for one in through) >= 3
    assert sum(one.false_count for one in through) <= 10
