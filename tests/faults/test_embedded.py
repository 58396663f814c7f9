"""Faults of the system in one process: killed under load, and on disks that are full.

``BOROUGH_TEST_SEED`` gives another seed, ``BOROUGH_FAULTS=nightly`` the numbers of the night.
"""

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.tables_in import read_sensors
from domain.codec import encode_frame
from domain.messages import Alert
from domain.readings import Frame, Readings
from domain.sensors import SensorRegister
from domain.topics import READINGS_TRAFFIC, partition_of
from models.registry import DEFAULT
from service.ledger import aside_of, check, read_ledger
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.driver import Driver
from streams.setup import Setup
from tests.faults.counts import COUNTS, NIGHTLY, SEED
from tests.faults.disk import SmallDisk
from tests.faults.ledger import Ledger, Load, Stream, post
from tests.faults.recovery import MINUTE_MS, PATIENCE_S, back
from tests.faults.report import record
from tests.system.past import DAY_MS, past
from tests.system.program import Running, all_pages, borough, call, get, query, sensors_table
from tests.system.recomputed import Reading

LATENESS_S, HORIZON_S = 1, 25 * 86_400
AREAS = {"road-a": "ring", "road-b": "ring", "park-a": "park", "grid-a": "grid", "old-a": "museum"}
BRIDGE = ["bridge-a/traffic.flow", "bridge-b/traffic.flow"]
pytestmark = pytest.mark.timeout(14_400 if NIGHTLY else 1_200)


class House:
    """One ``serve`` on one folder, again and again."""

    def __init__(self, folder: Path, disk: SmallDisk | None = None) -> None:
        self.folder, self.disk = folder, disk
        areas = {**AREAS, "bridge-a": "bridge", "bridge-b": "bridge"}
        self.sensors = sensors_table(folder / "sensors.csv", [(name, area, 60.0) for name, area in areas.items()])
        self.ledger = Ledger(folder / "ledger.csv")
        self.base = ""
        begin = int(time.time()) // 60 * MINUTE_MS - 20 * DAY_MS
        self.streams = [
            Stream("road-a/traffic.flow", begin, 7_000),
            Stream("park-a/air.no2", begin, 7_000),
            Stream("grid-a/energy.active_power", begin, 7_000),
        ]
        self.old = Stream("old-a/traffic.flow", begin - 60 * DAY_MS, 7_000)  # in a time of its own
        self.once = [Stream("road-b/traffic.flow", begin, MINUTE_MS)]

    def start(self) -> Running:
        words = ("serve", "--port", "0", "--data-dir", self.folder / "data", "--sensors", self.sensors)
        more = ("--lateness-s", LATENESS_S, "--horizon-s", HORIZON_S, "--checkpoint-s", "1.5")
        before = self.disk.before if self.disk else ()
        running = Running(self.folder, *words, *more, before=before)
        self.base = running.ready()
        return running

    def load(self, recorded: Sequence[Reading] = (), per_s: float = 5.0) -> Load:
        streams = [*self.streams, self.old]
        return Load(lambda: self.base, self.ledger, streams, self.once, SEED, recorded, per_s)

    def back(self, load: Load, since: float) -> float:
        return back(load, self.base, self.streams, since)

    def wrong(self) -> list[str]:
        lines = read_ledger(self.ledger.path)
        stored = {name: query(name, 60, "--api-url", self.base) for name in sorted({line.series for line in lines})}
        aside = aside_of(all_pages(self.base, "/v1/quarantine?limit=1000"))
        return check(lines, stored, aside, 60)

    def settle(self) -> None:
        """Wait until the ledger holds."""
        print(f"seed {SEED}: readings {self.ledger.outcomes}")
        deadline = time.monotonic() + PATIENCE_S
        while wrong := self.wrong():
            assert time.monotonic() < deadline, (len(wrong), wrong[:10])
            time.sleep(1)


def alerts_of_a_run_without_faults(house: House, recorded: Sequence[Reading]) -> dict[str, Alert]:
    """The recording through the core in memory."""
    patience = Patience(LATENESS_S * 1_000, HORIZON_S * 1_000)
    driver = Driver(Setup(SensorRegister(read_sensors(house.sensors)), patience, DEFAULT))
    desk = DeskInMemory()
    for seq, at in enumerate(range(0, len(recorded), 12), start=1):
        rows = [(r.series, r.ms, r.value) for r in recorded[at : at + 12]]
        frame = encode_frame(Frame("memory", seq, "bridge", Readings.of(rows)))
        desk.follow(driver.apply(READINGS_TRAFFIC, partition_of("bridge"), frame))
    return desk.alerts


