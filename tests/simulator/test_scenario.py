"""Scenarios: shipped as data, refer to places that exist, same seed same bytes."""

import csv
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from domain.errors import Misconfigured
from domain.times import parse_time
from simulator import scenario as module
from simulator.events import Crash, FeederFault
from simulator.plan import plan_town
from simulator.scenario import SCENARIOS, run_to_files
from simulator.script import truth


def short(monkeypatch: pytest.MonkeyPatch, name: str, hours: float, first_step: bool = True) -> None:
    """Let a scenario be only ``hours`` long, around its first step."""
    full = SCENARIOS[name]
    start = full.start_ms
    if full.steps:
        start += int((full.steps[0][2] - 30) * 60_000)
    steps = tuple((make, at, 30.0 + n, 20.0, strength) for n, (make, at, _, _, strength) in enumerate(full.steps))
    monkeypatch.setitem(module.SCENARIOS, name, replace(full, days=hours / 24, start_ms=start, steps=steps))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_named_ones_are_there() -> None:
    assert SCENARIOS.keys() >= {"quiet-day", "rush-hour-crash", "pollution-episode", "feeder-fault", "failing-sensors"}


@pytest.mark.parametrize("name", list(SCENARIOS))
@pytest.mark.parametrize("seed", [1, 7])
def test_every_step_names_a_place_and_lies_within_the_time(name: str, seed: int) -> None:
    scenario = SCENARIOS[name]
    labels = list(truth(scenario.script(), plan_town(seed, scenario.size), scenario.start_ms, scenario.end_ms))
    assert len(labels) == len(scenario.steps)
    for label in labels:
        assert label.series
        assert scenario.start_ms <= label.start < label.end <= scenario.end_ms


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_same_seed_same_bytes_other_seed_others(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, name, 1.5)
    once, again, other = (digests(run_to_files(name, s, tmp_path / n)) for s, n in ((7, "a"), (7, "b"), (8, "c")))
    assert once.keys() == {"readings.csv", "sensors.csv", "links.csv", "truth.csv"}
    assert once == again
    assert once["readings.csv"] != other["readings.csv"]


def test_files_are_the_tidy_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, "busy-day", 1.0)
    run_to_files("busy-day", 7, tmp_path)
    tables = {p.stem: list(csv.DictReader(p.open(encoding="utf-8"))) for p in tmp_path.iterdir()}
    town = plan_town(7)
    assert list(tables["readings"][0]) == ["time", "series", "value"]
    assert list(tables["links"][0]) == ["from", "to", "metres"]
    assert list(tables["truth"][0]) == ["cause", "kind", "place", "area", "start", "end", "series"]
    assert [row["sensor"] for row in tables["sensors"]] == [sensor.sensor for sensor in town.sensors]
    times = [parse_time(row["time"]) for row in tables["readings"]]
    assert times == sorted(times)
    assert {row["series"] for row in tables["readings"]} <= set(town.series)
    assert {row["cause"] for row in tables["truth"]} == {"world", "sensor", "transport"}
    assert all(set(row["series"].split(";")) <= set(town.series) for row in tables["truth"])


def test_unknown_scenario_and_missing_place_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="no scenario noisy-night; there are quiet-day"):
        run_to_files("noisy-night", 7, tmp_path / "x")
    crash = SCENARIOS["rush-hour-crash"]
    for step in ((Crash, "loop-999", 0.0, 10.0, 0.9), (FeederFault, "atlantis", 0.0, 9.0, 1.0)):
        monkeypatch.setitem(module.SCENARIOS, crash.name, replace(crash, steps=(step,)))
        with pytest.raises(Misconfigured, match=step[1]):
            run_to_files(crash.name, 7, tmp_path / "x")
    assert not (tmp_path / "x").exists()
