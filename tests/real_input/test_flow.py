"""Real recordings through the whole flow in memory: the hourly means that come out are those of the files."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors import table_columns
from service.backtest import Summary, backtest
from tests.real_input import prepare

pytestmark = pytest.mark.skipif(bool(prepare.absent()), reason=prepare.absent())

DAYS = 40


def cells(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@pytest.mark.parametrize("name", list(prepare.RECORDINGS))
def test_hourly_means_are_those_of_the_file(name: str, tmp_path: Path) -> None:
    start = prepare.rows(name)[0].time
    end = start + timedelta(days=DAYS)
    readings = prepare.write(name, tmp_path, start, end)
    out = tmp_path / "out"
    out.mkdir()
    summary: Summary = backtest(
        readings=readings, sensors=tmp_path / "sensors.csv", links=None, events=None, out=out,
        detector="seasonal", lateness_s=10, horizon_s=7_200,
    )  # fmt: skip
    wanted = {key: value for key, value in prepare.hourly_means(name).items() if start <= key[1] < end}
    assert summary.readings == sum(count for count, _ in wanted.values())
    assert summary.put_aside == 0
    found = {
        (row["series"], datetime.fromisoformat(row["window_start"])): (int(row["count"]), float(row["mean"]))
        for row in cells(out / "aggregates.csv")
        if row["window_s"] == "3600"
    }
    assert found.keys() == wanted.keys()
    for key, (count, mean) in wanted.items():
        assert found[key] == (count, pytest.approx(mean, rel=1e-12)), key
    for table, columns in table_columns.OUT.items():
        with (out / f"{table}.csv").open(encoding="utf-8") as file:
            assert file.readline().strip().split(",") == list(columns), table
