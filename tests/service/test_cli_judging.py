"""``explain``, ``thresholds`` and ``audit`` on a data folder on which nothing runs."""

import json
import sqlite3
from pathlib import Path

import pytest

from connectors.alert_store import SqliteAlertStore
from domain.codec import encode_frame, encode_tick
from domain.messages import Action, Alert, Why
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.times import DAY_MS
from domain.topics import partition_of
from service.assemble import wall_clock
from service.explaining import key_of, open_evidence, recorded
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.setup import Setup
from tests.service.conftest import Borough

AREA, RULE = "harbour", "detector.test"


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Alerts of the last days: four false ones of low score, two true ones, one of long ago."""
    store = SqliteAlertStore(tmp_path / "alerts.sqlite")
    now = wall_clock()
    told = [("f1", 0.55, "false"), ("f2", 0.56, "false"), ("f3", 0.57, "sensor_fault"), ("t1", 0.7, "true"),
            ("t2", 0.9, "true"), ("n1", 0.52, "")]  # fmt: skip
    alerts = [_alert(name, score, verdict, now - DAY_MS) for name, score, verdict in told]
    store.put([*alerts, _alert("old", 0.51, "false", now - 40 * DAY_MS)])
    store.close()
    return tmp_path


def _alert(name: str, score: float, verdict: str, onset: int) -> Alert:
    actions = [Action(name, name, "verdict", onset, by="ana", verdict=verdict)] if verdict else []
    why = Why("x", 1.0, 2.0, 1.5, 2.5, 1e4, onset)
    return Alert(
        name, "anomaly", "low", "resolved", AREA, "Quay", ["s/air.no2"], onset, onset, onset + 1, score, why, RULE,
        actions=actions,
    )  # fmt: skip


def data(ran) -> object:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)["data"]


def test_from_verdicts_to_a_threshold_and_back(borough: Borough, judged: Path):
    at = ("--data-dir", str(judged))
    (proposal,) = data(borough("thresholds", "propose", "--json", *at))
    assert (proposal["rule"], proposal["area"], proposal["current"]) == (RULE, AREA, 0.5)
    assert proposal["threshold"] == pytest.approx(0.635)
    effect = proposal["effect"]
    assert (effect["days"], effect["alerts"], effect["not_raised"]) == (30, 6, 4)
    assert effect["verdicts_of_not_raised"] == {"false": 2, "none": 1, "sensor_fault": 1}
    assert data(borough("thresholds", "list", "--json", *at)) == [], "shown, not adopted"

    who = ("--by", "ana", "--reason", "the quay's crane")
    place = ("--rule", RULE, "--area", AREA)
    made = data(borough("thresholds", "adopt", *place, "--threshold", "0.635", *who, "--json", *at))
    (in_force,) = data(borough("thresholds", "list", "--json", *at))
    assert in_force == made
    assert (made["before"], made["threshold"], made["by"], made["effect"]) == (0.0, 0.635, "ana", effect)

    back = data(borough("thresholds", "revert", made["id"], "--by", "bob", "--reason", "crane gone", "--json", *at))
    assert (back["threshold"], back["reverts"], back["by"]) == (0.0, made["id"], "bob")
    again = borough("thresholds", "revert", made["id"], *who, *at)
    assert again.code == 2
    assert "not in force any more" in again.err

    assert "2 entries as they were written" in borough("audit", "verify", *at).out


def test_what_any_threshold_would_have_changed(borough: Borough, judged: Path):
    (told,) = data(
        borough("thresholds", "propose", "--rule", RULE, "--area", AREA, "--threshold", "0.8", "--json",
                "--data-dir", str(judged))
    )  # fmt: skip
    assert told["effect"]["not_raised"] == 5
    assert told["effect"]["verdicts_of_not_raised"]["true"] == 1
    words = borough("thresholds", "propose", "--data-dir", str(judged)).out
    assert "Of the 6 alerts of the last 30 days 4 would not have been raised" in words


@pytest.mark.parametrize("threshold", ["0.1", "1.0"])
def test_a_threshold_out_of_bounds_is_refused(borough: Borough, judged: Path, threshold: str):
    ran = borough(
        "thresholds", "adopt", "--rule", RULE, "--area", AREA, "--threshold", threshold, "--by", "a", "--reason", "b",
        "--data-dir", str(judged),
    )  # fmt: skip
    assert ran.code == 2
    assert "a threshold lies between" in ran.err


def test_a_trail_that_was_changed_is_found(borough: Borough, judged: Path):
    at = ("--data-dir", str(judged))
    for threshold in ("0.6", "0.7"):
        borough("thresholds", "adopt", "--rule", RULE, "--area", AREA, "--threshold", threshold, "--by", "a",
                "--reason", "b", *at)  # fmt: skip
    head = json.loads(borough("audit", "verify", "--json", *at).out)["data"]["head"]
    assert borough("audit", "verify", "--head", head, *at).code == 0
    assert borough("audit", "verify", "--head", "ab" * 32, *at).code == 1
    with sqlite3.connect(judged / "audit.sqlite") as db:
        db.execute("DROP TRIGGER trail_stays")
        db.execute("UPDATE trail SET body = replace(body, '0.6', '0.9') WHERE number = 1")
    ran = borough("audit", "verify", *at)
    assert ran.code == 1
    assert "entry 1" in ran.err
    assert "was changed" in ran.err


@pytest.mark.parametrize("command", [("explain", "x"), ("thresholds", "list"), ("audit", "verify")])
def test_a_folder_without_anything_is_said(borough: Borough, tmp_path: Path, command: tuple[str, ...]):
    ran = borough(*command, "--data-dir", str(tmp_path / "empty"))
    assert ran.code == 2
    assert "--data-dir" in ran.err


@pytest.fixture
def stuck(tmp_path: Path) -> tuple[Path, Alert]:
    """A sensor that falls silent for good, its alert and the evidence, as a worker would have left them."""
    setup = Setup(SensorRegister([Sensor("s", AREA, interval_s=60.0)]), Patience(10_000, 7_200_000), "seasonal")
    evidence = open_evidence(tmp_path, 1 << 24, setup)
    analyser = recorded(setup, evidence)("readings.air", partition_of(AREA))
    t0, desk = 1_772_409_600_000, DeskInMemory()
    for k in range(60):
        rows = [("s/air.no2", t0 + k * 60_000, 40.0 + k % 7)] if k < 20 else []
        raws = [encode_frame(Frame("gw", 2 * k, AREA, Readings.of(rows)))] if rows else []
        for raw in [*raws, encode_tick(Tick("gw", 2 * k + 1, t0 + (k + 1) * 60_000))]:
            desk.follow(analyser.apply(raw))
    evidence.close()
    (alert,) = desk.alerts.values()
    store = SqliteAlertStore(tmp_path / "alerts.sqlite")
    store.put([alert])
    store.close()
    return tmp_path, alert


def test_explain_makes_the_alert_again(borough: Borough, stuck: tuple[Path, Alert]):
    folder, alert = stuck
    assert key_of(alert).startswith("readings.air-")
    ran = borough("explain", alert.id, "--data-dir", str(folder))
    assert ran.code == 0, ran.err
    assert alert.why.sentence in ran.out
    assert "The same, to the last bit" in ran.out
    found = data(borough("explain", alert.id, "--json", "--data-dir", str(folder)))
    assert isinstance(found, dict)
    assert found["recomputed"]["why"] == found["alert"]["why"]


def test_explain_says_when_it_comes_out_otherwise(borough: Borough, stuck: tuple[Path, Alert]):
    import msgspec

    folder, alert = stuck
    store = SqliteAlertStore(folder / "alerts.sqlite")
    store.put([msgspec.structs.replace(alert, score=0.9, revision=alert.revision + 1)])
    store.close()
    ran = borough("explain", alert.id, "--data-dir", str(folder))
    assert ran.code == 1
    assert "NOT the same" in ran.out
    assert "score" in ran.out.splitlines()[-1]
    (folder / "evidence.sqlite").unlink()
    gone = borough("explain", alert.id, "--data-dir", str(folder))
    assert gone.code == 2
    assert "evidence_bytes_max" in gone.err


def test_explain_of_an_alert_that_is_not_there(borough: Borough, stuck: tuple[Path, Alert]):
    ran = borough("explain", "nothing", "--data-dir", str(stuck[0]))
    assert ran.code == 2
    assert "no alert with this id" in ran.err
