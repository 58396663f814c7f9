"""Bytes flipped, zeroed, cut off or added in the files that must not be trusted blindly: noticed every time.

After every damage the file is opened again as the service does. Either what it then holds is exactly what was put in
(the bytes belonged to nobody), or the damage is told, and what is held is a part of what was put in: nothing is ever
held that was not. ``BOROUGH_FAULTS=nightly`` runs 2,000 instead of 50 of each kind.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.alert_store import SqliteAlertStore
from connectors.checkpoints_file import FileCheckpoints
from connectors.outbox import SqliteOutbox
from connectors.sqlite_damage import checksum
from domain.errors import Misconfigured
from domain.messages import Alert, Why
from domain.ports import Entry

COUNT = 2_000 if os.environ.get("BOROUGH_FAULTS") == "nightly" else 50
LANE = ("readings.air", 1)
pytestmark = pytest.mark.timeout(0 if COUNT > 50 else 120)


def hurt(raw: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damaged bytes, and how."""
    kind = rng.choice(["flip", "flip", "flips", "zeros", "rubbish", "cut", "added"])
    at = rng.randrange(len(raw))
    data = bytearray(raw)
    if kind == "flip":
        data[at] ^= 1 << rng.randrange(8)
    elif kind == "flips":
        for _ in range(rng.randint(2, 40)):
            data[rng.randrange(len(data))] ^= rng.randint(1, 255)
    elif kind in ("zeros", "rubbish"):
        size = min(rng.choice([16, 512, 4_096]), len(data) - at)
        data[at : at + size] = bytes(size) if kind == "zeros" else rng.randbytes(size)
    elif kind == "cut":
        del data[at:]
    else:
        data += rng.randbytes(rng.randint(1, 600))
    return bytes(data), f"{kind} at {at} of {len(raw)}"


def damages(folder: Path, pristine: Path, pattern: Callable[[Path], bool], salt: str) -> Iterator[tuple[Path, str]]:
    """Fresh copies of a folder, in each of which one file is damaged; seeds and places are told."""
    for seed in range(COUNT):
        rng = random.Random(f"{salt}-{seed}")
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(pristine, copy)
        files = sorted(path for path in copy.iterdir() if pattern(path) and path.stat().st_size)
        victim = rng.choice(files)
        raw, how = hurt(victim.read_bytes(), rng)
        if raw == victim.read_bytes():
            continue
        victim.write_bytes(raw)
        yield copy, f"seed {salt}-{seed}: {victim.name}, {how}"


# --- checkpoints


async def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    pristine = tmp_path / "pristine"
    keeper = FileCheckpoints(pristine)
    rng = random.Random(3)
    saves = [{f"readings.air-{n}": rng.randbytes(800) for n in range(4)} for _ in range(5)]
    for states in saves:
        await keeper.save(states)
    newest = max(pristine.iterdir())
    older = 0
    for copy, what in damages(tmp_path, pristine, lambda path: path.name == newest.name, "checkpoint"):
        reader = FileCheckpoints(copy)
        for key, state in saves[-1].items():
            found = await reader.load(key)
            assert found in (state, saves[-2][key]), what
            older += found != state
        assert reader.damaged, f"{what}: not told"
        await reader.save({"readings.air-0": b"next"})
        again = FileCheckpoints(copy)
        assert await again.load("readings.air-0") == b"next", what
        assert await again.load("readings.air-3") in (saves[-1]["readings.air-3"], saves[-2]["readings.air-3"]), what
    assert older


# --- the outbox


def outbox_killed(folder: Path) -> dict[int, bytes]:
    """A folder as a killed gateway leaves it: a part in the file, a part in its log. Returns what was accepted."""
    box = SqliteOutbox(folder / "outbox.sqlite", 1 << 30)
    rng = random.Random(5)
    entries = [Entry(*LANE, seq, b"a2", rng.randbytes(rng.randint(50, 3_000))) for seq in range(1, 61)]
    for k in range(0, 40, 4):
        box.append(entries[k : k + 4])
    box.forget(*LANE, 6)
    box._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for k in range(40, 60, 4):
        box.append(entries[k : k + 4])
    killed = folder.with_name(folder.name + "-killed")
    shutil.copytree(folder, killed)
    box.close()
    shutil.rmtree(folder)
    killed.rename(folder)
    return {entry.seq: entry.value for entry in entries[6:]}


