import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gateway import Gateway, GatewayLimits, Receipt
from connectors.held import HeldReadings
from connectors.intake import parse_body
from connectors.intake_columns import Intake, every
from connectors.outbox import SqliteOutbox
from domain.codec import decode
from domain.errors import Full, Unavailable
from domain.ports import Entry, Outbox
from domain.readings import Frame, Readings, Tick
from domain.sensors import OpenRegister, Sensor, SensorRegister
from domain.times import DAY_MS, format_time
from domain.topics import PARTITIONS, READINGS, partition_of

NOW = 1_772_431_200_000
Triple = tuple[str, int, float]
KNOWN = [Sensor("loop-1", "ring"), Sensor("loop-2", "ring"), Sensor("air-1", "park"), Sensor("meter-1", "station")]


class House:
    """A gateway on files of its own."""

    def __init__(
        self,
        folder: Path,
        register: SensorRegister | None = None,
        limits: GatewayLimits | None = None,
        bytes_max: int = 1 << 24,
        held_max: int = 1_000,
    ) -> None:
        self.outbox = SqliteOutbox(folder / "outbox.sqlite", bytes_max)
        self.held = HeldReadings(folder / "held.sqlite", held_max, sensor_readings_max=max(held_max // 2, 1))
        self.woken = 0
        self.gateway = Gateway(
            self.outbox.name,
            self.outbox,
            register if register is not None else SensorRegister(KNOWN),
            self.held,
            lambda: NOW,
            limits,
            self._wake,
        )

    def _wake(self) -> None:
        self.woken += 1

    def close(self) -> None:
        self.outbox.close()
        self.held.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def intake(*rows: Triple) -> Intake:
    return Intake(Readings.of(rows), every(len(rows)))


def entries(outbox: Outbox) -> list[Entry]:
    return [
        e for topic in READINGS for partition in range(PARTITIONS) for e in outbox.read(topic, partition, -1, 10**6)
    ]


def frames(outbox: Outbox) -> list[tuple[Entry, Frame]]:
    decoded = [(entry, decode(entry.value)) for entry in entries(outbox)]
    return [(entry, frame) for entry, frame in decoded if isinstance(frame, Frame)]


def triples(readings: Readings) -> list[Triple]:
    rows = zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True)
    return [(readings.series[i], t, x) for i, t, x in rows]


def kept(outbox: Outbox) -> Counter[Triple]:
    return Counter(row for _, frame in frames(outbox) for row in triples(frame.readings))


async def test_readings_travel_in_frames_of_one_area_sorted_by_time(house: House) -> None:
    rows = [
        ("loop-1/traffic.speed", NOW - 1_000, 50.0),
        ("air-1/air.no2", NOW - 2_000, 40.0),
        ("loop-2/traffic.flow", NOW - 3_000, 900.0),
        ("loop-1/traffic.speed", NOW - 4_000, 51.0),
    ]
    receipt = await house.gateway.accept(intake(*rows))
    assert receipt == Receipt(4, [], 0)
    found = {entry.topic: (entry, frame) for entry, frame in frames(house.outbox)}
    assert set(found) == {"readings.traffic", "readings.air"}
    entry, frame = found["readings.traffic"]
    assert (frame.area, frame.gateway, frame.seq) == ("ring", house.gateway.name, entry.seq)
    assert (entry.key, entry.partition) == (b"ring", partition_of("ring"))
    assert triples(frame.readings) == [rows[3], rows[2], rows[0]]
    assert triples(found["readings.air"][1].readings) == [rows[1]]
    assert house.woken == 1


async def test_a_correction_in_one_request_keeps_its_place(house: House) -> None:
    rows = [("loop-1/traffic.speed", NOW, x) for x in (3.0, 1.0, 2.0)]
    await house.gateway.accept(intake(*rows))
    ((_, frame),) = frames(house.outbox)
    assert triples(frame.readings) == rows


async def test_frames_are_cut_at_the_limit_and_stay_small(tmp_path: Path) -> None:
    sensors = [Sensor("s" * 120 + f"{k:04d}", "ring") for k in range(2_500)]
    house = House(tmp_path, SensorRegister(sensors))
    rows = [(f"{sensor.sensor}/generic.{'q' * 60}", NOW - k, 1 / 3 + k) for k, sensor in enumerate(sensors)]
    receipt = await house.gateway.accept(intake(*rows))
    assert receipt.accepted == 2_500
    found = frames(house.outbox)
    assert [len(frame.readings) for _, frame in found] == [1_000, 1_000, 500]
    assert [frame.seq for _, frame in found] == [1, 2, 3]
    assert max(len(entry.value) for entry, _ in found) < 512 << 10
    assert kept(house.outbox) == Counter(rows)
    house.close()


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        (("loop-1/traffic.speed", NOW, 251.0), "value", ["km/h", "0", "250", "traffic.speed"]),
        (("air-1/air.no2", NOW, -11.0), "value", ["µg/m³", "-10", "2000"]),
        (("loop-1/traffic.occupancy", NOW, 42.0), "value", ["0 and 1"]),
        (("loop-1/traffic.speed", NOW + 300_001, 50.0), "time", ["future", "300 s"]),
        (("loop-1/traffic.speed", NOW - 3_650 * DAY_MS - 1, 50.0), "time", ["past", "3650 days", "replay"]),
        (("loop-1/traffic.speed", 10**17, 50.0), "time", ["future"]),
        (("nobody/traffic.speed", NOW, 50.0), "series", ["unknown sensor: held in quarantine", "--accept-unknown"]),
        (("nobody/traffic.speed", NOW, 500.0), "value", ["km/h"]),
    ],
)
async def test_what_can_be_judged_at_the_door_is_and_the_next_one_is_taken(
    house: House, row: Triple, field: str, words: list[str]
) -> None:
    good = ("loop-1/traffic.speed", NOW, 50.0)
    given_positions = Intake(Readings.of([good, row]), np.array([3, 8]))
    receipt = await house.gateway.accept(given_positions)
    assert receipt.accepted == 1
    (rejection,) = receipt.rejected
    assert (rejection.position, rejection.field) == (8, field)
    assert all(word in rejection.reason for word in words), rejection.reason
    again = ("loop-1/traffic.speed", NOW + 1, 50.0)
    assert (await house.gateway.accept(intake(again))).accepted == 1
    assert kept(house.outbox) == Counter([good, again])


