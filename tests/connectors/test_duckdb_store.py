import csv
import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from connectors.duckdb_store import DuckDbStore
from connectors.table_columns import AGGREGATES
from domain.errors import Misconfigured, Unavailable
from domain.messages import Health
from domain.windows import Aggregates

T0 = 1_772_431_200_000  # 2026-03-02T06:00:00Z
END = T0 + 10**10


def batch(n: int, first: int = 0, revision: int = 1, name: str = "a/air.no2") -> Aggregates:
    mean = np.sqrt(np.arange(n) + 2.0) + revision
    return Aggregates(
        "ring", 60, [name], np.zeros(n, np.int32), T0 + (first + np.arange(n)) * 60_000, np.full(n, 6), mean, mean,
        mean, mean, np.full(n, np.nan), np.full(n, 1, np.uint8), np.full(n, revision),
    )  # fmt: skip


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    head = (
        "import os, signal, sys\nfrom pathlib import Path\nsys.path.insert(0, 'tests/connectors')\n"
        f"from test_duckdb_store import *\npath = Path({str(path)!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + script], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_an_older_revision_never_replaces_a_newer_one(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "h.duckdb")
    store.write([batch(6, revision=3)])
    store.write([batch(4, first=2, revision=2), batch(1, first=6, revision=2)])
    got = store.aggregates("a/air.no2", 60, T0, END, 100)
    assert got.revision.tolist() == [3, 3, 3, 3, 3, 3, 2]
    store.write([batch(2, revision=4), batch(2, revision=3)])
    assert store.aggregates("a/air.no2", 60, T0, END, 3).revision.tolist() == [4, 4, 3]
    store.close()


def test_everything_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "h.duckdb")
    store.write([batch(6), batch(3, name="b/air.o3"), Health("p", "ring", T0, {"gap_rate": 0.5})])
    before = store.series()
    store.close()
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        store.write([batch(1)])
    again = DuckDbStore(tmp_path / "h.duckdb")
    assert again.series() == before
    again.write([batch(6, revision=2)])
    got = again.aggregates("a/air.no2", 60, T0, END, 100)
    assert got.revision.tolist() == [2] * 6
    assert np.isnan(got.coverage).all()
    assert again.health("p", 1)[0].signals == {"gap_rate": 0.5}
    again.close()


def test_nothing_written_is_lost_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    script = (
        "store = DuckDbStore(path)\n"
        "for k in range(30): store.write([batch(100, first=100 * k), Health('p', 'ring', T0 + k, {})])\n"
        "store.write([batch(60_000, first=3_000)])\n"
        "store.write([batch(10, revision=2)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(script, path).returncode == -signal.SIGKILL
    store = DuckDbStore(path)
    got = store.aggregates("a/air.no2", 60, T0, END, 100_000)
    assert len(got) == 63_000
    assert got.revision.tolist() == [2] * 10 + [1] * 62_990
    assert (store.series()[0].first, store.series()[0].last) == (T0, T0 + 62_999 * 60_000)
    assert len(store.health("p", 100)) == 30
    store.close()


def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "h.duckdb")
    store.write([batch(2)])
    broken = Aggregates(**{name: getattr(batch(3, name="new/air.o3"), name) for name in Aggregates.__slots__})
    object.__setattr__(broken, "mean", np.zeros(1))
    with pytest.raises(Exception):  # noqa: B017, PT011 - a bug of the caller, whatever numpy or DuckDB make of it
        store.write([batch(4, revision=2), broken])
    assert store.aggregates("a/air.no2", 60, T0, END, 100).revision.tolist() == [1, 1]
    assert [info.series for info in store.series()] == ["a/air.no2"]
    store.write([batch(3, name="new/air.o3"), batch(4, revision=2)])
    assert store.aggregates("a/air.no2", 60, T0, END, 100).revision.tolist() == [2] * 4
    assert len(store.aggregates("new/air.o3", 60, T0, END, 100)) == 3
    store.close()


def test_a_second_process_is_told_to_use_the_api(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "h.duckdb")
    script = "try:\n    DuckDbStore(path)\nexcept Misconfigured as error:\n    print(error)\n"
    told = run(script, tmp_path / "h.duckdb")
    store.close()
    assert told.stdout.count("\n") == 1, told.stderr
    assert "the service is running, use its API" in told.stdout


@pytest.mark.parametrize("at", [0, 100, 4096 + 50, 8192 + 50])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, at: int) -> None:
    path = tmp_path / "h.duckdb"
    store = DuckDbStore(path)
    store.write([batch(1000)])
    store.backup()
    store.close()
    raw = bytearray(path.read_bytes())
    raw[at : at + 4200] = b"\xff" * 4200
    path.write_bytes(raw)
    with pytest.raises(Misconfigured, match=r"h\.duckdb is damaged .* backup"):
        DuckDbStore(path)


def test_a_damaged_block_found_on_the_way_is_named(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    store = DuckDbStore(path)
    chance = np.random.default_rng(1)
    big = batch(200_000)
    big.mean[:] = chance.random(200_000)
    store.write([big])
    store.backup()
    store.close()
    raw = bytearray(path.read_bytes())
    for at in range(12_288, len(raw), 262_144):
        raw[at + 1_000 : at + 1_200] = b"\xff" * 200
    path.write_bytes(raw)
    with pytest.raises(Misconfigured, match=r"h\.duckdb is damaged"):
        DuckDbStore(path).aggregates("a/air.no2", 60, T0, END * 2, 200_000)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be opened"):
        DuckDbStore(tmp_path / "file" / "h.duckdb")
    with pytest.raises(Misconfigured):
        DuckDbStore(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "it's a.parquet"])
def test_aggregates_are_taken_out_as_a_table(tmp_path: Path, name: str) -> None:
    store = DuckDbStore(tmp_path / "h.duckdb")
    store.write([batch(5), batch(5, name="b/air.o3")])
    target = tmp_path / "new folder" / name
    assert store.copy_aggregates(None, 60, T0, END, target) == 10
    assert store.copy_aggregates("b/air.o3", 60, T0 + 60_000, T0 + 180_000, target) == 2
    if name.endswith(".parquet"):
        cursor = duckdb.execute("SELECT * FROM read_parquet(?) ORDER BY window_start", [str(target)])
        assert tuple(column[0] for column in cursor.description) == AGGREGATES
        rows = [dict(zip(AGGREGATES, row, strict=True)) for row in cursor.fetchall()]
        assert rows[0]["window_start"].timestamp() * 1000 == T0 + 60_000
        assert rows[0]["coverage"] is None
    else:
        text = gzip.decompress(target.read_bytes()).decode() if name.endswith(".gz") else target.read_text()
        rows = list(csv.DictReader(text.splitlines()))
        assert tuple(rows[0]) == AGGREGATES
        assert rows[0]["window_start"] == "2026-03-02T06:01:00Z"
        assert rows[0]["coverage"] == ""
    assert [float(row["mean"]) for row in rows] == batch(5).mean[1:3].tolist()
    assert {row["series"] for row in rows} == {"b/air.o3"}
    assert store.copy_aggregates(None, 900, T0, END, target) == 0
    with pytest.raises(Misconfigured, match="must end in"):
        store.copy_aggregates(None, 60, T0, END, tmp_path / "a.xlsx")
    store.close()