@pytest.mark.parametrize("which", ["outbox.sqlite", "outbox.sqlite-wal"])
def test_a_damaged_outbox_is_told_and_never_hands_out_what_was_not_accepted(tmp_path: Path, which: str) -> None:
    pristine = tmp_path / "pristine"
    accepted = outbox_killed(pristine)
    refused = told = 0
    for copy, what in damages(tmp_path, pristine, lambda path: path.name == which, which):
        try:
            box = SqliteOutbox(copy / "outbox.sqlite", 1 << 30)
        except Misconfigured as error:
            aside = next(copy.glob("*.damaged-1"))
            assert "damaged" in error.args[0] and aside.name in error.args[0], what  # noqa: PT017, PT018
            refused += 1
            SqliteOutbox(copy / "outbox.sqlite", 1 << 30).close()  # started again it goes on, empty
            continue
        found = {entry.seq: entry.value for entry in box.read(*LANE, 0, 1_000)}
        assert found.items() <= accepted.items(), what
        if found != accepted or box.next_seq(*LANE) != 61:
            assert box.damaged, f"{what}: {len(accepted) - len(found)} entries are gone and nothing is told"
        told += bool(box.damaged)
        box.close()
    print(f"{which}: {COUNT} damages, {refused} refused, {told} told and gone on")
    assert refused + told > COUNT // 3


def test_an_outbox_of_the_release_before_is_read_and_verified_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    db = sqlite3.connect(path)
    db.executescript(
        """CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE lanes (lane INTEGER PRIMARY KEY, topic TEXT NOT NULL, "partition" INTEGER NOT NULL,
            next_seq INTEGER NOT NULL, UNIQUE (topic, "partition"));
        CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
        INSERT INTO facts VALUES ('gateway', 'gw-old');
        INSERT INTO lanes VALUES (0, 'readings.air', 1, 2);
        INSERT INTO entries VALUES (1, x'61', x'6263');
        PRAGMA user_version=1;"""
    )
    db.close()
    box = SqliteOutbox(path, 1 << 20)
    assert box.name.startswith("gw-old")
    box.append([Entry(*LANE, 2, b"a", b"new")])
    assert [entry.value for entry in box.read(*LANE, 0, 10)] == [b"bc", b"new"]
    assert box.damaged == []
    box.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT crc FROM entries ORDER BY id").fetchall() == [(None,), (checksum(2, b"a", b"new"),)]


# --- alerts


def alert(number: int, revision: int = 1) -> Alert:
    return Alert(
        f"alert-{number:03d}", "silence", "low", "open", "a2", "Place", [f"s{number}/air.no2"], number, number + 1,
        None, 0.6, Why("Silent.", None, None, None, None, None, number), revision=revision,
    )  # fmt: skip


@pytest.mark.parametrize("which", ["alerts.sqlite", "alerts.sqlite-wal"])
def test_damaged_alerts_are_told_and_the_good_copy_stands_in(tmp_path: Path, which: str) -> None:
    pristine = tmp_path / "pristine"
    live = tmp_path / "live"
    store = SqliteAlertStore(live / "alerts.sqlite")
    store.put([alert(k) for k in range(60)])
    store.close()  # a good copy of 60
    store = SqliteAlertStore(live / "alerts.sqlite")
    for k in range(60, 80):
        store.put([alert(k)])
    shutil.copytree(live, pristine)  # as a kill leaves it
    store.close()
    put = {alert(k).id: alert(k) for k in range(80)}
    told = 0
    for copy, what in damages(tmp_path, pristine, lambda path: path.name == which, which):
        store = SqliteAlertStore(copy / "alerts.sqlite")
        found = {item.id: item for item in store.find(None, None, None, 1_000)}
        assert found.items() <= put.items(), what
        assert found.keys() >= {alert(k).id for k in range(60)}, f"{what}: the good copy does not stand in"
        if found != put:
            assert store.damaged, f"{what}: {len(put) - len(found)} alerts are gone and nothing is told"
        told += bool(store.damaged)
        store.put([alert(100)])
        assert store.get("alert-100") == alert(100), what
        store.close()
    print(f"{which}: {COUNT} damages, {told} told")
    assert told > COUNT // 3


def test_a_good_copy_that_is_damaged_too_does_not_hide_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite"
    store = SqliteAlertStore(path)
    store.put([alert(k) for k in range(60)])
    store.close()
    for file in (path, path.with_name("alerts.sqlite.good")):
        raw = bytearray(file.read_bytes())
        raw[:4_096] = bytes(4_096)
        file.write_bytes(raw)
    with suppress(sqlite3.Error), pytest.raises(Misconfigured, match="damaged"):
        SqliteAlertStore(path)
