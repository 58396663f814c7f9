import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.alert_store import Mark, SqliteAlertStore
from domain.errors import Misconfigured
from domain.messages import Alert, Why

WHY = Why("Flow is low.", 3.0, 30.0, 20.0, None, None, 1_000)


def alert(name: str, revision: int = 1) -> Alert:
    return Alert(
        name, "anomaly", "high", "open", "ring", "ring", ["a/traffic.flow"], 1, 2, None, 0.9, WHY, "", revision
    )


def test_alerts_and_marks_are_kept_together(tmp_path: Path) -> None:
    store = SqliteAlertStore(tmp_path / "alerts.sqlite")
    marks = [Mark("findings", 0, "broker-1", 12), Mark("findings", 1, "broker-1", 7)]
    store.put_with_marks([alert("a")], marks)
    store.put_with_marks([], [Mark("findings", 1, "broker-2", 3)])
    store.close()
    again = SqliteAlertStore(tmp_path / "alerts.sqlite")
    assert again.marks() == [marks[0], Mark("findings", 1, "broker-2", 3)]
    assert again.get("a") == alert("a")
    again.close()


def test_a_failing_put_changes_neither_alerts_nor_marks(tmp_path: Path) -> None:
    store = SqliteAlertStore(tmp_path / "alerts.sqlite")
    with pytest.raises(AttributeError):
        store.put_with_marks([alert("a")], [None])  # type: ignore[list-item]
    assert store.get("a") is None
    assert store.last_change() == 0
    store.put([alert("b")])
    assert store.last_change() == 1
    store.close()


def test_what_was_put_survives_a_kill(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nsys.path.insert(0, 'tests/connectors')\n"
        "from test_alert_store import SqliteAlertStore, alert\n"
        f"store = SqliteAlertStore(Path({str(tmp_path / 'alerts.sqlite')!r}))\n"
        "for k in range(200): store.put([alert(f'n{k}')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert done.returncode == -signal.SIGKILL
    store = SqliteAlertStore(tmp_path / "alerts.sqlite")
    assert store.last_change() == 200
    store.close()


@pytest.mark.parametrize("damage", [b"this is no database" * 100, None])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "alerts.sqlite"
    store = SqliteAlertStore(path)
    store.put([alert(f"n{k}") for k in range(500)])
    store.close()
    raw = path.read_bytes()
    path.write_bytes(damage if damage is not None else raw[:8192] + b"\xff" * (len(raw) - 8192))
    path.with_name("alerts.sqlite.good").unlink()
    with pytest.raises(Misconfigured, match=r"alerts\.sqlite is damaged"):
        SqliteAlertStore(path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be opened"):
        SqliteAlertStore(tmp_path)
