"""What cannot start says so in one line that names what to change, and ends with 2; what can, ends when it is told."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.program import Running, borough

NOBODY = "127.0.0.1:9"  # the discard port: nothing listens there


def refused(words: tuple[object, ...], *named: str, env: dict[str, str] | None = None) -> None:
    ran = borough(*words, env=env)
    assert ran.returncode == 2, (ran.returncode, ran.stdout, ran.stderr)
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("borough: ")
    for name in named:
        assert name in line, line
    assert len(line) < 500


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        more = ("--no-browser",) if command == "demo" else ()
        refused((command, "--port", port, "--data-dir", tmp_path, *more), str(port), "--port", "BOROUGH_PORT")


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_data_folder_that_cannot_be_written(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    more = ("--no-browser",) if command == "demo" else ()
    refused((command, "--port", 0, "--data-dir", tmp_path / "file" / "data", *more), "data", "BOROUGH_DATA_DIR")


@pytest.mark.parametrize(
    ("words", "env", "named"),
    [
        (("--port", "many"), {}, ("--port", "many")),
        ((), {"BOROUGH_PORT": "70000"}, ("BOROUGH_PORT", "70000")),
        ((), {"BOROUGH_LATENESS_S": "soon"}, ("BOROUGH_LATENESS_S", "soon")),
        (("--broker", "rabbit://here"), {}, ("--broker", "kafka://")),
        ((), {"BOROUGH_STORE": "postgres://x"}, ("BOROUGH_STORE", "influx://")),
        (("--detector", "oracle"), {}, ("oracle",)),
        (("--road-detectors", "snd,radar"), {}, ("--road-detectors", "snd,radar", "bottleneck")),
        (("--sensors", "/nowhere/sensors.csv"), {}, ("/nowhere/sensors.csv",)),
        (("--no-such-flag",), {}, ("--no-such-flag",)),
    ],
)
def test_a_bad_setting(tmp_path: Path, words: tuple[str, ...], env: dict[str, str], named: tuple[str, ...]) -> None:
    port = () if "--port" in words or "BOROUGH_PORT" in env else ("--port", "0")
    refused(("serve", "--data-dir", tmp_path, *port, *words), *named, env=env)


def test_a_bad_file(tmp_path: Path) -> None:
    words = ("serve", "--port", 0, "--data-dir", tmp_path / "data")
    table = tmp_path / "sensors.csv"
    table.write_text("name,where\nx,y\n")
    refused((*words, "--sensors", table), "sensors.csv", "sensor")
    table.write_text("sensor,area\nloop-1,ring\nloop-1,ring\n")
    refused((*words, "--sensors", table), "loop-1")
    settings = tmp_path / "borough.toml"
    settings.write_text("lateness_s = [")
    refused((*words, "--config", settings), "borough.toml")


def test_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    env = {"BOROUGH_BROKER": f"kafka://{NOBODY}", "BOROUGH_WAIT_S": "0.5", "BOROUGH_PORT": "0"}
    with ThreadPoolExecutor(3) as several:
        for told in [
            several.submit(refused, (part, "--data-dir", tmp_path / part), NOBODY, "BOROUGH_BROKER", env=env)
            for part in ("serve", "worker", "gateway", "alerts", "store", "web")
        ]:
            told.result()


def test_a_store_that_does_not_answer(tmp_path: Path) -> None:
    env = {"BOROUGH_STORE": f"influx://{NOBODY}/borough?org=x", "BOROUGH_STORE_TOKEN": "very-secret"}
    refused(("serve", "--port", 0, "--data-dir", tmp_path, "--wait-s", "0.5"), NOBODY, "BOROUGH_STORE", env=env)
    ran = borough("query", "series", "--data-dir", tmp_path, "--store", env["BOROUGH_STORE"], env=env)
    assert ran.returncode in (1, 2)
    (line,) = ran.stderr.splitlines()
    assert NOBODY in line
    assert "very-secret" not in ran.stdout + ran.stderr


def test_nothing_to_provision_where_nobody_answers() -> None:
    ran = borough("provision", "--broker", f"kafka://{NOBODY}")
    assert ran.returncode in (1, 2)
    (line,) = ran.stderr.splitlines()
    assert NOBODY in line


def test_parts_need_a_broker_of_their_own(tmp_path: Path) -> None:
    for part in ("worker", "gateway", "alerts", "store", "web"):
        refused((part, "--data-dir", tmp_path), part, "BOROUGH_BROKER")


def test_nothing_to_query(tmp_path: Path) -> None:
    refused(("query", "aggregates", "--series", "loop-1/traffic.flow", "--data-dir", tmp_path / "none"), "none")
    refused(("query", "aggregates", "--series", "loop-1/traffic.flow", "--window", 61, "--data-dir", tmp_path), "61")


@pytest.mark.parametrize("after_s", [0.8, 2.0, 3.5])
def test_ctrl_c_while_it_starts(after_s: float, tmp_path: Path) -> None:
    with Running(tmp_path, "serve", "--port", "0", "--data-dir", tmp_path / "data") as running:
        time.sleep(after_s)  # amid its imports, or its agents' joining
        code = running.interrupt()
        assert code in (0, 130, -signal.SIGINT)  # the last one: Python itself was not up yet
        assert "Traceback" not in running.err() or code == -signal.SIGINT


def test_sigterm(tmp_path: Path) -> None:
    with Running(tmp_path, "serve", "--port", "0", "--data-dir", tmp_path / "data") as running:
        running.ready()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
        assert running.err() == ""


def test_two_on_one_folder(tmp_path: Path) -> None:
    with Running(tmp_path, "serve", "--port", "0", "--data-dir", tmp_path / "data") as running:
        running.ready()
        refused(("serve", "--port", 0, "--data-dir", tmp_path / "data"), "data")
        assert running.interrupt() == 0
