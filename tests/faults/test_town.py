"""Faults in a distributed run on a real Kafka and a real InfluxDB, one after another, under load: nothing is lost,
nothing is doubled, and the alerts are those of a run without faults.

The town and the load go on through all tests of this file; the last ones hold the ledger against what is stored.
``BOROUGH_TEST_SEED`` gives another seed, ``BOROUGH_FAULTS=nightly`` the numbers of the night.
"""

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from confluent_kafka import Producer

from connectors.tables_in import read_sensors
from domain.sensors import SensorRegister
from models.registry import DEFAULT
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.driver import Driver
from streams.setup import Setup
from tests.faults.counts import COUNTS, CUT_S, JOIN_EVERY_S, NIGHTLY, SEED
from tests.faults.ledger import Load
from tests.faults.recovery import PATIENCE_S
from tests.faults.report import record
from tests.faults.town import GROUPS, HORIZON_S, LATENESS_S, Town
from tests.native import tools
from tests.system.log import TOPICS, messages
from tests.system.past import DAY_MS
from tests.system.program import Running, borough
from tests.system.recomputed import Reading

SESSION_S = 6.0  # of the workers' group
pytestmark = pytest.mark.timeout(14_400 if NIGHTLY else 1_200)


@pytest.fixture(scope="module")
def rng() -> random.Random:
    print(f"seed {SEED}")
    return random.Random(SEED)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    try:
        town = Town(tmp_path_factory.mktemp("town"), SEED)
    except tools.Missing as error:
        pytest.skip(f"needs Kafka and InfluxDB: {error}")
    with town:
        town.start_all()
        yield town


@pytest.fixture(scope="module")
def load(town: Town) -> Iterator[Load]:
    with town.load() as load:
        load.wait_for(3)
        town.back(load, time.monotonic())
        yield load


def tried(fault: str, town: Town, load: Load, once: Callable[[int], object]) -> None:
    """Do it as often as planned, each time wait until all that was accepted is counted, and report."""
    print(f"seed {SEED}")
    recovered = []
    before = load.posts
    for n in range(COUNTS[fault].times):
        once(n)
        recovered.append(town.back(load, time.monotonic()))
    for name, running in town.running.items():
        if not name.startswith("worker"):
            running.check_alive()
    record(fault, recovered, posts=load.posts - before, ledger=dict(town.ledger.outcomes))


def some_worker(town: Town, rng: random.Random) -> Running:
    return town.running[rng.choice(town.workers_alive())]


def during(rng: random.Random, fault: AbstractContextManager[None]) -> None:
    with fault:
        time.sleep(rng.uniform(*CUT_S))


def test_kill_a_worker(town: Town, load: Load, rng: random.Random) -> None:
    def once(_: int) -> None:
        time.sleep(rng.uniform(0, 1.5))
        some_worker(town, rng).kill()
        town.start_worker()

    tried("kill worker", town, load, once)


def test_kill_the_broker(town: Town, load: Load, rng: random.Random) -> None:
    def once(_: int) -> None:
        town.kafka.kill()
        time.sleep(rng.uniform(*CUT_S))
        load.wait_for(2)  # the gateway takes readings all the while
        town.kafka.start()

    tried("kill broker", town, load, once)


def test_kill_the_store(town: Town, load: Load, rng: random.Random) -> None:
    def once(_: int) -> None:
        town.influx.kill()
        time.sleep(rng.uniform(*CUT_S))
        town.influx.start()

    tried("kill store", town, load, once)


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_the_store_says_no(town: Town, load: Load, rng: random.Random, status: str) -> None:
    fault = f"store answers {status[:3]}"
    tried(fault, town, load, lambda _: during(rng, town.to_store["store"].answering(status, "Retry-After: 1\r\n")))


def test_the_store_hangs(town: Town, load: Load, rng: random.Random) -> None:
    tried("store hangs", town, load, lambda _: during(rng, town.to_store["store"].cut()))


def test_half_open_connections_to_the_store(town: Town, load: Load) -> None:
    def once(_: int) -> None:
        town.to_store["store"].half_open()
        town.to_store["web"].half_open()

    tried("store half-open", town, load, once)


def test_the_network_between_each_pair(town: Town, load: Load, rng: random.Random) -> None:
    """Cut, slow and torn between each part and Kafka, and between the two that use it and InfluxDB."""
    ways = [*town.kafka.proxies.values(), *town.to_store.values()]

    def once(n: int) -> None:
        kinds: list[Callable[[Any], AbstractContextManager[None]]] = [
            lambda way: way.cut(), lambda way: way.delayed(2.0), lambda way: way.resets(0.01),
            lambda way: way.refusing(),
        ]  # fmt: skip
        for k, way in enumerate(ways):  # every pair each time, the kinds in turn
            during(rng, kinds[(n + k) % len(kinds)](way))

    tried("cut", town, load, once)


def test_a_worker_is_paused_past_its_session(town: Town, load: Load, rng: random.Random) -> None:
    def once(_: int) -> None:
        worker = some_worker(town, rng)
        worker.process.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S + rng.uniform(3, 6))
        worker.process.send_signal(signal.SIGCONT)

    tried("pause worker", town, load, once)