def of_bridge(house: House) -> dict[str, dict[str, Any]]:
    found = all_pages(house.base, "/v1/alerts?limit=1000")
    return {item["id"]: item for item in found if item["area"] == "bridge" and item["kind"] != "silence"}


def acknowledged(house: House) -> str:
    """The alert that an operator has just answered."""
    alert = next(iter(of_bridge(house)))
    action = b'{"action":"acknowledge","reason":"seen by the test","by":"tester"}'
    answer = call(f"{house.base}/v1/alerts/{alert}/actions", action, {"Content-Type": "application/json"})
    assert answer.status == 200, answer.body
    return alert


def test_killed_again_and_again(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    house = House(tmp_path)
    recorded = past(BRIDGE, int(time.time()) // 86_400 * DAY_MS - 60 * DAY_MS, SEED, shifted=BRIDGE[0])
    recovered = []
    running = house.start()
    try:
        with house.load(recorded) as load:
            for _ in range(COUNTS["kill embedded"].times):
                load.wait_for(rng.randrange(5, 30))
                time.sleep(rng.uniform(0, 1.5))
                running.kill()
                dead_at = time.monotonic()
                running = house.start()
                recovered.append(house.back(load, dead_at))
            while load.playing:
                load.wait_for(1)
        record("kill embedded", recovered, posts=load.posts, ledger=house.ledger.outcomes)
        house.settle()
        alert = acknowledged(house)
        running.kill()  # right behind the answer
        running = house.start()
        assert get(f"{house.base}/v1/alerts/{alert}")["data"]["state"] in ("acknowledged", "closed")
        house.settle()
        ran = borough("verify-ledger", house.ledger.path, "--api-url", house.base)
        assert ran.returncode == 0, ran.stdout
        wanted = alerts_of_a_run_without_faults(house, recorded)
        assert [alert for alert in wanted.values() if alert.kind == "anomaly"]
        assert set(of_bridge(house)) == {alert.id for alert in wanted.values() if alert.kind != "silence"}
        assert running.interrupt() == 0
    finally:
        house.ledger.close()
        running.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("what", "folder", "megabytes", "left_bytes"),
    [
        ("outbox", "data", 96, 20 << 20),  # the outbox keeps a reserve: only it is out of room
        ("store", "data", 96, 0),  # nothing at all can be written
        ("checkpoint", "data/checkpoints", 4, 0),  # on a disk of its own: readings are taken all the while
    ],
)
def test_a_full_disk(tmp_path: Path, what: str, folder: str, megabytes: int, left_bytes: int) -> None:
    """What cannot be kept is refused, never acknowledged; when there is room again all goes on."""
    fault = f"disk full: {what}"
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    disk = SmallDisk(tmp_path / folder, megabytes)
    house = House(tmp_path, disk)
    recovered = []
    running = house.start()
    try:
        with house.load(per_s=5.0) as load:
            for _ in range(COUNTS[fault].times):
                load.wait_for(rng.randrange(5, 15))
                with disk.full(running, left_bytes):
                    answers = refused_and_taken(house, rng.uniform(3, 6))
                    print(f"{what} full (tmpfs {disk.real}): {answers}")
                    if what == "checkpoint" and disk.real:
                        assert answers["ok"], "the outbox has room: readings are taken"
                    else:
                        assert answers["fail"], "there is no room: readings are refused"
                        assert answers["ok"] <= 1, "the first may have been under way"
                recovered.append(house.back(load, time.monotonic()))
        record(fault, recovered, posts=load.posts, ledger=house.ledger.outcomes, tmpfs=disk.real)
        house.settle()
        running.check_alive()
        if not disk.real:  # the folder is still there after the program
            running.kill()
            running = house.start()
            house.settle()
        assert running.interrupt() == 0
    finally:
        house.ledger.close()
        running.__exit__(None, None, None)


def refused_and_taken(house: House, seconds: float) -> dict[str, int]:
    """Post single readings of a series of their own for a while; how often they were taken and refused."""
    before = dict.fromkeys(("ok", "fail", "unknown"), 0)
    deadline = time.monotonic() + seconds
    begin = int(time.time() * 1_000) - 10 * DAY_MS
    while time.monotonic() < deadline:
        one = [Reading(begin + sum(before.values()) * 1_000, "road-b/traffic.speed", 50.0)]
        outcome = post(house.base, one, 15)
        house.ledger.write(one, outcome)
        before[outcome] += 1
        time.sleep(0.2)
    return before