async def test_the_limits_themselves_are_good(house: House) -> None:
    rows = [
        ("loop-1/traffic.speed", NOW + 300_000, 0.0),
        ("loop-1/traffic.speed", NOW - 3_650 * DAY_MS, 250.0),
        ("loop-1/generic.vibration", NOW, -1e9),
    ]
    assert await house.gateway.accept(intake(*rows)) == Receipt(3, [], 0)


async def test_rejections_of_all_kinds_come_in_the_order_of_the_request(house: House) -> None:
    items = [
        {"time": format_time(NOW), "series": "nobody/air.no2", "value": 1},
        {"time": format_time(NOW), "series": "air-1/air.no2", "value": None},
        {"time": format_time(NOW), "series": "air-1/air.no2", "value": 9999},
        {"time": format_time(NOW), "series": "air-1/air.no2", "value": 9},
        {"time": format_time(NOW), "series": "air-1/air.radium", "value": 9},
    ]
    receipt = await house.gateway.accept(parse_body(json.dumps(items).encode()))
    assert (receipt.accepted, receipt.held) == (1, 1)
    assert [(r.position, r.field) for r in receipt.rejected] == [
        (0, "series"),
        (1, "value"),
        (2, "value"),
        (4, "series"),
    ]


async def test_a_frame_from_elsewhere_may_hold_impossible_names(house: House) -> None:
    rows = [("no slash", NOW, 1.0), ("air-1/air.no2", NOW, 1.0)]
    receipt = await house.gateway.accept(intake(*rows))
    assert (receipt.accepted, [r.position for r in receipt.rejected]) == (1, [0])


