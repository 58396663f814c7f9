"""The publisher sends each reading once, when its time comes, at any speed."""

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import HOUR_MS, MINUTE_MS
from simulator.demo import demo_script
from simulator.energy_events import FeederFault
from simulator.plan import plan_town
from simulator.publisher import history, publish
from simulator.script import QUIET, FixedScript, LiveScript
from simulator.signals import City
from simulator.transport import USUAL_MS, Late

TOWN = plan_town(7)
START = 1_772_409_600_000 + 9 * HOUR_MS + 12_345


class FakeClock:
    """Time that passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def rows(readings: Readings) -> list[tuple[str, int, float]]:
    return [(readings.series[i], int(t), float(x)) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)]


@pytest.mark.parametrize("speed", [1.0, 60.0, 1_000.0])
async def test_sends_what_has_arrived_and_nothing_before(speed: float) -> None:
    clock, sent = FakeClock(), []
    until = START + int(150_000 * max(1.0, speed / 10))

    async def sink(readings: Readings) -> None:
        simulated = START + (clock.now - 1_000.0) * speed * 1_000
        assert readings.t.max() <= simulated
        sent.append((simulated, readings))

    city = City(TOWN, 7)
    await publish(city, QUIET, sink, start=START, speed=speed, until=until, clock=clock, sleep=clock.sleep)
    got = sorted(row for _, readings in sent for row in rows(readings))
    wanted = sorted(rows(city.readings(START, until)))
    missing = set(wanted) - set(got)
    assert len(got) == len(set(got))
    assert set(got) <= set(wanted)
    assert all(t > until - USUAL_MS for _, t, _ in missing)  # still under way at the end
    assert max(when - readings.t.min() for when, readings in sent) <= USUAL_MS + 1_100 * speed


async def test_late_readings_are_held_back_and_then_sent() -> None:
    clock, seen = FakeClock(), []
    script = FixedScript(feed=(Late("ring-north", START, START + 2 * MINUTE_MS, 3 * MINUTE_MS),))

    async def sink(readings: Readings) -> None:
        seen.append((START + (clock.now - 1_000.0) * 1_000, readings))

    city, until = City(TOWN, 7), START + 6 * MINUTE_MS
    await publish(city, script, sink, start=START, until=until, clock=clock, sleep=clock.sleep)
    delays = np.concatenate([when - readings.t for when, readings in seen])
    assert delays.max() > MINUTE_MS
    early = {row for _, readings in seen for row in rows(readings) if row[1] < START + 2 * MINUTE_MS}
    assert early == set(rows(city.readings(START, START + 2 * MINUTE_MS)))


def test_history_is_everything_once_in_steps() -> None:
    city, end = City(TOWN, 7), START + 2 * HOUR_MS + 5_000
    script = demo_script(TOWN, 7, end)
    chunks = list(history(city, script, START, end))
    assert [stop for stop, _ in chunks][-1] == end
    assert len(chunks) == 9
    got = [row for _, areas in chunks for readings in areas.values() for row in rows(readings)]
    assert sorted(got) == sorted(rows(city.readings(START, end, script)))


async def test_what_is_added_while_it_plays_shows_from_then_on() -> None:
    clock, sent = FakeClock(), []
    city, script = City(TOWN, 7), LiveScript(QUIET)
    begins = START + 90_000

    async def sink(readings: Readings) -> None:
        sent.extend(rows(readings))

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now - 1_000.0 == 90:
            script.add(FeederFault("substation-market", begins, begins + 10 * MINUTE_MS))

    await publish(
        city, script, sink, start=START, until=START + 4 * MINUTE_MS, revision=lambda: script.revision, clock=clock,
        sleep=sleep,
    )  # fmt: skip
    assert len(sent) == len(set(sent)) == len({(name, t) for name, t, _ in sent})
    wanted = {(name, t): x for name, t, x in rows(city.readings(START, START + 4 * MINUTE_MS, script))}
    assert all(wanted[name, t] == x for name, t, x in sent)
    quiet = {(name, t): x for name, t, x in rows(city.readings(START, START + 4 * MINUTE_MS))}
    changed = {t for name, t, x in sent if quiet[name, t] != x}
    assert begins <= min(changed) < begins + MINUTE_MS
