"""``query`` and ``export``: the same rows from the file and from the API, all of them, and nothing else on stdout."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet
import pytest

from domain.times import format_time
from service.cli_query import AGGREGATES, ALERTS
from tests.service.conftest import FLOW, MINUTES, Borough
from tests.web.fakes import NOON


@pytest.fixture(params=["file", "api"])
def where(request: pytest.FixtureRequest, history: Path) -> list[str]:
    if request.param == "api":
        return ["--api-url", request.getfixturevalue("served")]
    return ["--data-dir", str(history)]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_aggregates_as_csv_are_all_there_and_nothing_else(borough: Borough, where: list[str]) -> None:
    ran = borough("query", "aggregates", "--series", FLOW, "--window", "60", "--format", "csv", *where)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == ",".join(AGGREGATES)
    rows = rows_of(ran.out)
    assert [row["window_start"] for row in rows] == [format_time(NOON + 60_000 * k) for k in range(MINUTES)]
    assert [float(row["mean"]) for row in rows] == [k / 7 for k in range(MINUTES)]
    assert {(row["window_s"], row["count"], row["coverage"], row["flag"], row["revision"]) for row in rows} == {
        ("60", "3", "0.5", "1", "1")
    }


def test_a_period_includes_its_start_and_not_its_end(borough: Borough, where: list[str]) -> None:
    ran = borough(
        "query", "aggregates", "--series", FLOW, "--format", "json",
        "--start", "2026-03-02T13:00:00+00:00", "--end", "2026-03-02T13:02:00Z", *where,
    )  # fmt: skip
    answer = json.loads(ran.out)
    assert [row["window_start"] for row in answer["data"]] == ["2026-03-02T13:00:00Z", "2026-03-02T13:01:00Z"]
    assert answer["meta"] == {"count": 2}


def test_a_table_in_a_pipe_is_never_cut(borough: Borough, where: list[str]) -> None:
    ran = borough("query", "alerts", "--format", "table", *where)
    assert ran.out.count('flow, "far" below') == 3
    assert "…" not in ran.out


def test_alerts_as_csv_have_the_columns_of_the_tidy_table(borough: Borough, where: list[str]) -> None:
    rows = rows_of(borough("query", "alerts", "--format", "csv", *where).out)
    assert tuple(rows[0]) == ALERTS
    assert [row["alert"] for row in rows] == ["a2", "a1", "a0"]
    assert {(row["series"], row["cleared"], row["why"]) for row in rows} == {(FLOW, "", 'flow, "far" below')}
    assert borough("query", "alerts", "--state", "closed", "--format", "csv", *where).out == ",".join(ALERTS) + "\n"


def test_series_are_listed_with_unit_and_latest(borough: Borough, where: list[str]) -> None:
    rows = rows_of(borough("query", "series", "--format", "csv", *where).out)
    (flow,) = [row for row in rows if row["series"] == FLOW]
    assert (flow["sensor"], flow["quantity"], flow["unit"]) == ("loop-001", "traffic.flow", "veh/h")


def test_quarantine_is_fetched_to_the_end(borough: Borough, where: list[str]) -> None:
    rows = rows_of(borough("query", "quarantine", "--format", "csv", *where).out)
    assert [row["time"] for row in rows] == [format_time(NOON + k) for k in reversed(range(2_500))]


def test_an_unknown_series_is_one_line_and_no_output(borough: Borough, where: list[str]) -> None:
    ran = borough("query", "aggregates", "--series", "loop-999/traffic.flow", "--format", "csv", *where)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "loop-999/traffic.flow" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--window", "61"], "--window: '61' is not one of 60"),
        (["--start", "yesterday"], "--start: 'yesterday'"),
        (["--start", "2026-03-02T06:00:00"], "time zone missing"),
        (["--start", "2026-03-03", "--end", "2026-03-02"], "is not before"),
        (["--format", "xml"], "--format: 'xml' is not one of table, csv, json"),
    ],
)
def test_bad_words_are_named(words: list[str], said: str, borough: Borough, history: Path) -> None:
    ran = borough("query", "aggregates", "--series", FLOW, "--data-dir", str(history), *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_nothing_there_says_what_to_give(borough: Borough) -> None:
    ran = borough("query", "series")
    assert ran.code == 2
    assert "--data-dir" in ran.err


def test_an_address_where_nobody_is(borough: Borough) -> None:
    ran = borough("query", "series", "--api-url", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (1, "")
    assert "cannot be reached" in ran.err


def test_export_writes_the_same_rows_as_csv_and_parquet(borough: Borough, where: list[str], tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        ran = borough("export", "aggregates", "--window", "1m", "--series", FLOW, "--out", name, *where)
        assert (ran.code, ran.out) == (0, ""), ran.err
        assert ran.err == f"{MINUTES} rows written to {name}\n"
    text = (tmp_path / "a.csv").read_text()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).decode() == text
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert tuple(table.column_names) == AGGREGATES
    assert table["mean"].to_pylist() == [k / 7 for k in range(MINUTES)]
    assert table["window_start"][0].as_py() == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.csv.gz", "a.parquet"]


def test_export_of_alerts_and_a_bad_name(borough: Borough, where: list[str], tmp_path: Path) -> None:
    assert borough("export", "alerts", "--out", "alerts.csv", *where).code == 0
    assert len(rows_of((tmp_path / "alerts.csv").read_text())) == 3
    ran = borough("export", "alerts", "--out", "alerts.xls", *where)
    assert (ran.code, "does not end in" in ran.err) == (2, True)


def test_the_worklist_is_ranked_and_has_a_day(borough: Borough, where: list[str]) -> None:
    ran = borough("query", "worklist", "--format", "csv", *where)
    assert (ran.code, ran.err) == (0, "")
    assert [(row["rank"], row["sensor"], row["cause"]) for row in rows_of(ran.out)] == [("1", "loop-001", "stuck")]
    rows = rows_of(borough("query", "worklist", "--format", "csv", "--day", "2026-03-02", *where).out)
    assert [(row["sensor"], row["verdict"], row["share"], row["impact"]) for row in rows] == [
        ("loop-003", "Insufficient", "0.6", "99.5")
    ]
    assert borough("query", "worklist", "--day", "soon", *where).code == 2