async def test_history_has_no_past_and_a_name_of_its_own(house: House) -> None:
    old = ("air-1/air.no2", NOW - 9_000 * DAY_MS, 30.0)
    assert (await house.gateway.accept(intake(old))).accepted == 0
    assert (await house.gateway.accept_history(intake(old), "marylebone")).accepted == 1
    await house.gateway.tick_history(NOW - 8_999 * DAY_MS, "marylebone")
    ((_, frame),) = frames(house.outbox)
    assert frame.gateway == f"{house.gateway.name}.marylebone"
    ticks = [decode(e.value) for e in entries(house.outbox) if not e.key]
    assert {(t.gateway, t.time) for t in ticks if isinstance(t, Tick)} == {(frame.gateway, NOW - 8_999 * DAY_MS)}


async def test_unknown_sensors_are_held_listed_and_released_when_registered(tmp_path: Path) -> None:
    house = House(tmp_path)
    rows = [("new-1/air.no2", NOW - k, 10.0 + k) for k in range(3)] + [("new-2/traffic.flow", NOW, 100.0)]
    first = await house.gateway.accept(intake(*rows))
    again = await house.gateway.accept(intake(*rows))
    assert (first.accepted, first.held, again.held) == (0, 4, 4)
    assert entries(house.outbox) == []
    assert house.held.total() == 4
    listing = house.held.listing()
    assert [(row.sensor, row.series, row.readings, row.first, row.last) for row in listing] == [
        ("new-1", ["new-1/air.no2"], 3, NOW - 2, NOW),
        ("new-2", ["new-2/traffic.flow"], 1, NOW, NOW),
    ]
    assert await house.gateway.release() == 0
    house.close()
    later = House(tmp_path, SensorRegister([*KNOWN, Sensor("new-1", "park")]))
    assert later.held.total() == 4
    assert await later.gateway.release() == 3
    assert kept(later.outbox) == Counter(rows[:3])
    assert {frame.area for _, frame in frames(later.outbox)} == {"park"}
    assert (later.held.total(), later.held.sensors()) == (1, ["new-2"])
    assert await later.gateway.release() == 0
    later.close()


