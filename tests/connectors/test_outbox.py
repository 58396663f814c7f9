import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from connectors.outbox import SqliteOutbox
from domain.errors import Full, Misconfigured, Unavailable
from domain.ports import Entry


def entry(seq: int, size: int = 100, topic: str = "readings.air") -> Entry:
    return Entry(topic, 0, seq, b"area", bytes(size))


def test_a_restart_keeps_name_seq_and_entries(tmp_path: Path) -> None:
    first = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    first.append([entry(1), entry(2), entry(3)])
    first.forget("readings.air", 0, 2)
    first.close()
    again = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    assert again.name.rpartition(".")[0] == first.name.rpartition(".")[0]
    assert again.next_seq("readings.air", 0) == 4
    assert again.read("readings.air", 0, 0, 10) == [entry(3)]
    assert (again.depth(), again.bytes_waiting()) == (first.depth(), first.bytes_waiting())
    again.close()


def test_seq_survives_when_everything_was_forgotten(tmp_path: Path) -> None:
    first = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    first.append([entry(1), entry(2)])
    first.forget("readings.air", 0, 2)
    first.close()
    again = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    assert again.next_seq("readings.air", 0) == 3
    with pytest.raises(ValueError, match="given out before"):
        again.append([entry(2)])
    again.close()


def test_a_lost_file_means_a_new_name(tmp_path: Path) -> None:
    names = set()
    for number in range(3):
        outbox = SqliteOutbox(tmp_path / f"{number}.sqlite", 1 << 20, prefix="north")
        names.add(outbox.name)
        outbox.close()
    assert len(names) == 3
    assert all(name.startswith("north-") for name in names)


def test_an_old_copy_put_back_gives_out_nothing_twice(tmp_path: Path) -> None:
    path, copy = tmp_path / "o.sqlite", tmp_path / "copy.sqlite"
    used: list[tuple[str, int]] = []
    first = SqliteOutbox(path, 1 << 20)
    first.append([entry(1)])
    used.append((first.name, 1))
    first.close()
    shutil.copy(path, copy)
    second = SqliteOutbox(path, 1 << 20)
    second.append([entry(2), entry(3)])
    used += [(second.name, 2), (second.name, 3)]
    second.close()
    shutil.copy(copy, path)
    third = SqliteOutbox(path, 1 << 20)
    seq = third.next_seq("readings.air", 0)
    third.append([entry(seq)])
    assert seq == 2
    assert (third.name, seq) not in used
    third.close()


@pytest.mark.parametrize("at", [0, 8_192 * 4])
def test_a_damaged_file_is_set_aside_and_named(tmp_path: Path, at: int) -> None:
    path = tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path, 1 << 20)
    outbox.append([entry(seq, 3_000) for seq in range(1, 50)])
    outbox.close()
    damaged = bytearray(path.read_bytes())
    damaged[at : at + 8_192] = b"\xa5" * 8_192
    path.write_bytes(damaged)
    with pytest.raises(Misconfigured, match=r"o\.sqlite is damaged .*o\.sqlite\.damaged-1"):
        SqliteOutbox(path, 1 << 20)
    aside = (tmp_path / "o.sqlite.damaged-1").read_bytes()
    assert aside[8_192:] == bytes(damaged[8_192:])  # the first page counts how often the file was opened
    fresh = SqliteOutbox(path, 1 << 20)
    assert fresh.name != outbox.name
    assert fresh.depth() == 0
    fresh.close()


def test_no_two_at_a_time(tmp_path: Path) -> None:
    first = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    with pytest.raises(Misconfigured, match="in use"):
        SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    first.append([entry(1)])
    first.close()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be opened"):
        SqliteOutbox(tmp_path / "file" / "o.sqlite", 1 << 20)


def test_an_impossible_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="above 0"):
        SqliteOutbox(tmp_path / "o.sqlite", 0)


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    seq = 1
    for _ in range(150):
        outbox.append([entry(seq + k, 20_000) for k in range(20)])
        seq += 20
        outbox.forget("readings.air", 0, seq - 5)
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size < 12 << 20  # 60 MB went through
    assert outbox.depth() == 4
    outbox.close()


def test_a_long_queue_is_forgotten_to_the_last_entry(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 24)
    outbox.append([entry(seq, 50) for seq in range(1, 2_001)])
    outbox.append([entry(seq, 50, topic="readings.energy") for seq in range(1, 6)])
    outbox.forget("readings.air", 0, 1_999)
    assert [e.seq for e in outbox.read("readings.air", 0, 0, 9)] == [2_000]
    assert outbox.depth() == 6
    outbox.forget("readings.air", 0, 5_000)
    outbox.forget("readings.energy", 0, 5)
    assert (outbox.depth(), outbox.bytes_waiting()) == (0, 0)
    outbox.close()


def test_a_disk_that_is_nearly_full_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    outbox.append([entry(1)])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
    with pytest.raises(Full, match="disk"):
        outbox.append([entry(2)])
    outbox.forget("readings.air", 0, 1)
    monkeypatch.undo()
    outbox.append([entry(2)])
    assert outbox.read("readings.air", 0, 0, 9) == [entry(2)]
    outbox.close()


def test_when_the_database_says_full_nothing_is_taken(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 30)
    outbox.append([entry(1)])
    outbox._db.execute("PRAGMA max_page_count=20")
    with pytest.raises(Full):
        outbox.append([entry(2, topic="readings.energy", size=10), *(entry(seq, 50_000) for seq in range(2, 9))])
    assert outbox.next_seq("readings.air", 0) == 2
    assert outbox.next_seq("readings.energy", 0) == 1
    outbox._db.execute("PRAGMA max_page_count=100000")
    outbox.append([entry(2), Entry("readings.energy", 0, 1, b"k", b"v")])
    assert outbox.depth() == 3
    assert [e.seq for e in outbox.read("readings.energy", 0, 0, 9)] == [1]
    outbox.close()


def test_errors_of_the_database_are_unavailable(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    outbox.append([entry(1)])
    outbox.close()
    with pytest.raises(Unavailable):
        outbox.append([entry(2)])


def test_appends_are_synced(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "o.sqlite", 1 << 20)
    outbox.append([entry(1)])
    outbox.forget("readings.air", 0, 1)
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outbox.close()


def test_a_file_of_another_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    SqliteOutbox(path, 1 << 20).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=7")
    db.close()
    with pytest.raises(Misconfigured, match="format 7"):
        SqliteOutbox(path, 1 << 20)
    assert path.exists()
