import gzip
import random
from pathlib import Path

import duckdb
import numpy as np
import pytest

from connectors.tables_in import BadRow, read_events, read_links, read_readings, read_sensors
from domain.errors import Misconfigured
from domain.readings import Readings
from domain.times import format_time

T0 = 1_772_431_200_000  # 2026-03-02T06:00:00Z


def rows(path: Path, chunk_rows: int = 100_000) -> tuple[list[tuple[int, str, float]], list[BadRow]]:
    bad: list[BadRow] = []
    got = [
        (t, chunk.series[i], x)
        for chunk in read_readings(path, bad.append, chunk_rows)
        for t, i, x in zip(chunk.t.tolist(), chunk.i.tolist(), chunk.x.tolist(), strict=True)
    ]
    return got, bad


def written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz"])
def test_readings_come_sorted_by_time(tmp_path: Path, name: str) -> None:
    text = (
        "\ufefftime,series,value\n2026-03-02T06:01:00Z,b/air.no2,2\n2026-03-02T07:00:00+01:00,a/air.no2,1.5\r\n"
        '"2026-03-02T06:00:00.1239Z","a/air.no2",\n2026-03-02 06:00Z,c/air.no2,-1e-3\n'
    )
    got, bad = rows(written(tmp_path / name, text))
    assert bad == []
    assert got[:2] == [(T0, "a/air.no2", 1.5), (T0, "c/air.no2", -0.001)]
    assert got[2][:2] == (T0 + 123, "a/air.no2")
    assert np.isnan(got[2][2])
    assert got[3] == (T0 + 60_000, "b/air.no2", 2.0)


def test_columns_may_stand_in_any_order_with_others(tmp_path: Path) -> None:
    text = "t,value,x,series,missing,time,\n1,5,2,a/air.no2,3,2026-03-02T06:00:00Z,z\n"
    assert rows(written(tmp_path / "r.csv", text)) == ([(T0, "a/air.no2", 5.0)], [])


def test_bad_rows_are_told_with_line_field_and_value(tmp_path: Path) -> None:
    good = "2026-03-02T06:00:00Z,a/air.no2,1"
    lines = [
        "time,series,value",
        good,
        "2026-03-02T06:00:00,a/air.no2,1",  # 3
        "2026-02-30T06:00:00Z,a/air.no2,1",  # 4
        ",a/air.no2,1",  # 5
        good,
        "2026-03-02T06:00:00Z,a/air.no2,twelve",  # 7
        "2026-03-02T06:00:00Z,a/air.no2,NaN",  # 8
        "2026-03-02T06:00:00Z,a/air.no2,-inf",  # 9
        "2026-03-02T06:00:00Z,a/air.no2,1_000",  # 10
        "2026-03-02T06:00:00Z,a/air.nope,1",  # 11
        "2026-03-02T06:00:00Z,,1",  # 12
        "2026-03-02T06:00:00Z,a/air.no2",  # 13
        "2026-03-02T06:00:00Z,a/air.no2,1,2",  # 14
        "2026-03-02T06:00:00Z,a/air.no2,1e999",  # 15
        "yesterday,a/air.nope,x",  # 16
        "2026-03-02T06:00:00,a/air.no2,",  # 17
        good,
    ]
    got, bad = rows(written(tmp_path / "r.csv", "\n".join(lines) + "\n"))
    assert got == [(T0, "a/air.no2", 1.0)] * 3
    assert [(found.line, found.field) for found in bad] == [
        (3, "time"), (4, "time"), (5, "time"), (7, "value"), (8, "value"), (9, "value"), (10, "value"), (11, "series"),
        (12, "series"), (13, "row"), (14, "row"), (15, "value"), (16, "time"), (17, "time"),
    ]  # fmt: skip
    by_line = {found.line: found for found in bad}
    assert by_line[3].value == "2026-03-02T06:00:00"
    assert "time zone" in by_line[3].reason
    assert by_line[7].value == "twelve"
    assert "finite" in by_line[8].reason
    assert "unknown quantity" in by_line[11].reason
    assert str(by_line[7]) == "line 7, value = 'twelve': value is a number"


def test_broken_utf8_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(
        b"time,series,value\n2026-03-02T06:00:00Z,a/air.no2,1\n2026-03-02T06:00:00Z,\xff\xfe/air.no2,1\n"
        b"2026-03-02T06:00:00Z,b/air.no2,1\n"
    )
    got, bad = rows(path)
    assert [series for _, series, _ in got] == ["a/air.no2", "b/air.no2"]
    assert [found.line for found in bad] == [3]


def test_a_large_shuffled_file_equals_a_sort_in_memory(tmp_path: Path) -> None:
    chance = random.Random(5)
    wanted = [
        (T0 + chance.randrange(10**9), f"s{chance.randrange(50):02}/air.no2", chance.random()) for _ in range(30_000)
    ]
    text = "time,series,value\n" + "".join(f"{format_time(t)},{series},{x!r}\n" for t, series, x in wanted)
    got, bad = rows(written(tmp_path / "r.csv", text), chunk_rows=7_000)
    assert bad == []
    assert got == sorted(wanted, key=lambda row: row[0])


