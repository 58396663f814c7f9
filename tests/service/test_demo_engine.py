"""The engine behind the demo's buttons: what begins is in the readings at once, in the truth, and in the score."""

from pathlib import Path

import pytest

from domain.errors import Rejected, Unavailable
from domain.messages import Alert, Why
from domain.times import MINUTE_MS, parse_time
from service.demo_engine import DemoEngine
from simulator.plan import plan_town
from simulator.script import QUIET, LiveScript
from simulator.signals import City
from tests.web.fakes import FakeAlertStore

NOW = 1_772_611_200_000  # Wednesday 4 March 2026, 08:00 UTC
TOWN = plan_town(7, 24)


class Stage:
    """An engine on a quiet town; ``now`` is simulated time."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.city, self.script, self.alerts = City(TOWN, 7), LiveScript(QUIET), FakeAlertStore()
        self.engine = DemoEngine(self.city, self.script, self.alerts, lambda: self.now, folder)
        self.engine.live_since(NOW)

    def says(self, kind: str, series: str, raised: int) -> None:
        why = Why("because", None, None, None, None, None, raised)
        alert = Alert("a1", kind, "high", "open", "x", "y", [series], raised, raised, None, 1.0, why)
        self.alerts.put([alert])


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_crash_begins_now_on_a_busy_loop_and_changes_the_readings(stage: Stage) -> None:
    label = await stage.engine.begin("crash", None)
    assert (label["cause"], parse_time(label["start"])) == ("world", NOW)
    assert label["target"].startswith("loop-")
    quiet, now = (
        {(r.series[i], t, x) for i, t, x in zip(r.i.tolist(), r.t.tolist(), r.x.tolist(), strict=True)}
        for r in (stage.city.readings(NOW, NOW + 10 * MINUTE_MS, script) for script in (QUIET, stage.script))
    )
    changed = {name for name, _, _ in quiet ^ now}
    assert f"{label['target']}/traffic.speed" in changed
    assert changed <= set(label["series"])
    assert stage.script.revision == 1


@pytest.mark.parametrize("kind", ["pollution-episode", "feeder-fault", "silent", "stuck", "late"])
async def test_anything_of_the_table_can_be_begun(kind: str, stage: Stage) -> None:
    label = await stage.engine.begin(kind, None)
    assert label["kind"] == kind
    assert label["series"]


async def test_two_of_a_kind_do_not_begin_at_one_place(stage: Stage) -> None:
    first = await stage.engine.begin("feeder-fault", None)
    stage.now += 1_000
    second = await stage.engine.begin("feeder-fault", None)
    assert first["target"] != second["target"]


@pytest.mark.parametrize(("first", "second"), [("silent", "silent"), ("silent", "noise"), ("burst-main", "crash")])
async def test_what_cannot_be_together_is_refused(first: str, second: str, stage: Stage) -> None:
    there = await stage.engine.begin(first, None)
    stage.now += MINUTE_MS
    with pytest.raises(Rejected, match=first) as error:
        await stage.engine.begin(second, there["target"])
    assert error.value.field == "target"
    assert stage.script.revision == 1
    stage.now = parse_time(there["end"])
    assert (await stage.engine.begin(second, there["target"]))["kind"] == second


async def test_the_score_card_says_what_happened_what_was_said_and_when(stage: Stage) -> None:
    label = await stage.engine.begin("crash", None)
    stage.now += 2 * MINUTE_MS
    (event,) = (await stage.engine.score())["events"]
    assert (event["kind"], event["alert"], event["delay_s"]) == ("crash", None, None)
    stage.says("anomaly", f"{label['target']}/traffic.speed", NOW + 90_000)
    told = await stage.engine.score()
    (event,) = told["events"]
    assert (event["alert"], event["said"], event["delay_s"], event["named_right"]) == ("a1", "anomaly", 90.0, True)
    assert (told["figures"]["found"], told["figures"]["events"], told["figures"]["false"]) == (1, 1, 0)


async def test_the_last_word_of_the_demo(stage: Stage) -> None:
    await stage.engine.begin("crash", None)
    stage.now += MINUTE_MS
    assert await stage.engine.last_word() == ("Score card: 0 of 1 events and sensor faults found, 0 false of 0 alerts")


async def test_what_nothing_explains_is_false(stage: Stage) -> None:
    stage.now += 5 * MINUTE_MS
    stage.says("anomaly", "loop-001/traffic.flow", NOW + 60_000)
    assert (await stage.engine.score())["figures"]["false"] == 1


@pytest.mark.parametrize(
    ("kind", "target", "field"),
    [("crsh", None, "kind"), ("crash", "priory", "target"), ("silent", "loop-999", "target")],
)
async def test_what_there_is_not_is_refused(kind: str, target: str | None, field: str, stage: Stage) -> None:
    with pytest.raises(Rejected) as error:
        await stage.engine.begin(kind, target)
    assert error.value.field == field
    assert stage.script.revision == 0


async def test_nothing_begins_before_the_past_has_been_played(tmp_path: Path) -> None:
    engine = DemoEngine(City(TOWN, 7), LiveScript(QUIET), FakeAlertStore(), lambda: NOW, tmp_path)
    for wish in (engine.begin("crash", None), engine.score()):
        with pytest.raises(Unavailable, match="past is still being played"):
            await wish


async def test_the_next_run_on_the_folder_goes_on_with_it(stage: Stage, tmp_path: Path) -> None:
    label = await stage.engine.begin("feeder-fault", None)
    again = Stage(tmp_path)
    again.now += MINUTE_MS
    assert [event["place"] for event in (await again.engine.score())["events"]] == [label["place"]]
    (event,) = again.script.energy_events(NOW + 1)
    assert event.target == label["target"]
