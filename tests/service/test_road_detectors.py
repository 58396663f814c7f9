"""Which road detectors raise is a setting: backtest, the running system, replay and ``explain`` follow it alike."""

import asyncio
import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from domain.codec import encode_frame, encode_tick
from domain.errors import Misconfigured
from domain.messages import Alert
from domain.readings import Frame, Readings, Tick
from domain.sensors import Link, Sensor, SensorRegister
from domain.times import format_time
from domain.topics import partition_of
from models.road_names import DEFAULT
from service.assemble import make_setup
from service.backtest import backtest
from service.explaining import open_evidence, read_setup, recompute_alert, recorded, setup_note
from service.settings import load
from service.verify_replay import by_hour, compare, in_memory, log_of
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.setup import Setup

AREA, T0, MINUTE = "ring", 1_772_409_600_000, 60_000
MINUTES = 130
REGISTER = SensorRegister(
    [Sensor(f"l{k}", AREA, interval_s=60.0, place=f"Junction {k}") for k in (1, 2, 3)],
    [Link("l1", "l2", 600.0), Link("l2", "l3", 500.0)],
)


def road() -> Readings:
    """Two hours of three loops in a row, twice with something in the way between the second and the third."""
    x = 0.2 + np.random.default_rng(5).normal(0, 0.004, (MINUTES, 3))
    for begin in (40, 90):
        x[begin : begin + 8] = [0.2, 0.4, 0.08]
    t = np.repeat(T0 + np.arange(MINUTES) * MINUTE, 3)
    return Readings([f"l{k}/traffic.occupancy" for k in (1, 2, 3)], np.tile(np.arange(3), MINUTES).astype(np.int32), t,
                    np.round(x, 4).ravel())  # fmt: skip


CHOICES = ["none", "california7", "bottleneck", "california7,california8,snd,bottleneck"]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("names", CHOICES[-1:])
def test_a_replay_comes_to_the_same_with_another_choice(names: str) -> None:
    settings = load({"road_detectors": names, "detector": "null"}, environment={})
    log = log_of(by_hour([road()]), REGISTER, 10_000)
    found = asyncio.run(compare(log, settings, REGISTER))
    assert found.difference == ""
    told = in_memory(log, make_setup(settings, REGISTER)).by_topic["findings"]
    rules = {msgspec.json.decode(text)["rule"] for text in told.values()}
    first = "traffic.california7" if names == "california7" else "traffic.snd"
    assert {rule for rule in rules if rule.startswith("traffic.")} == {first}


def backtested(folder: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    readings = road()
    rows = zip(readings.t.tolist(), readings.i.tolist(), readings.x.tolist(), strict=True)
    (folder / "r.csv").write_text(
        "time,series,value\n" + "".join(f"{format_time(t)},{readings.series[i]},{x}\n" for t, i, x in rows)
    )
    (folder / "s.csv").write_text("sensor,area,lat,lon,interval_s\n" + "".join(f"l{k},ring,,,60\n" for k in (1, 2, 3)))
    (folder / "l.csv").write_text("from,to,metres\nl1,l2,600\nl2,l3,500\n")
    backtest(readings=folder / "r.csv", sensors=folder / "s.csv", links=folder / "l.csv", events=None,
             out=folder / "out", detector="null", lateness_s=10, horizon_s=7_200, road_detectors=names)  # fmt: skip
    with (folder / "out" / "alerts.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == "incident"]


def test_a_backtest_raises_what_was_chosen(tmp_path: Path) -> None:
    assert backtested(tmp_path, ()) == []
    seven = backtested(tmp_path, ("california7",))
    assert ["piles up" in row["why"] for row in seven] == [True, True]
    both = backtested(tmp_path, DEFAULT)
    assert len(both) == 2, "two detectors, and still one alert an incident"
    with pytest.raises(Misconfigured, match="'radar' is not known"):
        backtested(tmp_path, ("radar",))


def setup(names: tuple[str, ...]) -> Setup:
    return Setup(REGISTER, Patience(10_000, 7_200_000), "null", names)


def left_behind(folder: Path, names: tuple[str, ...]) -> list[Alert]:
    """The alerts of a worker with these road detectors, and the evidence it keeps."""
    chosen = setup(names)
    evidence = open_evidence(folder, 1 << 24, chosen)
    analyser = recorded(chosen, evidence)("readings.traffic", partition_of(AREA))
    desk, readings = DeskInMemory(), road()
    for k in range(MINUTES):
        frame = Frame("gw", 2 * k, AREA, readings.take(np.flatnonzero(readings.t == T0 + k * MINUTE)))
        for raw in (encode_frame(frame), encode_tick(Tick("gw", 2 * k + 1, T0 + (k + 1) * MINUTE + 15_000))):
            desk.follow(analyser.apply(raw))
    evidence.close()
    return [alert for alert in desk.alerts.values() if alert.rule.startswith("traffic.")]


@pytest.mark.parametrize("names", [("california7",), ("california8", "snd"), ("california7", "california8", "snd")])
def test_an_alert_is_explained_by_the_detectors_that_raised_it(tmp_path: Path, names: tuple[str, ...]) -> None:
    alerts = left_behind(tmp_path, names)
    assert len(alerts) == 2
    for alert in alerts:
        found = recompute_alert(tmp_path, alert)
        assert found.equal, found.differs
        assert found.alert is not None
        assert len(found.alert.why.channels) == len(names)


def test_the_note_beside_the_evidence_keeps_the_choice_and_an_older_one_meant_california_7() -> None:
    for names in ((), DEFAULT, ("california7", "bottleneck")):
        assert read_setup(setup_note(setup(names))).road_detectors == names
    older = json.loads(setup_note(setup(("snd",))))
    del older["road_detectors"]
    assert read_setup(json.dumps(older).encode()).road_detectors == ("california7",)


def test_the_setting_is_read_in_the_order_of_the_table_and_refused_with_its_name_and_value() -> None:
    assert load({"road_detectors": "SND, california7"}, environment={}).road_detectors == "california7,snd"
    assert load(environment={}).road_detectors == ",".join(DEFAULT)
    assert make_setup(load({"road_detectors": "none"}, environment={}), REGISTER).road_detectors == ()
    with pytest.raises(Misconfigured) as caught:
        load(environment={"BOROUGH_ROAD_DETECTORS": "snd,radar"})
    assert str(caught.value) == (
        "BOROUGH_ROAD_DETECTORS: 'snd,radar' is not 'none' or names, with commas, of california7, california8, snd, "
        "bottleneck (from environment)"
    )
