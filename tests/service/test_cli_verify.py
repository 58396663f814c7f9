"""``verify-replay``: equal input gives equal results, and a difference is found and told."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from connectors.tables_in import read_sensors
from domain.readings import Readings
from domain.sensors import OpenRegister
from service.assemble import make_setup
from service.settings import Settings
from service.verify_replay import Found, by_hour, compare, in_memory, log_of

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3_600_000
T0 = 1_772_409_600_000
HOURS = "24" if os.environ.get("BOROUGH_FAULTS") == "nightly" else "12"


def verify(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}
    command = [sys.executable, "-m", "service", "verify-replay", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)


@pytest.mark.timeout(300)
def test_a_day_of_the_demo_gives_the_same_in_memory_and_twice_through_the_system() -> None:
    ran = verify("--town-sensors", "20", "--hours", HOURS, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)["data"]
    assert told["difference"] == ""
    for topic in ("aggregates", "findings", "alerts"):
        assert told["counts"][topic] > 10, topic
        assert len(told["hashes"][topic]) == 3
        assert len(set(told["hashes"][topic].values())) == 1


def recording() -> Readings:
    t = np.repeat(T0 + np.arange(0, 6 * HOUR, 300_000), 3)
    i = np.tile(np.arange(3, dtype=np.int32), len(t) // 3)
    x = np.round(np.random.default_rng(4).normal(40, 5, len(t)), 3)
    return Readings([f"s{k}/air.no2" for k in range(3)], i, t, x)


def test_every_kind_of_difference_is_found_and_named() -> None:
    settings, register = Settings(), OpenRegister()
    log = log_of(by_hour([recording()]), register, 10_000)
    setup = make_setup(settings, register)

    def against(found: Found) -> str:
        return asyncio.run(compare(log, settings, register, found)).difference

    assert against(in_memory(log, setup)) == ""
    rng = np.random.default_rng(9)
    for _ in range(20):
        found = in_memory(log, setup)
        kept = found.by_topic["aggregates"]
        key = sorted(kept)[int(rng.integers(len(kept)))]
        if rng.random() < 0.5:
            del kept[key]
        else:
            kept[key] = [kept[key][0] + 1, *kept[key][1:]]
        assert key in against(found)
    found = in_memory(log, setup)
    found.by_topic["alerts"]["nobody"] = "more"
    assert against(found).startswith("alerts, nobody: in memory nothing")


def test_a_feed_that_is_down_in_several_areas_is_no_difference(tmp_path: Path) -> None:
    """The desk makes one alert of it, whichever partition speaks first."""
    names = [f"s{k}" for k in range(12)]
    table = tmp_path / "sensors.csv"
    rows = [f"{name},area-{k % 4},52,-1,60,{'radio' if k < 8 else 'cable'}" for k, name in enumerate(names)]
    table.write_text("\n".join(["sensor,area,lat,lon,interval_s,feed", *rows]) + "\n", encoding="utf-8")
    rng = np.random.default_rng(5)
    sent = [
        (f"{name}/air.no2", T0 + minute * 60_000, round(40 + float(rng.normal(0, 5)), 3))
        for minute in range(7 * 60)
        for k, name in enumerate(names)
        if k >= 8 or not 180 <= minute < 300
    ]
    register = OpenRegister(read_sensors(table))
    log = log_of(by_hour([Readings.of(sent)]), register, 10_000)
    log = {place: lane[:-1] for place, lane in log.items()}  # not the hour in which everything falls silent
    assert len({place for place, lane in log.items() if len(lane) > 12}) > 1
    found = asyncio.run(compare(log, Settings(), register))
    assert found.difference == ""
    told = in_memory(log, make_setup(Settings(), register)).by_topic["alerts"]
    assert [key.split()[1] for key in told if key.startswith("silence.feed")] == ["radio"]


def test_the_log_does_not_depend_on_how_a_recording_is_cut() -> None:
    readings = recording()
    cut = [readings.take(part) for part in np.array_split(np.arange(len(readings)), 17)]
    assert log_of(by_hour(cut), OpenRegister(), 0) == log_of(by_hour([readings]), OpenRegister(), 0)


def test_a_file_that_cannot_be_read_is_named() -> None:
    ran = verify("--readings", "nothing-here.csv")
    assert ran.returncode == 2
    assert "nothing-here.csv" in ran.stderr
