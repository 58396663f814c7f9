"""``simulate``: what is listed can be run, the same seed gives the same bytes, and a score has an exit code."""

import csv
import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from service.playing import write_play
from simulator.scenario import load, names
from simulator.scenario_fields import schema
from simulator.scenario_run import Play
from tests.service.conftest import Borough

SHORT = """\
title: Short
teaches: in a test
days: 0.09
size: 24
events:
  - {kind: crash, target: loop-003, at: day 1 00:40, for: 20 min}
  - {kind: duplicate, target: old-town, at: day 1 00:10, for: 60 min, strength: 60000}
  - {kind: stuck, target: meter-002, at: day 1 01:00, for: 40 min}
expect: {detection_min: 0.5, false_share_max: 0.5}
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return path


def test_list(borough: Borough) -> None:
    answer = json.loads(borough("simulate", "list", "--json").out)
    assert [row["scenario"] for row in answer["data"]] == names()
    assert answer["meta"]["count"] == len(names()) >= 20
    assert all(row["title"] and row["teaches"] for row in answer["data"])
    assert "quiet-day" in borough("simulate", "list").out


def test_schema(borough: Borough) -> None:
    assert json.loads(borough("simulate", "schema").out) == schema()


def test_run_into_files_says_their_hash_and_keeps_it(borough: Borough, tmp_path: Path, short: Path) -> None:
    said = [
        borough("simulate", "run", short.name, "--seed", "3", "--out", folder, "--processes", processes)
        for folder, processes in (("a", "1"), ("b", "2"))
    ]
    assert [(ran.code, ran.out) for ran in said] == [(0, ""), (0, "")]
    tables = {"readings.csv", "sensors.csv", "links.csv", "truth.csv", "scenario.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == tables
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in tables)
    digest = sha256((tmp_path / "a" / "readings.csv").read_bytes()).hexdigest()
    assert f"sha256 of readings.csv {digest}" in said[0].err
    manifest = json.loads((tmp_path / "a" / "scenario.json").read_text())
    assert manifest["sha256"]["readings.csv"] == digest
    assert (manifest["seed"], manifest["sensors"]) == (3, {"traffic": 12, "air": 4, "energy": 8})
    assert len((tmp_path / "a" / "truth.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["quiet-day"], "give either --out FOLDER or --speed X"),
        (["quiet-day", "--out", "a", "--speed", "1"], "give either --out FOLDER or --speed X"),
        (["quiet-day", "--out", "a", "--truth", "b"], "--truth goes with --speed"),
        (["quiet-day", "--speed", "fast"], "--speed: 'fast' is not a positive number or 'max'"),
        (["quite-day", "--out", "a"], "no scenario quite-day; did you mean quiet-day"),
        (["none.yaml", "--out", "a"], "none.yaml cannot be read: No such file"),
        (["quiet-day", "--out", "short.yaml/x"], "--out: short.yaml/x cannot be written: Not a directory"),
    ],
)
def test_what_must_be_changed(words: list[str], said: str, borough: Borough, short: Path) -> None:
    ran = borough("simulate", "run", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_wrong_file_is_told_line_by_line_and_nothing_is_written(borough: Borough, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(SHORT.replace("kind: stuck", "kind: stuk").replace("20 min", "-20 min"))
    ran = borough("simulate", "run", "bad.yaml", "--out", "a")
    assert ran.code == 2
    assert [line.partition(";")[0] for line in ran.err.splitlines()] == [
        "bad.yaml:6: for -20 min: a duration cannot be negative",
        "bad.yaml:8: kind stuk: unknown",
    ]
    assert not (tmp_path / "a").exists()


def alerts_table(folder: Path, rows: list[tuple[str, ...]]) -> None:
    folder.mkdir()
    with (folder / "alerts.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("alert", "series", "area", "kind", "severity", "onset", "raised", "cleared", "score", "why"))
        table.writerows(rows)


def row(name: str, series: str, kind: str, at: str) -> tuple[str, ...]:
    return (name, series, "x", kind, "high", at, at, "", "1.0", "because")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short scenario as tables, made once."""
    folder = tmp_path_factory.mktemp("played")
    (folder / "short.yaml").write_text(SHORT)
    write_play(Play.of(load(str(folder / "short.yaml")), 7), folder / "city", 1)
    return folder / "city"


@pytest.fixture
def played(borough: Borough, city: Path, tmp_path: Path) -> Path:
    shutil.copytree(city, tmp_path / "city")
    return tmp_path / "city"


