"""A small history in the embedded store, a server that shows it, and the command line run in this process."""

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from connectors.alert_store import SqliteAlertStore
from connectors.duckdb_store import DuckDbStore
from domain.messages import Alert, Health, Quarantined, Verdict, Why
from domain.times import DAY_MS
from domain.windows import Aggregates
from service.cli import main
from service.data_dir import ALERTS, HISTORY
from service.http import bind, url_of
from tests.web.fakes import NOON, make_world
from web.app import create_app

MINUTES = 12_345  # more than a page of the API
FLOW = "loop-001/traffic.flow"


@dataclasses.dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Borough = Callable[..., Ran]


@pytest.fixture
def borough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Borough:
    """Runs a command line as ``.venv/bin/borough`` does, in an empty folder without settings."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["borough", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with minute means of one series, three alerts and something in quarantine."""
    folder = tmp_path_factory.mktemp("history")
    start = NOON + 60_000 * np.arange(MINUTES, dtype=np.int64)
    mean = np.arange(MINUTES, dtype=np.float64) / 7
    n = MINUTES
    store = DuckDbStore(folder / HISTORY)
    batch = Aggregates(
        "ring-north", 60, [FLOW], np.zeros(n, np.int32), start, np.full(n, 3, np.int64),
        mean, mean - 1, mean + 1, mean, np.full(n, 0.5), np.ones(n, np.uint8), np.ones(n, np.int64),
    )  # fmt: skip
    put_aside = [
        Quarantined(f"q{k}", NOON + k, "readings.traffic", "gw", "loop-9/traffic.flow", "x", "value", "not a number")
        for k in range(2_500)
    ]
    verdicts = [Verdict("loop-001", "Constant", "stuck", 0.5, 30.0), Verdict("loop-002", "good", "", 0.0, 0.0)]
    health = [
        Health("loop-001", "ring-north", NOON - NOON % DAY_MS + k * DAY_MS, {}, verdicts=verdicts[:k]) for k in (0, 2)
    ] + [
        Health("loop-003", "ring-south", NOON, {}, verdicts=[Verdict("loop-003", "Insufficient", "silent", 0.6, 99.5)])
    ]
    assert store.write([batch, *put_aside, *health]) == []
    store.close()
    alerts = SqliteAlertStore(folder / ALERTS)
    why = Why('flow, "far" below', 1.0, 2.0, 1.5, 2.5, 1e4, NOON)
    alerts.put(
        [
            Alert(f"a{k}", "anomaly", "high", "open", "ring-north", "A1", [FLOW], NOON + k, NOON + k, None, 0.9, why)
            for k in range(3)
        ]
    )
    alerts.close()
    return folder


@pytest.fixture(scope="session")
def served(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real API over a copy of that history (only one process may open the file)."""
    folder = tmp_path_factory.mktemp("served") / "data"
    shutil.copytree(history, folder)
    parts = make_world().parts
    store, alerts = DuckDbStore(folder / HISTORY), SqliteAlertStore(folder / ALERTS)
    app = create_app(dataclasses.replace(parts, store=store, alerts=alerts))
    sock = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield url_of(sock)
    server.should_exit = True
    thread.join()
    store.close()
    alerts.close()
