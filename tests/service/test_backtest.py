"""Backtests of small recordings: nothing is lost however far apart the readings lie."""

import csv
from pathlib import Path

import pytest

from domain.times import DAY_MS, HOUR_MS, format_time
from service.backtest import backtest

T0 = 1_383_696_000_000  # 2013-11-06T00:00:00Z


def recorded(folder: Path, times: list[int]) -> Path:
    lines = [f"{format_time(t)},i94/traffic.flow,{1_000 + n}\n" for n, t in enumerate(times)]
    path = folder / "readings.csv"
    path.write_text("time,series,value\n" + "".join(lines), encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("gap_days", [1, 3, 40, 4_000])
def test_readings_after_a_gap_count(tmp_path: Path, gap_days: int) -> None:
    before = [T0 + k * HOUR_MS for k in range(30)]
    after = [before[-1] + gap_days * DAY_MS + k * HOUR_MS for k in range(30)]
    summary = backtest(
        readings=recorded(tmp_path, before + after), sensors=None, links=None, events=None, out=tmp_path / "out",
        detector="null", lateness_s=10, horizon_s=7_200,
    )  # fmt: skip
    assert (summary.readings, summary.put_aside) == (60, 0)
    assert rows(tmp_path / "out" / "quarantine.csv") == []
    hours = [r for r in rows(tmp_path / "out" / "aggregates.csv") if r["window_s"] == "3600"]
    assert [(r["window_start"], r["count"], float(r["mean"])) for r in hours] == [
        (format_time(t), "1", 1_000.0 + n) for n, t in enumerate(before + after)
    ]