def test_score_of_known_alerts(borough: Borough, tmp_path: Path, played: Path) -> None:
    crash = next(r for r in csv.DictReader((played / "truth.csv").open()) if r["kind"] == "crash")
    alerts_table(tmp_path / "said", [row("a1", crash["series"].split(";")[0], "anomaly", "2026-03-02T00:42:00Z")])
    ran = borough("simulate", "score", "--truth", "city", "--alerts", "said", "--json", "--html", "score.html")
    assert ran.code == 0
    report = json.loads(ran.out)
    assert (report["figures"]["detection"], report["figures"]["delay_median_s"]) == (1.0, 120.0)
    assert (report["figures"]["sensor_detection"], report["figures"]["false_share"]) == (0.0, 0.0)
    assert report["sensors"] == {"traffic": 12, "air": 4, "energy": 8}
    assert [gate["holds"] for gate in report["gates"]] == [True, True]
    assert [y["name"] for y in report["yardsticks"]] == ["UK stopped-vehicle bar", "APID in service (Utah 2001)"]
    page = (tmp_path / "score.html").read_text()
    assert page.count("<svg") >= 3
    assert "http" not in page
    assert "UK stopped-vehicle bar" in page
    table = borough("simulate", "score", "--truth", "city", "--alerts", "said")
    assert (table.code, "time to detect, median (s)" in table.out) == (0, True)


def test_a_gate_that_does_not_hold_is_exit_code_1(borough: Borough, tmp_path: Path, played: Path) -> None:
    alerts_table(tmp_path / "said", [row("a1", "loop-009/traffic.flow", "anomaly", "2026-03-02T02:00:00Z")])
    ran = borough("simulate", "score", "--truth", "city", "--alerts", "said")
    assert ran.code == 1
    assert "gate detection_min 0.5 does not hold: it is 0" in ran.err
    assert "gate false_share_max 0.5 does not hold: it is 1" in ran.err


def test_gates_of_another_scenario(borough: Borough, tmp_path: Path, played: Path) -> None:
    alerts_table(tmp_path / "said", [])
    ran = borough("simulate", "score", "--truth", "city", "--alerts", "said", "--expect", "bonfire-night")
    assert (ran.code, "gate detection_min 1 does not hold: it is 0" in ran.err) == (1, True)
    ran = borough("simulate", "score", "--truth", "city", "--alerts", "said", "--expect", "roadworks")
    assert (ran.code, "expects nothing" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("truth", "alerts", "said"),
    [
        ("nowhere", "city", "nowhere/truth.csv cannot be read"),
        ("city", "nowhere", "nowhere/alerts.csv cannot be read"),
        ("city", "city/truth.csv", "city/truth.csv:1: column alert: missing"),
    ],
)
def test_score_of_what_cannot_be_read(truth: str, alerts: str, said: str, borough: Borough, played: Path) -> None:
    ran = borough("simulate", "score", "--truth", truth, "--alerts", alerts)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


FAULTS = "events:\n  - {kind: stuck, target: loop-003, at: day 1 00:30, for: 30 min}\n"


def test_inject_onto_a_recording(borough: Borough, tmp_path: Path, played: Path) -> None:
    (tmp_path / "faults.yaml").write_text(FAULTS)
    words = ("city/readings.csv", "faults.yaml", "--sensors", "city/sensors.csv", "--out", "hurt")
    ran = borough("simulate", "inject", *words)
    assert (ran.code, ran.out) == (0, "")
    (label,) = csv.DictReader((tmp_path / "hurt" / "truth.csv").open())
    assert (label["cause"], label["kind"], label["start"]) == ("sensor", "stuck", "2026-03-02T00:30:00Z")
    before, after = ((tmp_path / f / "readings.csv").read_text().splitlines() for f in ("city", "hurt"))
    assert len(before) == len(after)
    changed = set(after) - set(before)
    assert changed
    assert all(",loop-003/" in line for line in changed)


def test_inject_of_what_does_not_fit(borough: Borough, tmp_path: Path, played: Path) -> None:
    (tmp_path / "faults.yaml").write_text(FAULTS.replace("loop-003", "loop-300"))
    ran = borough("simulate", "inject", "city/readings.csv", "faults.yaml", "--out", "hurt")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("faults.yaml:2: target loop-300: no such sensor or series was recorded; did you mean")
    assert not (tmp_path / "hurt").exists()
