"""``doctor``: each problem is found, named, and comes with what to change."""

import json
import os
import socket
from pathlib import Path

import pytest

from service.data_dir import record_service, recorded_service
from service.doctor import examine
from service.settings import Settings
from tests.service.conftest import Borough


def problems(settings: Settings) -> dict[str, str]:
    return {check.name: check.advice for check in examine(settings) if not check.ok}


def test_all_well(tmp_path: Path) -> None:
    checks = examine(Settings(data_dir=tmp_path, port=0, accept_unknown=True, outbox_bytes_max=1 << 20))
    assert [check.name for check in checks if check.ok] == [
        "python", "data folder", "disk", "damage", "port", "broker", "store", "rights", "sensors", "clock",
    ]  # fmt: skip


def test_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = problems(Settings(data_dir=tmp_path, port=other.getsockname()[1], accept_unknown=True))
    assert "--port (BOROUGH_PORT)" in found["port"]


def test_folder_disk_and_sensors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems(Settings(data_dir=tmp_path / "file", port=0, outbox_bytes_max=1 << 50))
    assert set(found) == {"data folder", "disk", "sensors"}
    assert "--data-dir (BOROUGH_DATA_DIR)" in found["data folder"]
    assert "--outbox-bytes-max" in found["disk"]
    assert "--accept-unknown" in found["sensors"]


def test_broker_and_store_not_there(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, port=0, accept_unknown=True, broker="kafka://127.0.0.1:9", store="influx://127.0.0.1:9/b"
    )
    found = problems(settings)
    assert "start Kafka" in found["broker"]
    assert "start InfluxDB" in found["store"]


def test_on_the_command_line(borough: Borough) -> None:
    ran = borough("doctor", "--json", "--port", "0")
    answer = json.loads(ran.out)
    assert ran.code == (1 if answer["meta"]["problems"] else 0) == 1
    assert [row["check"] for row in answer["data"] if not row["ok"]] == ["sensors"]
    ran = borough("doctor", "--port", "0")
    assert "PROBLEM  sensors" in ran.out
    assert borough("doctor", "--port", "0", "--accept-unknown").code == 0


def test_the_note_of_a_running_service(tmp_path: Path) -> None:
    assert recorded_service(tmp_path) is None
    record_service(tmp_path, "http://127.0.0.1:1")
    assert recorded_service(tmp_path) == "http://127.0.0.1:1"
    note = tmp_path / "service.json"
    note.write_text(note.read_text().replace(str(os.getpid()), "999999999"))
    assert recorded_service(tmp_path) is None
    for broken in ("", "[]", '{"url": 1}'):
        note.write_text(broken)
        assert recorded_service(tmp_path) is None


@pytest.mark.parametrize("word", ["provision"])
def test_nothing_to_provision(word: str, borough: Borough) -> None:
    ran = borough(word)
    assert (ran.code, ran.out) == (0, "")
    assert "nothing to do" in ran.err
