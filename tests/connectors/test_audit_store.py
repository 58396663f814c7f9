"""The audit trail: entries once and in order, no change goes unseen, also one made behind its back."""

import sqlite3
from pathlib import Path

import pytest

from connectors.audit_store import SqliteAuditStore
from domain.errors import Misconfigured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite"


@pytest.fixture
def trail(path: Path) -> SqliteAuditStore:
    store = SqliteAuditStore(path)
    for k in range(5):
        store.append("threshold", f"a{k}", 1_000 + k, f"body {k}".encode())
    return store


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER trail_stays")
        db.execute("DROP TRIGGER trail_is_kept")
        for statement in statements:
            db.execute(statement)


def test_entries_come_back_in_order_and_hang_together(trail: SqliteAuditStore, path: Path):
    trail.append("other", "b", 9, b"x")
    assert [entry.id for entry in trail.entries("threshold")] == [f"a{k}" for k in range(5)]
    found = trail.verify()
    assert (found.entries, found.wrong) == (6, "")
    trail.close()
    assert SqliteAuditStore(path).verify() == found


def test_the_same_entry_again_changes_nothing(trail: SqliteAuditStore):
    before = trail.verify()
    trail.append("threshold", "a3", 99, b"another body")
    assert trail.verify() == before


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("UPDATE trail SET body = x'00' WHERE number = 3", "entry 3 (threshold a2) was changed"),
        ("UPDATE trail SET time = time + 1 WHERE number = 1", "entry 1 (threshold a0) was changed"),
        ("UPDATE trail SET id = 'zz' WHERE number = 5", "entry 5 (threshold zz) was changed"),
        ("DELETE FROM trail WHERE number = 2", "entry 2 is missing"),
        ("UPDATE trail SET before = 'ff' WHERE number = 4", "entry 4 does not follow the one before"),
    ],
)
def test_whatever_is_changed_is_found(trail: SqliteAuditStore, path: Path, statement: str, wrong: str):
    trail.close()
    tamper(path, statement)
    assert SqliteAuditStore(path).verify().wrong == wrong


def test_a_tail_cut_off_shows_in_the_newest_hash_only(trail: SqliteAuditStore, path: Path):
    head = trail.verify().head
    trail.close()
    tamper(path, "DELETE FROM trail WHERE number = 5")
    found = SqliteAuditStore(path).verify()
    assert found.wrong == ""
    assert found.head != head


def test_the_table_itself_refuses_changes(trail: SqliteAuditStore, path: Path):
    trail.close()
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("DELETE FROM trail")


def test_no_database(path: Path):
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(Misconfigured, match="audit trail"):
        SqliteAuditStore(path)
