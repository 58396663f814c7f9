"""``simulate``: what is listed can be run, and the same seed gives the same bytes."""

import json
from pathlib import Path

import pytest

from simulator.scenario import SCENARIOS
from tests.service.conftest import Borough


def test_list(borough: Borough) -> None:
    answer = json.loads(borough("simulate", "list", "--json").out)
    assert [row["scenario"] for row in answer["data"]] == list(SCENARIOS)
    assert answer["meta"]["count"] == len(SCENARIOS)
    assert "quiet-day" in borough("simulate", "list").out


def test_run_into_files(borough: Borough, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        ran = borough("simulate", "run", "rush-hour-crash", "--seed", "3", "--out", folder)
        assert (ran.code, ran.out) == (0, "")
    names = {"readings.csv", "sensors.csv", "links.csv", "truth.csv"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert len((tmp_path / "a" / "truth.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["quiet-day"], 2, "give either --out FOLDER or --speed X"),
        (["quiet-day", "--out", "a", "--speed", "1"], 2, "give either --out FOLDER or --speed X"),
        (["nope", "--out", "a"], 2, "no scenario nope; there are quiet-day"),
    ],
)
def test_what_must_be_changed(words: list[str], code: int, said: str, borough: Borough) -> None:
    ran = borough("simulate", "run", *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
