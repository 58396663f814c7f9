"""Scenarios, recordings and injected faults through a running system; nothing of the demo is there."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.program import Running, borough, call, get, until

pytestmark = pytest.mark.timeout(600)  # on a busy machine

SCENARIO = """\
title: An hour
teaches: in a test
days: 0.05
size: 24
events:
  - {kind: late, target: ring-north, at: day 1 00:10, for: 30 min, strength: 300000}
  - {kind: lost, target: old-town, at: day 1 00:15, for: 30 min, strength: 0.5}
  - {kind: corrupt, target: ring-south, at: day 1 00:15, for: 20 min, strength: 0.3}
  - {kind: silent, target: loop-005, at: day 1 00:30, for: 25 min}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "an-hour.yaml").write_text(SCENARIO)
    ran = borough("simulate", "run", folder / "an-hour.yaml", "--seed", 5, "--out", folder / "city", "--json")
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    words = ("serve", "--data-dir", folder / "data", "--port", 0, "--sensors", folder / "city" / "sensors.csv")
    with Running(folder, *words) as running:
        yield running.ready()
        assert running.interrupt() == 0


def rows(folder: Path) -> list[str]:
    """Of the readings table, without its head."""
    return (folder / "readings.csv").read_text().splitlines()[1:]


def manifest(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "scenario.json").read_text()))


def test_sent_and_written_are_the_same_and_transport_faults_act(base: str, folder: Path) -> None:
    written = manifest(folder / "city")
    listening = Running(
        folder, "simulate", "record", "--out", folder / "recorded", "--for", "10m", "--data-dir", folder / "data"
    )
    until((folder / "recorded" / "readings.csv").exists, "it listens")
    words = ("--seed", 5, "--speed", "max", "--api-url", base, "--truth", folder / "sent", "--processes", 2, "--json")
    ran = borough("simulate", "run", folder / "an-hour.yaml", *words, timeout_s=400)
    assert ran.returncode == 0, ran.stderr
    sent = json.loads(ran.stdout)
    until(lambda: len(rows(folder / "recorded")) >= sent["accepted"], "all is recorded")
    assert listening.interrupt() == 0
    assert sent["sha256"] == written["sha256"]["readings.csv"]  # type: ignore[index]
    assert (folder / "sent" / "truth.csv").read_bytes() == (folder / "city" / "truth.csv").read_bytes()
    assert (sent["accepted"], sent["rejected"]) == (written["readings"], 0)
    spoilt = (folder / "city" / "readings.csv").read_text().count("unreadable,")
    assert sent["unreadable"] == spoilt > 0


def test_the_alerts_of_the_running_system_are_scored(base: str, folder: Path) -> None:
    report = until(lambda: _scored(base, folder), "the silent loop is alerted")
    silence = next(event for event in report["events"] if event["kind"] == "silent")
    assert (silence["said"], silence["named_right"]) == ("silence", True)
    assert silence["alert"] in {alert["id"] for alert in get(f"{base}/v1/alerts")["data"]}


def _scored(base: str, folder: Path) -> dict[str, Any] | None:
    ran = borough("simulate", "score", "--truth", folder / "sent", "--alerts", base, "--json")
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    return report if report["figures"]["sensor_detection"] == 1.0 else None


def test_what_was_received_is_recorded_to_the_last_reading(folder: Path) -> None:
    """What came late or twice is there as it came; what could not be read is no reading."""
    sent = [row for row in rows(folder / "city") if not row.startswith("unreadable,")]
    assert Counter(rows(folder / "recorded")) == Counter(sent)
    known = {row["sensor"]: row for row in csv.DictReader((folder / "recorded" / "sensors.csv").open())}
    assert known == {row["sensor"]: row for row in csv.DictReader((folder / "city" / "sensors.csv").open())}


def test_the_bytes_are_the_same_at_a_speed_of_its_own(base: str, folder: Path) -> None:
    words = ("--seed", 5, "--speed", 20_000, "--api-url", base, "--json")
    ran = borough("simulate", "run", folder / "an-hour.yaml", *words, timeout_s=400)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["sha256"] == manifest(folder / "city")["sha256"]["readings.csv"]  # type: ignore[index]


def test_replayed_with_faults_that_are_labelled(base: str, folder: Path) -> None:
    (folder / "faults.yaml").write_text("faults:\n  - {kind: offset, target: loop-001, at: day 1 00:30, for: 30 min}\n")
    ran = borough(
        "replay", folder / "city" / "readings.csv", "--inject", folder / "faults.yaml", "--truth", folder / "hurt",
        "--sensors", folder / "city" / "sensors.csv", "--api-url", base, "--json",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["faults"], told["accepted"]) == (1, manifest(folder / "city")["readings"])
    (label,) = csv.DictReader((folder / "hurt" / "truth.csv").open())
    assert (label["kind"], label["area"]) == ("offset", get(f"{base}/v1/sensors")["data"][0]["area"])


def test_nothing_is_sent_of_a_scenario_that_is_wrong(base: str, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(SCENARIO.replace("loop-005", "loop-500"))
    before = get(f"{base}/v1/gateway")["data"]["accepted"]
    ran = borough("simulate", "run", folder / "wrong.yaml", "--speed", "max", "--api-url", base)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "wrong.yaml:9: target loop-500: silent needs a sensor or a series of Lenbridge" in ran.stderr
    assert get(f"{base}/v1/gateway")["data"]["accepted"] == before


def test_the_demos_addresses_are_not_there(base: str) -> None:
    assert call(f"{base}/v1/demo/score").status == 404
    assert call(f"{base}/v1/demo/events", b'{"kind":"crash"}', {"Content-Type": "application/json"}).status == 404
    assert "demo" not in json.dumps(get(f"{base}/v1/openapi.json")["paths"])
    assert b"data-break" not in call(base + "/").body
