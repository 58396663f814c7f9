"""Drives the program as anybody would: its commands, its HTTP API, its folders. Nothing of Borough is imported here."""

import csv
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0  # a busy machine; what is asserted is that it comes, never how fast
_STOP_S = 30.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")

T = TypeVar("T")


class Response(NamedTuple):
    """One HTTP answer; ``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def program() -> list[str]:
    """``borough`` of this checkout; the installed script is tried with the wheel."""
    return [sys.executable, "-m", "service"]


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}
    return {**clean, **(more or {})}


Ran = subprocess.CompletedProcess[str]


def borough(*words: object, env: dict[str, str] | None = None, timeout_s: float = 120) -> Ran:
    """Run a command to its end."""
    return subprocess.run(
        [*program(), *map(str, words)], cwd=ROOT, env=environment(env),
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


class Running:
    """A command that runs until it is stopped; its output is in files beside its data folder.

    ``before`` is put before the program: what runs it in a place of its own.
    """

    def __init__(
        self,
        folder: Path,
        *words: object,
        name: str = "",
        env: dict[str, str] | None = None,
        before: Iterable[str] = (),
    ) -> None:
        self.name = name or str(words[0])
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / f"{self.name}.out", folder / f"{self.name}.err"
        self._begin = self._out.stat().st_size if self._out.exists() else 0
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                [*before, *program(), *map(str, words)], cwd=ROOT, env=environment(env),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    def out(self) -> str:
        """What this run has printed."""
        return self._out.read_bytes()[self._begin :].decode("utf-8", "replace")

    def err(self) -> str:
        return self._err.read_text(errors="replace")

    def address(self, patience_s: float = PATIENCE_S) -> str:
        """The address that the program prints."""
        return until(lambda: self._printed(), f"{self.name} prints its address", patience_s)

    def _printed(self) -> str | None:
        self.check_alive()
        found = _ADDRESS.search(self.out())
        return found.group() if found else None

    def ready(self, base: str | None = None) -> str:
        """Wait for ``/readyz``; the address."""
        base = base or self.address()
        until(lambda: self._answers(base), f"{self.name} is ready")
        return base

    def _answers(self, base: str) -> bool:
        self.check_alive()
        return quietly(base + "/readyz") == 200

    def check_alive(self) -> None:
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.err()[-3_000:]}"

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait(_STOP_S)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.kill()
        if error is not None:
            print(f"--- {self.name}, stderr:\n{self.err()[-3_000:]}", file=sys.stderr)


def until(condition: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true answer of the condition."""
    deadline = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain until {what}"
        time.sleep(0.1)
    return answer


def call(
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 30,
    context: ssl.SSLContext | None = None,
) -> Response:
    """GET, or POST when there is a body; an error status is an answer too."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s, context=context) as answer:
            return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def quietly(url: str) -> int | None:
    """The status, None when nobody answers."""
    try:
        return call(url, timeout_s=10).status
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return None


def get(url: str, **headers: str) -> Any:
    """The JSON of a 200 answer."""
    answer = call(url, headers=headers)
    assert answer.status == 200, f"{url}: {answer.status} {answer.body[:300]!r}"
    return answer.json()


def post(base: str, content: object, kind: str = "application/json", **headers: str) -> Response:
    """POST /v1/readings: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return call(base + "/v1/readings", body, {"Content-Type": kind, **headers})


def accept(base: str, content: object, kind: str = "application/json", **headers: str) -> dict[str, Any]:
    """As :func:`post`, answered with 202."""
    answer = post(base, content, kind, **headers)
    assert answer.status == 202, (answer.status, answer.body[:500])
    return dict(answer.json())


def all_pages(base: str, path: str) -> list[dict[str, Any]]:
    """``data`` of all pages of a list."""
    rows: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        page = get(base + following)
        rows += page["data"]
        following = page["links"].get("next")
    return rows


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def query(series: str, window_s: int, *where: object, env: dict[str, str] | None = None) -> list[dict[str, str]]:
    """``borough query aggregates``; where: as in ``--data-dir X``."""
    ran = borough("query", "aggregates", "--series", series, "--window", window_s, "--format", "csv", *where, env=env)
    if ran.returncode == 2 and "no such series" in ran.stderr:
        return []
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(
        "window_start,window_s,series,count,mean,min,max,last,coverage,flag,revision\n"
    ), ran.stdout[:300]  # fmt: skip
    return table(ran.stdout)


def sensors_table(path: Path, rows: Iterable[tuple[str, str, float]]) -> Path:
    """sensor, area, interval_s."""
    lines = [f"{sensor},{area},{interval:g}\n" for sensor, area, interval in rows]
    path.write_text("sensor,area,interval_s\n" + "".join(lines), encoding="utf-8")
    return path
