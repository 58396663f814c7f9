import csv
from pathlib import Path

import duckdb
import numpy as np
import pytest

from connectors import table_columns
from connectors.tables_in import read_readings
from connectors.tables_out import TableWriter
from domain.errors import Misconfigured
from domain.flags import Test
from domain.messages import Alert, Anticipated, Forecast, Health, Why
from domain.scores import Judged, Scores
from domain.times import DAY_MS, parse_time
from domain.windows import Aggregates

T0 = 1_772_431_200_000  # 2026-03-02T06:00:00Z


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def aggregates(n: int, revision: int = 1, add: float = 0.0) -> Aggregates:
    i = np.arange(n, dtype=np.int32) % 2
    start = T0 + (np.arange(n) // 2) * 60_000
    mean = np.sqrt(np.arange(n) + 2.0) + add
    coverage = np.where(i == 0, np.nan, 0.5)
    return Aggregates(
        "ring", 60, ["a/air.no2", "b/air.no2"], i, start, np.full(n, 6), mean, mean - 1, mean + 1e300, mean, coverage,
        np.full(n, 3, np.uint8), np.full(n, revision),
    )  # fmt: skip


def alert(name: str, revision: int = 1, cleared: int | None = None) -> Alert:
    why = Why('Flow is 3, not "30",\nfor long.', 3.0, 30.0, 20.0, None, None, T0)
    series = ["a/traffic.flow", "a/traffic.speed"]
    return Alert(name, "anomaly", "high", "open", "ring, N", "x", series, T0, T0 + 5, cleared, 0.9, why, "", revision)


def judged() -> Judged:
    tests = np.array([0, Test.SPIKE | Test.FLAT_LINE, Test.MISSING], dtype=np.uint32)
    return Judged(
        np.array([0, 1, 1], np.int32), T0 + np.array([0, 1, 60_000]), np.array([1.0, 0.1, -2.5]),
        np.array([1, 3, 4], np.uint8), tests,
    )  # fmt: skip


def test_every_table_is_there_with_its_columns_from_the_start(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path / "out")
    writer.close()
    writer.close()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.csv" for name in table_columns.OUT}
    for name, columns in table_columns.OUT.items():
        assert (tmp_path / "out" / f"{name}.csv").read_text() == ",".join(columns) + "\n"


def test_aggregates(tmp_path: Path) -> None:
    batch = aggregates(4)
    with TableWriter(tmp_path) as writer:
        writer.aggregates(batch)
        writer.aggregates(aggregates(0))
    rows = table(tmp_path, "aggregates")
    assert [row["window_start"] for row in rows] == ["2026-03-02T06:00:00Z"] * 2 + ["2026-03-02T06:01:00Z"] * 2
    assert [row["series"] for row in rows] == ["a/air.no2", "b/air.no2"] * 2
    assert [float(row["mean"]) for row in rows] == batch.mean.tolist()
    assert [float(row["max"]) for row in rows] == batch.max.tolist()
    assert [row["coverage"] for row in rows] == ["", "0.5", "", "0.5"]
    assert (rows[0]["window_s"], rows[0]["count"], rows[0]["flag"], rows[0]["revision"]) == ("60", "6", "3", "1")


def test_a_window_has_one_row_its_newest_revision(tmp_path: Path) -> None:
    with TableWriter(tmp_path) as writer:
        writer.aggregates(aggregates(4))
        writer.aggregates(aggregates(2, revision=2, add=5))
    rows = table(tmp_path, "aggregates")
    assert [row["revision"] for row in rows] == ["1", "1", "2", "2"]
    assert sorted((row["window_start"], row["series"]) for row in rows) == sorted(
        {(row["window_start"], row["series"]) for row in rows}
    )
    assert float(rows[2]["mean"]) == np.sqrt(2) + 5
    assert rows[0]["coverage"] == ""


def test_scores_and_quality(tmp_path: Path) -> None:
    nan = np.nan
    scores = Scores(
        np.array([nan, 0.25, 1.0]), np.array([nan, 1 / 3, 2.0]), np.full(3, nan), np.full(3, 9.0), np.full(3, nan), {}
    )
    with TableWriter(tmp_path) as writer:
        writer.scores(["a/air.no2", "b/air.no2"], judged(), scores)
        writer.quality(["a/air.no2", "b/air.no2"], judged())
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[1:] == [
        "2026-03-02T06:00:00Z,a/air.no2,1.0,,,,9.0,1",
        "2026-03-02T06:00:00.001Z,b/air.no2,0.1,0.25,0.3333333333333333,,9.0,3",
        "2026-03-02T06:01:00Z,b/air.no2,-2.5,1.0,2.0,,9.0,4",
    ]
    lines = (tmp_path / "quality.csv").read_text().splitlines()
    assert lines[1:] == [
        "2026-03-02T06:00:00Z,a/air.no2,1,",
        "2026-03-02T06:00:00.001Z,b/air.no2,3,SPIKE+FLAT_LINE",
        "2026-03-02T06:01:00Z,b/air.no2,4,MISSING",
    ]


def test_an_alert_has_one_final_row(tmp_path: Path) -> None:
    with TableWriter(tmp_path) as writer:
        writer.alerts([alert("x", 1), alert("y", 1)])
        writer.alerts([alert("x", 3, T0 + 9_000)])
        writer.alerts([alert("x", 2)])
    x, y = table(tmp_path, "alerts")
    assert (x["alert"], x["cleared"], y["cleared"]) == ("x", "2026-03-02T06:00:09Z", "")
    assert x["raised"] == "2026-03-02T06:00:00.005Z"
    assert (x["series"], x["area"]) == ("a/traffic.flow;a/traffic.speed", "ring, N")
    assert x["why"] == 'Flow is 3, not "30",\nfor long.'


def test_forecasts_maintenance_anticipated(tmp_path: Path) -> None:
    day = [Health("p", "ring", T0 + k * DAY_MS // 2, {}, 10.5 - k, None, 12.0, 0.25) for k in range(4)]
    with TableWriter(tmp_path) as writer:
        writer.forecasts(
            [Forecast("a/air.no2", "ring", T0, [T0 + 60_000, T0 + 120_000], [1.0, 2.5], [0.0, 0.1], [3.0, 4.0])]
        )
        writer.maintenance(day)
        writer.maintenance([Health("q", "ring", T0, {})])
        writer.anticipated([Anticipated(T0, "a/air.no2", "pollution", 3600, 0.125)])
    assert (tmp_path / "forecasts.csv").read_text().splitlines()[1:] == [
        "2026-03-02T06:00:00Z,2026-03-02T06:01:00Z,a/air.no2,1.0,0.0,3.0",
        "2026-03-02T06:00:00Z,2026-03-02T06:02:00Z,a/air.no2,2.5,0.1,4.0",
    ]
    # 06:00 and 18:00 of two days: the later of each day; an asset without a prediction has empty cells.
    assert (tmp_path / "maintenance.csv").read_text().splitlines()[1:] == [
        "2026-03-02T18:00:00Z,p,9.5,,12.0,0.25",
        "2026-03-02T06:00:00Z,q,,,,",
        "2026-03-03T18:00:00Z,p,7.5,,12.0,0.25",
    ]
    assert (tmp_path / "anticipated.csv").read_text().splitlines()[1:] == [
        "2026-03-02T06:00:00Z,a/air.no2,pollution,3600,0.125"
    ]


def test_parquet_has_the_same_rows_typed(tmp_path: Path) -> None:
    with TableWriter(tmp_path, ("csv", "parquet")) as writer:
        writer.aggregates(aggregates(2))
        writer.alerts([alert("x")])
        writer.quality(["a/air.no2", "b/air.no2"], judged())
    connection = duckdb.connect()
    row = connection.execute(
        f"SELECT epoch_ms(window_start), series, mean, coverage, flag FROM '{tmp_path}/aggregates.parquet'"
    ).fetchone()
    assert row == (T0, "a/air.no2", np.sqrt(2), None, 3)
    found = connection.execute(f"SELECT cleared, why, score FROM '{tmp_path}/alerts.parquet'").fetchall()
    assert found == [(None, alert("x").why.sentence, 0.9)]
    assert connection.execute(f"SELECT tests FROM '{tmp_path}/quality.parquet'").fetchall()[0] == ("",)
    for name, columns in table_columns.OUT.items():
        described = connection.execute(f"DESCRIBE SELECT * FROM '{tmp_path}/{name}.parquet'").fetchall()
        assert tuple(column[0] for column in described) == columns


def test_parquet_alone_leaves_no_csv(tmp_path: Path) -> None:
    TableWriter(tmp_path, ("parquet",)).close()
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet"}


def test_what_is_written_can_be_read_as_readings(tmp_path: Path) -> None:
    with TableWriter(tmp_path) as writer:
        scores = Scores(*(np.full(3, np.nan) for _ in range(5)), {})  # type: ignore[arg-type]
        writer.scores(["a/air.no2", "b/air.no2"], judged(), scores)
    (chunk,) = read_readings(tmp_path / "scores.csv")
    assert chunk.x.tolist() == [1.0, 0.1, -2.5]
    assert chunk.t[0] == parse_time("2026-03-02T06:00:00Z")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be written"):
        TableWriter(tmp_path / "file" / "out")
    with pytest.raises(Misconfigured, match="unknown table format xlsx"):
        TableWriter(tmp_path, ("xlsx",))
