"""``kill -9`` of a running serve under load: every acknowledged reading is counted once, alerts and answers stay.

The moments of the kills come from a seed, which is printed; ``BOROUGH_TEST_SEED`` gives another.
"""

import http.client
import os
import random
import threading
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.system.past import DAY_MS, past
from tests.system.program import Running, accept, all_pages, call, get, post, sensors_table, until
from tests.system.recomputed import Reading, differences, rfc, windows

SEED = int(os.environ.get("BOROUGH_TEST_SEED", "1"))
KILLS = int(os.environ.get("BOROUGH_TEST_KILLS", "3"))
SHARED = [f"loop-{n}/traffic.flow" for n in range(1, 4)]  # windows close at once and are revised by every post
HISTORY = [f"meter-{n}/energy.active_power" for n in range(1, 4)]  # in a time of its own: windows stay open for a while
ALONE = "air-1/air.no2"  # one reading a minute, never sent again: each window says whether it counted
WARM = ["loop-8/traffic.flow", "loop-9/traffic.flow"]


class Line(NamedTuple):
    """One line of the ledger; ``outcome`` is ok, fail (nobody took it) or unknown (the answer was never read)."""

    reading: Reading
    outcome: str


class Load:
    """Posts small batches for as long as it is told, and keeps the ledger; what it has no answer for it sends again."""

    def __init__(self, base: Callable[[], str], begin: int) -> None:
        self._base = base
        self._begin = begin
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.posts = 0
        self.ledger: list[Line] = []

    def batch(self, n: int) -> tuple[list[Reading], Reading]:
        again = [
            Reading(self._begin + n * 7_000 + k, series, round(500 + (n * 31 + k * 17) % 997 / 7, 4))
            for k, series in enumerate(SHARED)
        ]
        again += [
            Reading(self._begin - 20 * DAY_MS + n * 7_000 + k, series, round(50 + (n * 13 + k * 5) % 401 / 3, 4))
            for k, series in enumerate(HISTORY)
        ]
        return again, Reading(self._begin + n * 60_000, ALONE, 20 + n % 50 + n / 1_000)

    def _run(self) -> None:
        while not self._stop.is_set():
            again, once = self.batch(self.posts)
            accepted = self._send([*again, once]) == "ok"
            while not accepted:
                time.sleep(0.05)
                accepted = self._send(again) == "ok"
            self.posts += 1

    def _send(self, readings: list[Reading]) -> str:
        try:
            answer = post(self._base(), [r.json() for r in readings])
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            refused = isinstance(getattr(error, "reason", None), ConnectionRefusedError)
            outcome = "fail" if refused else "unknown"
        else:
            # All readings are good: 503 while it stops is the only other answer.
            assert answer.status in (202, 503), answer
            outcome = "ok" if answer.status == 202 else "fail"
            assert outcome == "fail" or answer.json() == {"accepted": len(readings), "rejected": [], "held": 0}
        self.ledger += [Line(reading, outcome) for reading in readings]
        return outcome

    def wait_for(self, posts: int) -> None:
        target = self.posts + posts
        until(lambda: self.posts >= target or not self._thread.is_alive(), f"{posts} more posts")
        assert self._thread.is_alive()

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.mark.timeout(400)
def test_killed_three_times_under_load(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    names = [*SHARED, *HISTORY, *WARM, ALONE]
    areas = {**dict.fromkeys(SHARED, "ring"), **dict.fromkeys(HISTORY, "substation"), **dict.fromkeys(WARM, "bridge")}
    sensors = sensors_table(
        tmp_path / "sensors.csv", [(name.partition("/")[0], areas.get(name, "park"), 60) for name in names]
    )
    words = ("serve", "--port", "0", "--data-dir", tmp_path / "data", "--sensors", sensors)
    more = ("--lateness-s", "1", "--horizon-s", 2 * 86_400, "--checkpoint-s", "1.5")

    def start() -> Running:
        return Running(tmp_path, *words, *more)

    running = start()
    base = running.ready()
    begin = (int(time.time()) // 60) * 60_000 - DAY_MS
    learned = past(WARM, begin - 9 * DAY_MS, SEED, shifted=WARM[0])
    accept(base, [r.json() for r in learned])
    alert = until(lambda: get(base + "/v1/alerts")["data"], "the shift has raised an alert")[-1]
    answer = call(
        f"{base}/v1/alerts/{alert['id']}/actions",
        b'{"action":"acknowledge","reason":"seen by the test","by":"tester"}',
        {"Content-Type": "application/json"},
    )
    assert answer.status == 200
    until(lambda: _settled(base, learned), "the past is stored")
    before = {item["id"]: item for item in get(base + "/v1/alerts")["data"]}
    assert before[alert["id"]]["state"] in ("acknowledged", "closed")

    address = [base]
    with Load(lambda: address[0], begin) as load:
        for kill in range(KILLS):
            load.wait_for(posts=rng.randrange(20, 120))
            time.sleep(rng.uniform(0, 1.5))
            running.kill()
            dead_at = time.monotonic()
            running = start()
            address[0] = running.address()
            running.ready(address[0])
            print(f"kill {kill + 1}: ready again after {time.monotonic() - dead_at:.1f} s")
        load.wait_for(posts=50)
    base = address[0]
    ledger = load.ledger
    print(f"{load.posts} posts, {sum(line.outcome == 'unknown' for line in ledger)} readings without an answer")

    must = [line.reading for line in ledger if line.reading.series != ALONE] + learned
    until(lambda: _settled(base, must), "everything acknowledged is stored")
    for window_s in (60, 900, 3_600):
        for series, wanted in windows(must, window_s).items():
            # A window at the end of the recorded past is still open, or has closed already: both are right.
            rows = [r for r in _rows(base, series, window_s) if r["window_start"] in wanted or series not in HISTORY]
            last = max(wanted)
            assert [d for d in differences(rows, wanted) if d != f"{last} is not stored"] == [], (series, window_s)
    _alone_counts_once(base, ledger)

    after = {item["id"]: item for item in get(base + "/v1/alerts?limit=1000")["data"]}
    assert set(before) <= set(after)
    kept = after[alert["id"]]
    assert [(a["action"], a["reason"], a["by"]) for a in kept["actions"]] == [
        ("acknowledge", "seen by the test", "tester")
    ]
    assert {**kept, "revision": 0} == {**before[alert["id"]], "revision": 0}
    assert get(f"{base}/v1/alerts/{alert['id']}")["data"] == kept

    told = time.monotonic()
    assert running.interrupt() == 0
    took = time.monotonic() - told
    print(f"ended after {took:.1f} s")
    assert took < 5, "Ctrl-C ends it within 5 s"


def _rows(base: str, series: str, window_s: int) -> list[dict[str, Any]]:
    answer = call(f"{base}/v1/series/{series}")
    if answer.status == 404:
        return []
    return all_pages(base, f"/v1/series/{series}/aggregates?window={window_s}&start=2000-01-01T00:00:00Z&limit=10000")


def _settled(base: str, readings: list[Reading]) -> bool:
    return all(not differences(_rows(base, s, 60), wanted) for s, wanted in windows(readings, 60).items())


def _alone_counts_once(base: str, ledger: list[Line]) -> None:
    """What was acknowledged is there, what nobody acknowledged may be there; each once and with its value."""
    lines = {rfc(line.reading.ms): line for line in ledger if line.reading.series == ALONE}
    stored = {row["window_start"]: row for row in _rows(base, ALONE, 60)}
    assert set(stored) <= set(lines)
    lost = [start for start, line in lines.items() if line.outcome == "ok" and start not in stored]
    assert lost == []
    for start, row in stored.items():
        assert (row["count"], row["last"], row["revision"]) == (1, lines[start].reading.value, 1), row
    assert not [start for start, line in lines.items() if line.outcome == "fail" and start in stored]
    unknown = {start for start, line in lines.items() if line.outcome == "unknown"}
    print(
        f"{len(stored)} single readings stored; {len(unknown)} without an answer, {len(unknown & set(stored))} stored"
    )