async def test_what_cannot_be_released_stays_held(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.gateway.accept(intake(*(("new-1/air.no2", NOW - k, 1.0) for k in range(100))))
    house.close()
    later = House(tmp_path, OpenRegister(), bytes_max=500)
    assert await later.gateway.release() == 0
    assert (later.held.total(), later.outbox.depth()) == (100, 0)
    later.close()


async def test_the_quarantine_for_unknown_sensors_is_bounded(tmp_path: Path) -> None:
    house = House(tmp_path, held_max=10)
    rows = [("new-1/air.no2", NOW - k, 1.0) for k in range(8)] + [("new-2/air.no2", NOW - k, 1.0) for k in range(9)]
    receipt = await house.gateway.accept(intake(*rows))
    assert (receipt.held, house.held.total()) == (10, 10)
    full = [r.position for r in receipt.rejected if "full" in r.reason]
    assert full == [5, 6, 7, 13, 14, 15, 16]
    house.close()


async def test_an_open_register_takes_every_sensor(tmp_path: Path) -> None:
    house = House(tmp_path, OpenRegister())
    assert await house.gateway.accept(intake(("any/air.no2", NOW, 1.0))) == Receipt(1, [], 0)
    ((_, frame),) = frames(house.outbox)
    assert frame.area == "any"
    house.close()


async def test_a_tick_goes_to_every_partition_behind_what_was_accepted(house: House) -> None:
    await house.gateway.accept(intake(("loop-1/traffic.speed", NOW, 50.0)))
    await house.gateway.tick(NOW)
    written = entries(house.outbox)
    ticks = [(e, decode(e.value)) for e in written if not e.key]
    assert {(e.topic, e.partition) for e, _ in ticks} == {(t, p) for t in READINGS for p in range(PARTITIONS)}
    assert all(tick == Tick(house.gateway.name, e.seq, NOW) for e, tick in ticks)
    lane = house.outbox.read("readings.traffic", partition_of("ring"), -1, 9)
    assert [(e.seq, e.key) for e in lane] == [(1, b"ring"), (2, b"")]


async def test_it_ticks_by_itself_until_cancelled(tmp_path: Path) -> None:
    house = House(tmp_path, limits=GatewayLimits(tick_s=0.01))
    running = asyncio.create_task(house.gateway.run())
    while house.outbox.depth() < 36:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await house.gateway.stop()
    house.close()


async def test_ticks_are_left_out_while_the_outbox_is_full(tmp_path: Path) -> None:
    house = House(tmp_path, limits=GatewayLimits(tick_s=0.01), bytes_max=500)
    running = asyncio.create_task(house.gateway.run())
    await asyncio.sleep(0.1)
    assert not running.done()
    assert house.outbox.depth() == 0
    running.cancel()
    await house.gateway.stop()
    house.close()


async def test_full_takes_nothing_says_so_and_takes_again_later(tmp_path: Path) -> None:
    house = House(tmp_path, bytes_max=2_000)
    small = [("loop-1/traffic.speed", NOW + k, 50.0) for k in range(3)]
    large = intake(*(("loop-1/traffic.speed", NOW - k, 50.0) for k in range(500)))
    assert (await house.gateway.accept(intake(small[0]))).accepted == 1
    with pytest.raises(Full, match="nothing was taken"):
        await house.gateway.accept(large)
    assert kept(house.outbox) == Counter(small[:1])
    assert (await house.gateway.accept(intake(small[1]))).accepted == 1
    assert [frame.seq for _, frame in frames(house.outbox)] == [1, 2]
    house.close()


async def test_too_much_waiting_in_memory_is_full_at_once(tmp_path: Path) -> None:
    house = House(tmp_path, limits=GatewayLimits(waiting_readings_max=10))
    requests = [
        house.gateway.accept(intake(*(("loop-1/traffic.speed", NOW + k * 10 + j, 1.0) for j in range(4))))
        for k in range(5)
    ]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    accepted = sum(answer.accepted for answer in answers if isinstance(answer, Receipt))
    assert sum(isinstance(answer, Full) for answer in answers) == 3
    assert sum(kept(house.outbox).values()) == accepted == 8
    house.close()


class BrokenOnce(SqliteOutbox):
    """Fails in a way that nobody foresaw, once."""

    broken = True

    def append(self, entries: Sequence[Entry]) -> None:
        if self.broken:
            self.broken = False
            raise RuntimeError("a bug")
        super().append(entries)


async def test_a_bug_in_the_outbox_stops_nobody(tmp_path: Path) -> None:
    outbox = BrokenOnce(tmp_path / "o.sqlite", 1 << 20)
    held = HeldReadings(tmp_path / "held.sqlite")
    gateway = Gateway(outbox.name, outbox, SensorRegister(KNOWN), held, lambda: NOW)
    row = ("loop-1/traffic.speed", NOW, 50.0)
    with pytest.raises(Unavailable):
        await gateway.accept(intake(row))
    assert (await gateway.accept(intake(row))).accepted == 1
    assert kept(outbox) == Counter([row])
    await gateway.stop()
    outbox.close()
    held.close()


async def test_stop_writes_what_waits_then_takes_nothing(house: House) -> None:
    waiting = [
        asyncio.create_task(house.gateway.accept(intake(("loop-1/traffic.speed", NOW + k, 1.0)))) for k in range(20)
    ]
    await asyncio.sleep(0)
    await house.gateway.stop()
    assert sum(receipt.accepted for receipt in await asyncio.gather(*waiting)) == 20
    assert sum(kept(house.outbox).values()) == 20
    with pytest.raises(Unavailable, match="stopping"):
        await house.gateway.accept(intake(("loop-1/traffic.speed", NOW, 1.0)))


async def test_a_client_that_goes_away_disturbs_nobody(house: House) -> None:
    rows = [("loop-1/traffic.speed", NOW + k, 1.0) for k in range(10)]
    tasks = [asyncio.create_task(house.gateway.accept(intake(row))) for row in rows]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(answer, "accepted", None) for answer in answers[1::2]] == [1] * 5
    found = kept(house.outbox)
    assert all(found[row] == 1 for row in rows[1::2])
    assert max(found.values()) == 1


