"""The command line itself: help for every command, errors as one line, exit codes, and what is imported for it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from service.cli import app
from service.cli_options import duration_s
from service.settings import MASK, ROWS
from tests.service.conftest import Borough

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
#: Costs more than help is worth: River takes seconds to import.
HEAVY = {
    "numpy",
    "river",
    "scipy",
    "faust",
    "duckdb",
    "fastapi",
    "aiokafka",
    "kafka",
    "influxdb_client",
    "uvicorn",
    "rich",
}


def test_the_commands_of_the_design_are_there() -> None:
    wanted = (
        "demo serve worker gateway web alerts store simulate replay backtest query export settings doctor provision"
    )
    assert set(wanted.split()) <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, borough: Borough) -> None:
    ran = borough(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: borough {name}")
    assert COMMANDS[name].help


def test_every_setting_is_a_flag_of_some_command() -> None:
    flags = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
    assert {row.flag for row in ROWS.values()} <= flags


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['borough', '--help']\nfrom service.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Usage: borough" in ran.stdout
    loaded = {name.partition(".")[0] for name in ran.stderr.split()}
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--port", "abc"], "--port: 'abc' is not a whole number between 0 and 65535 (from the command line)"),
        (["serve", "--prot", "1"], "No such option: --prot"),
        (["serve", "--config", "none.toml"], "none.toml: the settings file cannot be read: No such file or directory"),
        (["swerve"], "No such command 'swerve'"),
        (["demo", "--for", "soon"], "--for: 'soon' is not a duration such as 60s, 5m or 2h"),
        (["demo", "--seed", "x"], "--seed"),
        (["worker"], "'embedded' lives inside one process, so 'worker' cannot share it"),
        (["replay"], "FILE"),
        (["replay", "none.csv"], "FILE: none.csv cannot be read: No such file or directory"),
        (["replay", "none.csv", "--speed", "-1"], "--speed: '-1' is not a positive number or 'max'"),
        (["backtest", "--readings", "none.csv", "--out", "out"], "--readings: none.csv cannot be read"),
        (["backtest", "--readings", ".", "--out", "out"], "--readings: . cannot be read: Is a directory"),
    ],
)
def test_what_must_be_changed_is_one_line_and_exit_2(words: list[str], said: str, borough: Borough) -> None:
    ran = borough(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.startswith("borough: ")
    assert ran.err.count("\n") == 1


def test_no_command_prints_the_help(borough: Borough) -> None:
    ran = borough()
    assert ran.code == 2
    assert "Parts of a distributed run" in ran.out


def test_settings_show_value_and_source(borough: Borough, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "borough.toml").write_text("tick_s = 2\n")
    monkeypatch.setenv("BOROUGH_STORE_TOKEN", "s3cret")
    monkeypatch.setenv("BOROUGH_PROT", "1")
    ran = borough("settings", "--json", "--port", "9")
    data = json.loads(ran.out)["data"]
    assert set(data) == set(ROWS)
    assert data["port"] == {"value": 9, "source": "flag"}
    assert data["tick_s"] == {"value": 2.0, "source": "borough.toml"}
    assert data["store_token"] == {"value": MASK, "source": "environment"}
    assert data["host"] == {"value": "127.0.0.1", "source": "default"}
    assert ran.err == "borough: BOROUGH_PROT is set, but there is no such setting; did you mean BOROUGH_PORT?\n"
    assert "s3cret" not in borough("settings").out


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("60s", 60), ("5m", 300), ("1.5h", 5_400), ("2d", 172_800), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text, "--for") == seconds
