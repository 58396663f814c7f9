"""A scenario played: the same bytes however it is cut; transport faults act; memory does not hold it all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.times import HOUR_MS, MINUTE_MS, SECOND_MS
from simulator.scenario import Scenario, read
from simulator.scenario_run import STRETCH_MS, Digest, Play, lines
from simulator.transport import Arrivals

EVENTS = """
title: Short
teaches: in a test
days: 0.125
size: 24
events:
  - {kind: crash, target: loop-003, at: day 1 00:40, for: 20 min}
  - {kind: stuck, target: air-001, at: day 1 01:00, for: 40 min}
"""
LATE = """
  - {kind: late, target: AREA, at: day 1 00:30, for: 60 min, strength: 300000}
  - {kind: duplicate, target: AREA, at: day 1 01:40, for: 30 min, strength: 60000}
  - {kind: lost, target: OTHER, at: day 1 01:00, for: 60 min, strength: 0.5}
  - {kind: corrupt, target: THIRD, at: day 1 01:00, for: 60 min, strength: 0.5}
"""


def scenario(folder: Path, text: str) -> Scenario:
    path = folder / "short.yaml"
    path.write_text(text)
    return read(path, "short.yaml")


@pytest.fixture
def plain(tmp_path: Path) -> Play:
    return Play.of(scenario(tmp_path, EVENTS), 7)


@pytest.fixture
def troubled(tmp_path: Path, plain: Play) -> Play:
    areas = plain.town.areas
    text = LATE.replace("AREA", areas[0]).replace("OTHER", areas[-1]).replace("THIRD", areas[len(areas) // 2])
    return Play.of(scenario(tmp_path, EVENTS + text.lstrip("\n")), 7)


def table(play: Play, step_ms: int) -> str:
    return "".join(line for _, due in play.steps(play.stretches(), step_ms) for line in lines(due))


def test_the_same_bytes_at_any_step_and_when_played_again(troubled: Play) -> None:
    whole = table(troubled, STRETCH_MS)
    assert whole == table(troubled, 7 * SECOND_MS) == table(Play.of(troubled.scenario, 7), 10 * MINUTE_MS)
    assert whole != table(Play.of(troubled.scenario, 8), STRETCH_MS)


def test_the_digest_is_that_of_the_table(troubled: Play, tmp_path: Path) -> None:
    from hashlib import sha256

    digest = Digest()
    rows = b"".join(digest.take(due) for _, due in troubled.steps(troubled.stretches(), MINUTE_MS))
    assert str(digest) == sha256(b"time,series,value\n" + rows).hexdigest()
    assert digest.readings == rows.count(b"Z,")


def test_stretches_may_be_computed_in_any_order(troubled: Play) -> None:
    """As several processes do: none depends on what was computed before."""
    backwards = {start: Play.of(troubled.scenario, 7).stretch(start) for start in reversed(troubled.starts)}
    ordered = [backwards[start] for start in troubled.starts]
    assert "".join(x for _, due in troubled.steps(ordered, HOUR_MS) for x in lines(due)) == table(troubled, HOUR_MS)


def test_without_transport_faults_the_table_is_in_order_of_time(plain: Play) -> None:
    times = [line.partition(",")[0] for line in table(plain, STRETCH_MS).splitlines()]
    assert times == sorted(times)
    assert len(times) == len(plain.city.readings(plain.scenario.start_ms, plain.scenario.end_ms, plain.script))


def test_transport_faults_act_on_the_order_and_on_what_is_there(plain: Play, troubled: Play) -> None:
    before, after = table(plain, STRETCH_MS).splitlines(), table(troubled, STRETCH_MS).splitlines()
    spoilt = [line for line in after if line.startswith("unreadable,")]
    assert len(spoilt) > 10
    assert len(set(before) - set(after)) > len(spoilt)  # lost ones are missing
    assert len(after) - len(spoilt) > len(set(after)) - len(spoilt)  # doubled ones stand twice
    assert set(after) - set(spoilt) <= set(before)  # nothing is invented
    times = [line.partition(",")[0] for line in after if not line.startswith("unreadable,")]
    assert times != sorted(times)


def test_what_arrives_after_the_end_is_not_forgotten(tmp_path: Path) -> None:
    text = EVENTS + "  - {kind: burst, target: ring-north, at: day 1 02:50, for: 10 min}\n"
    play = Play.of(scenario(tmp_path, text), 7)
    counted = sum(len(due.readings) for _, due in play.steps(play.stretches(), MINUTE_MS))
    assert counted == len(play.city.readings(play.scenario.start_ms, play.scenario.end_ms, play.script))


def test_memory_does_not_grow_with_the_scenario(plain: Play) -> None:
    """Each stretch has been handed on before the next is computed."""
    held: list[int] = []
    handed = 0

    def watched() -> Iterator[Arrivals]:
        nonlocal handed
        for made, start in enumerate(plain.starts):
            held.append(made - handed)
            yield plain.stretch(start)

    for now, _ in plain.steps(watched(), STRETCH_MS):
        handed = (now - plain.scenario.start_ms) // STRETCH_MS
    assert max(held) <= 1


def test_a_longer_scenario_begins_with_the_same_readings(plain: Play) -> None:
    longer = Play.of(replace(plain.scenario, days=0.25), 7)
    first, second = plain.stretch(plain.scenario.start_ms), longer.stretch(plain.scenario.start_ms)
    assert np.array_equal(first.readings.x, second.readings.x, equal_nan=True)