SERIES = st.sampled_from(["loop-1/traffic.speed", "loop-2/traffic.flow", "air-1/air.no2", "meter-1/generic.x"])
REQUESTS = st.lists(st.tuples(st.lists(SERIES, max_size=6), st.integers(0, 3)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(REQUESTS, st.integers(1, 4))
def test_each_accepted_reading_is_in_the_frames_once_however_requests_interleave(
    requests: list[tuple[list[str], int]], frame_max: int
) -> None:
    async def run(folder: Path) -> None:
        house = House(folder, limits=GatewayLimits(frame_readings_max=frame_max))
        number = iter(range(10_000))
        sent: list[Triple] = []

        async def one(series: list[str], yields: int) -> None:
            rows = [(name, NOW - next(number), float(len(name))) for name in series]
            for _ in range(yields):
                await asyncio.sleep(0)
            receipt = await house.gateway.accept(intake(*rows))
            assert receipt == Receipt(len(rows), [], 0)
            sent.extend(rows)
            assert not Counter(rows) - kept(house.outbox)  # durable when answered

        await asyncio.gather(*(one(*request) for request in requests))
        await house.gateway.tick(NOW)
        assert kept(house.outbox) == Counter(sent)
        for topic in READINGS:
            for partition in range(PARTITIONS):
                lane = house.outbox.read(topic, partition, -1, 10**6)
                assert [e.seq for e in lane] == list(range(1, len(lane) + 1))
        for entry, frame in frames(house.outbox):
            assert entry.seq == frame.seq
            assert 0 < len(frame.readings) <= frame_max
            assert (np.diff(frame.readings.t) >= 0).all()
        await house.gateway.stop()
        house.close()

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_a_restart_goes_on_with_name_and_seq(tmp_path: Path) -> None:
    seen: list[int] = []
    names: set[str] = set()
    for start in range(3):
        house = House(tmp_path)
        await house.gateway.accept(intake(("air-1/air.no2", NOW + start, 1.0)))
        names.add(house.gateway.name)
        lane = house.outbox.read("readings.air", partition_of("park"), -1, 99)
        seen += [decode(e.value).seq for e in lane]  # type: ignore[union-attr]
        house.outbox.forget("readings.air", partition_of("park"), lane[-1].seq)
        await house.gateway.stop()
        house.close()
    assert seen == [1, 2, 3]
    assert len(names) == 3  # an old file put back gives out seqs again, but under another name
    assert len({name.rpartition(".")[0] for name in names}) == 1


_VICTIM = """
import asyncio, sys
from pathlib import Path
from connectors.gateway import Gateway
from connectors.held import HeldReadings
from connectors.intake_columns import Intake, every
from connectors.outbox import SqliteOutbox
from domain.readings import Readings
from domain.sensors import OpenRegister

NOW = 1_772_431_200_000

async def client(gateway, number):
    for k in range(100_000):
        rows = [(f"s-{number}/air.no2", NOW - (number * 100_000 + k) * 3 - j, float(j)) for j in range(3)]
        if (await gateway.accept(Intake(Readings.of(rows), every(3)))).accepted == 3:
            print(number, k, flush=True)

async def main():
    folder = Path(sys.argv[1])
    outbox = SqliteOutbox(folder / "outbox.sqlite", 1 << 30)
    held = HeldReadings(folder / "held.sqlite")
    gateway = Gateway(outbox.name, outbox, OpenRegister(), held, lambda: NOW)
    await asyncio.gather(*(client(gateway, number) for number in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("answers_before_the_kill", [1, 40, 400])
def test_after_kill_9_every_acknowledged_reading_is_in_the_outbox(tmp_path: Path, answers_before_the_kill: int) -> None:
    root = Path(__file__).parents[2]
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert victim.stdout is not None
    lines = [victim.stdout.readline() for _ in range(answers_before_the_kill)]
    victim.send_signal(signal.SIGKILL)
    lines += victim.stdout.read().splitlines(keepends=True)
    assert victim.wait() == -signal.SIGKILL
    acknowledged = [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]
    assert len(acknowledged) >= answers_before_the_kill
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite", 1 << 30)
    found = kept(outbox)
    for number, k in acknowledged:
        for j in range(3):
            assert found[f"s-{number}/air.no2", NOW - (number * 100_000 + k) * 3 - j, float(j)] == 1
    assert max(found.values()) == 1
    for topic in READINGS:
        for partition in range(PARTITIONS):
            lane = outbox.read(topic, partition, -1, 10**6)
            assert outbox.next_seq(topic, partition) == (lane[-1].seq + 1 if lane else 1)
    outbox.close()
