"""A recording through a running ``borough serve``, and back out with ``borough query``: every hour, and equal."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.times import HOUR_MS, format_time

ROOT = Path(__file__).resolve().parents[2]
START = 1_349_168_400_000  # 2012-10-02T09:00:00Z
HOURS = 400
SERIES = "i94/traffic.flow"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "service", *words]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}


def borough(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two readings an hour, the last hour first; one without a value and one that is no number."""
    folder = tmp_path_factory.mktemp("recording")
    (folder / "sensors.csv").write_text("sensor,area,interval_s\ni94,i94,1800\n")
    lines = [
        f"{format_time(START + hour * HOUR_MS + half * 1_800_000)},{SERIES},{value(hour, half)!r}"
        for hour in reversed(range(HOURS))
        for half in (0, 1)
    ]
    lines += [f"{format_time(START)},{SERIES},", f"{format_time(START + 1)},{SERIES},many"]
    (folder / "readings.csv").write_text("time,series,value\n" + "\n".join(lines) + "\n")
    return folder


def value(hour: int, half: int) -> float:
    return 2_000 + 1_500 * math.sin(hour / 24 * math.tau) + half


@pytest.fixture(scope="module")
def data_dir(recording: Path) -> Iterator[Path]:
    """The data folder of a ``borough serve`` that runs meanwhile and ends cleanly on Ctrl-C."""
    folder = recording / "data"
    words = ("serve", "--port", "0", "--data-dir", str(folder), "--sensors", str(recording / "sensors.csv"))
    with subprocess.Popen(command(*words), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: (folder / "service.json").is_file() and process.poll() is None, "the service is up")
            yield folder
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert not (folder / "service.json").exists()


def until(condition: Callable[[], bool], what: str, patience_s: float = 90) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s} s in vain until {what}"
        time.sleep(0.2)


def hours(data_dir: Path) -> dict[str, tuple[int, float]]:
    ran = borough(
        "query", "aggregates", "--series", SERIES, "--window", "3600", "--data-dir", str(data_dir), "--format", "csv"
    )
    if ran.returncode == 2 and "no such series" in ran.stderr:
        return {}
    assert (ran.returncode, ran.stderr) == (0, "")
    return {
        row["window_start"]: (int(row["count"]), float(row["mean"])) for row in csv.DictReader(ran.stdout.splitlines())
    }


def test_every_hour_comes_back_equal(recording: Path, data_dir: Path) -> None:
    file = str(recording / "readings.csv")
    ran = borough("replay", file, "--data-dir", str(data_dir), "--sensors", str(recording / "sensors.csv"), "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    summary = json.loads(ran.stdout)
    assert (summary["accepted"], summary["rejected"], summary["missing"], summary["held"]) == (2 * HOURS, 1, 1, 0)
    assert (summary["first"], summary["last"]) == (format_time(START), format_time(START + HOURS * HOUR_MS - 1_800_000))

    wanted = {format_time(START + hour * HOUR_MS): (2, (value(hour, 0) + value(hour, 1)) / 2) for hour in range(HOURS)}
    until(lambda: len(hours(data_dir)) >= HOURS, "every hour is stored")
    stored = hours(data_dir)
    assert set(stored) == set(wanted)
    assert {hour: count for hour, (count, _) in stored.items()} == {hour: count for hour, (count, _) in wanted.items()}
    assert all(stored[hour][1] == pytest.approx(mean, rel=1e-12) for hour, (_, mean) in wanted.items())

    again = json.loads(borough("replay", file, "--data-dir", str(data_dir), "--json").stdout)
    assert again["accepted"] == 2 * HOURS
    time.sleep(2)
    assert hours(data_dir) == stored


def test_sensors_that_nobody_knows_are_found_before_anything_is_sent(recording: Path, data_dir: Path) -> None:
    (recording / "others.csv").write_text("sensor,area\nother,here\n")
    words = ("replay", str(recording / "readings.csv"), "--sensors", str(recording / "others.csv"))
    ran = borough(*words, "--data-dir", str(data_dir))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "1 sensors of" in ran.stderr
    assert "i94" in ran.stderr


def test_nobody_there(recording: Path, tmp_path: Path) -> None:
    ran = borough(
        "replay", str(recording / "readings.csv"), "--data-dir", str(tmp_path), "--api-url", "http://127.0.0.1:9"
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "borough: no Borough answers at http://127.0.0.1:9: start 'borough serve', or give --data-dir or --api-url\n"
    )