def test_workers_join_and_leave(town: Town, load: Load, rng: random.Random) -> None:
    """By turns one more starts, and one is stopped or killed; no partition stands still for long."""
    moved: dict[tuple[str, int], tuple[int, float]] = {}
    idle: dict[tuple[str, int], float] = {}

    def watch(seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for place, (committed, _) in town.lags("borough-analyse").items():
                now = time.monotonic()
                last, since = moved.setdefault(place, (committed, now))
                if committed != last:
                    moved[place] = committed, now
                idle[place] = max(idle.get(place, 0.0), now - since)
            time.sleep(0.5)

    def once(n: int) -> None:
        if n % 2 == 0:
            town.start_worker()
        else:
            leaver = some_worker(town, rng)
            if rng.random() < 0.5:
                leaver.kill()
            else:
                assert leaver.interrupt() == 0
        watch(JOIN_EVERY_S)

    tried("join and leave", town, load, once)
    worst = max(idle.values())
    print(f"no partition stood still longer than {worst:.1f} s")
    record("join and leave", [worst], figure="longest time in which a partition committed nothing")
    assert len(idle) == 12
    assert worst < 4 * float(COUNTS["join and leave"].bound_s or 0)


def test_out_of_order_within_the_horizon_and_beyond(town: Town, load: Load, rng: random.Random) -> None:
    """Within it everything counts, beyond it everything is late, whatever the order: to the last reading."""
    frontier = int(time.time() * 1_000) - 60_000
    late: dict[str, int] = {}
    for n in range(COUNTS["out of order"].times):
        series = f"late-{n}/traffic.flow"
        within = {frontier - rng.randrange(1, HORIZON_S * 1_000 - 60_000) for _ in range(60)}
        beyond = {frontier - HORIZON_S * 1_000 - rng.randrange(1, 10 * DAY_MS) for _ in range(40)}
        late[series] = len(beyond)
        rest = [Reading(ms, series, round(rng.gauss(400, 90), 4)) for ms in within | beyond]
        rng.shuffle(rest)
        for part in ([Reading(frontier, series, 400.0)], *(rest[at : at + 9] for at in range(0, len(rest), 9))):
            town.send(part)

    def told() -> dict[str, int]:
        aside = [item for item in town.quarantine() if item["reason"].startswith("too late")]
        return {name: sum(item["series"] == name for item in aside) for name in late}

    began = time.monotonic()
    while (found := told()) != late:
        assert time.monotonic() < began + PATIENCE_S, (found, late)
        time.sleep(1)
    record("out of order", [time.monotonic() - began], len(late), late=sum(late.values()))


def test_the_ledger_holds(town: Town, load: Load) -> None:
    """Everything accepted is counted exactly once."""
    while load.playing:
        load.wait_for(1)
    load.__exit__(None, None, None)
    print(f"seed {SEED}: {load.posts} posts, readings {town.ledger.outcomes}")
    town.settle()
    verified = town.verified()
    assert verified.returncode == 0, verified.stdout
    print(verified.stderr)


def test_every_group_has_committed_the_end(town: Town, load: Load) -> None:
    assert town.running["gateway"].interrupt() == 0  # no more ticks
    for group in GROUPS:
        town.drained(group)
    assert town.wrong() == []


def test_the_alerts_are_those_of_a_run_without_faults(town: Town, load: Load) -> None:
    """The log that was written, once through the core in memory: the same alerts, and no others."""
    patience = Patience(LATENESS_S * 1_000, HORIZON_S * 1_000)
    driver = Driver(Setup(SensorRegister(read_sensors(town.sensors)), patience, DEFAULT))
    desk = DeskInMemory()
    for (topic, place), lane in messages(town.kafka.address, list(TOPICS.values())).items():
        for raw in lane:
            desk.follow(driver.apply(topic, place, raw))
    alerts = desk.alerts
    assert [alert for alert in alerts.values() if alert.area == "bridge" and alert.kind == "anomaly"]
    told = town.settled_alerts(set(alerts))
    print(f"{len(alerts)} alerts")
    assert set(told) == set(alerts)
    for alert in alerts.values():
        found = told[alert.id]
        assert (found["kind"], found["place"], found["series"]) == (alert.kind, alert.place, alert.series)
        assert (found["cleared"] is None) == (alert.cleared is None)


def test_the_result_topics_are_those_of_a_replay(town: Town, load: Load) -> None:
    """``borough verify-replay`` on Kafka: the log in memory against what the parts have published."""
    env = {**town.environment("web"), **town.straight()}
    ran = borough("verify-replay", "--json", env=env, timeout_s=PATIENCE_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)["data"]
    assert told["messages"] > 1_000
    for topic in ("aggregates", "findings", "quarantine", "alerts"):
        assert told["counts"][topic] > 0, topic
        assert set(told["hashes"][topic]) == {"in memory", "topics"}


def test_what_comes_again_changes_not_a_byte(town: Town, rng: random.Random) -> None:
    """Frames up to 100 times, then the whole topic once more: windows and their revisions stay as they are."""
    before = {window_s: town.queried(window_s) for window_s in (60, 900, 3_600)}
    assert before[60].count("\n") > 100
    producer = Producer({"bootstrap.servers": town.kafka.address, "acks": "all", "enable.idempotence": True})
    for n in range(COUNTS["duplicates"].times):
        again = []
        for (topic, place), lane in messages(town.kafka.address, list(TOPICS.values())).items():
            frames = [raw for raw in lane if b'"tick"' not in raw]
            if n % 2 == 0:
                chosen = rng.sample(frames, min(20, len(frames)))
                again += [(topic, place, raw) for raw in chosen for _ in range(rng.randrange(1, 101))]
            else:
                again += [(topic, place, raw) for raw in lane]
        for topic, place, raw in again:
            producer.produce(topic, raw, partition=place)
            producer.poll(0)
        assert producer.flush(60) == 0
        began = time.monotonic()
        town.caught_up("borough-analyse")
        town.caught_up("borough-store")
        record("duplicates", [time.monotonic() - began], messages=len(again), of="topic" if n % 2 else "frames")
        assert {window_s: town.queried(window_s) for window_s in before} == before
