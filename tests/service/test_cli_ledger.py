"""``verify-ledger``: the same verdict from the file and from the API, and an exit code that says it."""

import json
from pathlib import Path

import pytest

from domain.times import format_time
from tests.service.conftest import FLOW, MINUTES, Borough
from tests.web.fakes import NOON


@pytest.fixture(params=["file", "api"])
def where(request: pytest.FixtureRequest, history: Path) -> list[str]:
    if request.param == "api":
        return ["--api-url", request.getfixturevalue("served")]
    return ["--data-dir", str(history)]


def ledger(path: Path, spoilt: str = "") -> Path:
    """What must have been sent to make the history of the fixture; ``spoilt`` is left out."""
    lines = ["series,sequence,time,value,outcome"]
    for k in range(MINUTES):
        mean = k / 7
        for n, value in enumerate((mean - 1, mean + 1, mean)):
            lines.append(f"{FLOW},{k},{format_time(NOON + 60_000 * k + n)},{value!r},ok")
    path.write_text("\n".join(line for line in lines if line != spoilt) + "\n")
    return path


def test_a_ledger_that_holds(borough: Borough, where: list[str], tmp_path: Path) -> None:
    ran = borough("verify-ledger", str(ledger(tmp_path / "ledger.csv")), *where)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"{3 * MINUTES} lines, {MINUTES} windows: 0 wrong\n"


def test_one_reading_too_many_is_told(borough: Borough, where: list[str], tmp_path: Path) -> None:
    spoilt = f"{FLOW},70,{format_time(NOON + 60_000 * 70 + 1)},11.0,ok"
    path = ledger(tmp_path / "ledger.csv", spoilt)
    ran = borough("verify-ledger", str(path), "--json", *where)
    assert ran.code == 1
    told = json.loads(ran.out)
    assert told["data"] == [f"{FLOW} {format_time(NOON + 60_000 * 70)}: 3 readings are counted, 2 were accepted"]
    assert told["meta"] == {"lines": 3 * MINUTES - 1, "windows": MINUTES}


def test_a_file_that_is_no_ledger(borough: Borough, where: list[str], tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("time,series,value\n")
    ran = borough("verify-ledger", str(path), *where)
    assert ran.code == 2
    assert ran.err.startswith(f"borough: ledger {path}: the first line must be ")