def test_chunks_name_only_their_series_and_hold_at_most_so_many(tmp_path: Path) -> None:
    text = "time,series,value\n" + "".join(f"{format_time(T0 + k * 1000)},s{k // 10}/air.no2,{k}\n" for k in range(95))
    chunks: list[Readings] = list(read_readings(written(tmp_path / "r.csv", text), chunk_rows=20))
    assert [len(chunk) for chunk in chunks] == [20, 20, 20, 20, 15]
    assert chunks[1].series == ["s2/air.no2", "s3/air.no2"]
    assert [chunk.i.dtype for chunk in chunks] == [np.dtype(np.int32)] * 5


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"])
def test_parquet_gives_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "r.parquet"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    zone = "Z" if kind == "VARCHAR" else ""
    connection.execute(
        f"COPY (SELECT CAST(t AS {kind}) AS time, s AS series, v AS value FROM (VALUES"
        f" ('2026-03-02T06:00:01{zone}', 'b/air.no2', 1.5), ('2026-03-02T06:00:00{zone}', 'a/air.no2', NULL),"
        f" ('2026-03-02T06:00:00{zone}', 'a/nope', 2)) r(t, s, v)) TO '{path}'"
    )
    got, bad = rows(path)
    assert [row[:2] for row in got] == [(T0, "a/air.no2"), (T0 + 1000, "b/air.no2")]
    assert np.isnan(got[0][2])
    assert got[1][2] == 1.5
    assert [(found.line, found.field) for found in bad] == [(4, "series")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,series\n", "column value is missing"),
        ("", "column time is missing"),
        ("time,time,series,value\n", "stands twice"),
    ],
)
def test_a_wrong_header_names_file_and_column(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=rf"r\.csv: .*{words}"):
        list(read_readings(written(tmp_path / "r.csv", text)))


def test_no_file_no_gzip_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no such file"):
        list(read_readings(tmp_path / "none.csv"))
    for name in ("r.csv.gz", "r.parquet"):
        (tmp_path / name).write_bytes(b"time,series,value\n")
        with pytest.raises(Misconfigured, match="cannot be read"):
            list(read_readings(tmp_path / name))
    whole = gzip.compress(("time,series,value\n" + "2026-03-02T06:00:00Z,a/air.no2,1\n" * 9999).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Misconfigured, match="cannot be read"):
        list(read_readings(tmp_path / "cut.csv.gz"))


def test_a_table_without_rows_is_no_reading(tmp_path: Path) -> None:
    assert rows(written(tmp_path / "r.csv", "time,series,value\n")) == ([], [])


def test_sensors(tmp_path: Path) -> None:
    text = "sensor,area,lat,lon,interval_s,maker,asset\nloop-1,ring,51.5,-0.1,60,Æ,pump-1\nloop-2,ring,,,,,\n"
    one, two = read_sensors(written(tmp_path / "s.csv", text))
    assert (one.sensor, one.area, one.lat, one.lon, one.interval_s, one.asset) == (
        "loop-1",
        "ring",
        51.5,
        -0.1,
        60,
        "pump-1",
    )
    assert one.extra == {"maker": "Æ"}
    assert (two.lat, two.interval_s, two.asset, two.asset_name) == (None, None, None, "loop-2")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("loop-1,,1", "line 3, area = ''"),
        ("loop-9,ring,north", "line 3, lat = 'north': not a number"),
        ("loop-9,ring,91", "line 3, lat = '91': must be"),
        ("loop-0,ring,1", "line 3, sensor = 'loop-0': stands twice, also in line 2"),
        ("loop-9,ring", "line 3: 2 cells"),
    ],
)
def test_a_bad_sensor_names_line_field_and_value(tmp_path: Path, row: str, words: str) -> None:
    path = written(tmp_path / "s.csv", f"sensor,area,lat\nloop-0,ring,1\n{row}\n")
    with pytest.raises(Misconfigured, match=f"s.csv {words}"):
        read_sensors(path)
    with pytest.raises(Misconfigured, match="column area is missing"):
        read_sensors(written(tmp_path / "t.csv", "sensor\nx\n"))


def test_sensors_from_parquet(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    duckdb.execute(f"COPY (SELECT 'loop-1' AS sensor, 'ring' AS area, 51.5 AS lat, 7 AS floor) TO '{path}'")
    (one,) = read_sensors(path)
    assert (one.sensor, one.lat, one.extra) == ("loop-1", 51.5, {"floor": "7"})


def test_links_and_events(tmp_path: Path) -> None:
    (link,) = read_links(written(tmp_path / "l.csv.gz", "from,to,metres\na,b,12.5\n"))
    assert (link.source, link.target, link.metres) == ("a", "b", 12.5)
    text = "time,asset,event\n2026-03-02T07:00:00Z,p,repair\n2026-03-02T06:00:00Z,p,failure\n"
    assert [(event.time, event.kind) for event in read_events(written(tmp_path / "e.csv", text))] == [
        (T0, "failure"),
        (T0 + 3_600_000, "repair"),
    ]
    with pytest.raises(Misconfigured, match="line 2, event = 'explosion': must be one of failure"):
        read_events(written(tmp_path / "e.csv", "time,asset,event\n2026-03-02T07:00:00Z,p,explosion\n"))
    with pytest.raises(Misconfigured, match=r"line 2, time = .*time zone"):
        read_events(written(tmp_path / "e.csv", "time,asset,event\n2026-03-02T07:00:00,p,repair\n"))
    with pytest.raises(Misconfigured, match="line 2, metres"):
        read_links(written(tmp_path / "l.csv", "from,to,metres\na,b,-1\n"))
