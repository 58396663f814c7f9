"""The scoreboard of road detectors: every choice sees the windows of a backtest, and towns are pooled rightly."""

import gzip
from pathlib import Path

import pytest

from benchmarks.quality import roads
from benchmarks.quality.roads_page import page, recorded
from domain.sensors import SensorRegister
from models.road_names import NAMES
from simulator.scenario import load
from simulator.scenario_run import Play
from simulator.scoreboard_figures import on_roads
from streams.desk_in_memory import DeskInMemory
from streams.driver import Driver
from streams.setup import Setup

CRASHES = """
title: Two crashes in the morning peak
teaches: x
days: 0.4
size: 40
events:
  - {kind: crash, target: loop-003, at: day 1 07:40, for: 35 min, strength: 0.9}
  - {kind: crash, target: loop-006, at: day 1 08:20, for: 35 min, strength: 0.9}
"""


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    path = tmp_path_factory.mktemp("scenario") / "crashes.yaml"
    path.write_text(CRASHES)
    return Play.of(load(str(path)), 1)


@pytest.fixture(scope="module")
def run(play: Play) -> roads.Run:
    return roads.run(play, "null")


def test_a_choice_finds_what_the_pipeline_finds_with_it(play: Play) -> None:
    names = ("california7", "snd")
    fork = roads.Fork(SensorRegister(play.town.sensors, play.town.links), roads.road_detectors(names))
    inside = DeskInMemory()
    register = SensorRegister(play.town.sensors, play.town.links)
    for step in Driver(Setup(register, roads.PATIENCE, "null", names)).run(roads.of_loops(play)):
        inside.follow(step)
        for flow in step.flows:
            fork.follow(flow)
    incidents = {key for key, alert in inside.alerts.items() if alert.rule.startswith("traffic.")}
    assert incidents == set(fork.desk.alerts)
    assert incidents, "there is something to compare"


def test_every_detector_stands_there_alone_and_in_the_default(run: roads.Run) -> None:
    assert list(run.alone)[:4] == list(NAMES)
    assert len(run.whole) == 2
    assert len(run.alone["all four"].judgements) <= sum(len(run.alone[name].judgements) for name in NAMES)
    assert run.readings > 20_000


def test_the_scenario_of_the_page_has_trouble_on_the_roads_of_every_seed() -> None:
    kinds = [truth.kind for truth in roads.town(11, 60, 3.0).truths]
    assert kinds.count("crash") > 2 < kinds.count("stopped-vehicle")


def test_pooling_a_town_with_itself_changes_counts_and_no_rate(run: roads.Run) -> None:
    one = run.alone["snd"]
    two = roads.pooled([one, one])
    once, twice = on_roads(one), on_roads(two)
    assert twice.pop("events") == 2 * once.pop("events")
    assert twice == once
    assert two.span.sensors["traffic"] == 2 * one.span.sensors["traffic"]


def test_the_page_has_a_row_for_each_choice_and_each_yardstick(run: roads.Run) -> None:
    text = page("command", "said", run.alone, run.whole, "recording")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    for name in (*run.alone, *run.whole, "APID in service (Utah 2001)", "UK stopped-vehicle bar"):
        assert any(line.startswith(f"| {name} |") for line in rows), name


def test_what_a_recording_allows_is_said(tmp_path: Path) -> None:
    assert "not here" in recorded(tmp_path)
    with gzip.open(tmp_path / "test.csv.gz", "wt", encoding="utf-8-sig") as file:
        file.write("5 Minutes,Lane 1 Flow (Veh/5 Minutes),% Observed\n")
    assert "neither speed nor occupancy" in recorded(tmp_path)
    with gzip.open(tmp_path / "test.csv.gz", "wt", encoding="utf-8-sig") as file:
        file.write("5 Minutes,Speed (mph)\n")
    assert "reads no such recording yet" in recorded(tmp_path)
