"""Scenarios: shipped as YAML, refer to places that exist; what is wrong with a file is told line by line."""

import json
import re
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

from domain.errors import Misconfigured
from simulator.kinds import KINDS
from simulator.plan import plan_town
from simulator.scenario import FOLDER, load, names, read, read_faults, shipped
from simulator.scenario_fields import schema
from simulator.scenario_nodes import BadFile
from simulator.script import truth

HEAD = "title: A test\nteaches: something\ndays: 4\n"


def played(path: Path, seed: int) -> None:
    scenario = read(path, "mine.yaml")
    scenario.script(plan_town(seed, scenario.size), seed)


def lines_of(folder: Path, text: str, seed: int = 7) -> list[str]:
    """What is said of a file: everything behind its name."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile) as error:
        played(path, seed)
    assert all(line.startswith("mine.yaml:") for line in error.value.lines)
    return [line.removeprefix("mine.yaml:") for line in error.value.lines]


def test_at_least_twenty_are_shipped_each_with_a_title_and_a_lesson() -> None:
    all_of_them = shipped()
    assert len(all_of_them) >= 20
    assert {"quiet-day", "rush-hour-crash", "bonfire-night-failing-feed", "standard-month"} <= {
        s.name for s in all_of_them
    }
    assert len({s.title for s in all_of_them}) == len({s.teaches for s in all_of_them}) == len(all_of_them)


@pytest.mark.parametrize("name", names())
def test_a_shipped_one_fits_the_town_of_any_seed(name: str) -> None:
    scenario = load(name)
    for seed in (1, 2, 7):
        script = scenario.script(plan_town(seed, scenario.size), seed)
        items = (*script.world, *script.sensors, *script.feed)
        assert len(items) >= len(scenario.steps)
        assert all(scenario.start_ms <= item.start < item.end <= scenario.end_ms for item in items)


@pytest.mark.parametrize("name", ["busy-day", "failing-sensors", "bad-line", "bonfire-night-failing-feed"])
def test_every_label_names_series_that_the_town_has(name: str) -> None:
    scenario = load(name)
    town = plan_town(7, scenario.size)
    labels = list(truth(scenario.script(town, 7), town, scenario.start_ms, scenario.end_ms))
    assert len(labels) == len(scenario.steps)
    for label in labels:
        assert label.series
        assert set(label.series) <= set(town.series)
        assert label.cause == KINDS[label.kind].cause


def test_shipped_ones_and_only_sound_ones_hold_the_published_schema() -> None:
    published = schema()
    jsonschema.Draft202012Validator.check_schema(published)
    holds = jsonschema.Draft202012Validator(published)
    for path in FOLDER.glob("*.yaml"):
        # Times are text to the loader; the schema is held against the file as editors read it.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        errors = [e.message for e in holds.iter_errors(_numbers(content))]
        assert errors == [], path.name
    sound = _numbers(yaml.load((FOLDER / "rush-hour-crash.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader))
    for wrong in ({"colour": "red"}, {"days": -1}, {"events": [{"kind": "crash"}]}, {"expect": {"detection_min": 2}}):
        assert list(holds.iter_errors({**sound, **wrong}))
    sound["events"][0]["strength"] = 9
    assert list(holds.iter_errors(sound))


def _numbers(value: object) -> object:
    """Plain numbers as numbers; BaseLoader leaves all as text."""
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return float(value) if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) else value


def test_the_schema_describes_every_kind() -> None:
    told = json.dumps(schema())
    assert all(f'"const": "{kind}"' in told for kind in KINDS)


EVENT = "  - {{kind: {}, target: {}, at: day 3 17:05, for: 35 min}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["1: file: is empty"]),
        ("title: [\n", ["2: YAML: "]),
        ("- 1\n", ["1: scenario (a list): must be a mapping with title, "]),
        ("title: x\n", ["1: scenario: days is missing", "1: scenario: teaches is missing"]),
        (HEAD + "colour: red\n", ["4: colour: unknown key of scenario; there are title, "]),
        (HEAD + "seeed: 3\n", ["4: seeed: unknown key of scenario; did you mean seed"]),
        (HEAD + "days: 5\n", ["4: days: stands twice"]),
        (HEAD.replace("4", "-4"), ["3: days -4: must be a number from 0.01 to 400"]),
        (HEAD.replace("4", ".inf"), ["3: days .inf: must be a number from 0.01 to 400"]),
        (HEAD + "size: 7\n", ["4: size 7: must be from 20 to 100000"]),
        (HEAD + "seed: 1.5\n", ["4: seed 1.5: must be a whole number from 0 to "]),
        (HEAD + "start: 2026-03-02T06:00:00Z\n", ["1: start 2026-03-02T06:00:00Z: must be midnight UTC"]),
        (HEAD + "events: 3\n", ["4: events 3: must be a list"]),
        (HEAD + "events:\n" + EVENT.format("crsh", "loop-010"), ["5: kind crsh: unknown; did you mean crash"]),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: day 3 17:05, for: -5 min}\n",
            ["5: for -5 min: a duration cannot be negative"],
        ),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: day 3 25:05, for: 0 min}\n",
            ["5: at day 3 25:05: there is no such time of day", "5: for 0 min: must be longer than nothing"],
        ),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: noon, for: 5 min, strength: high}\n",
            ["5: at noon: must be a time such as day 3 17:05", "5: strength high: must be a number"],
        ),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: day 3 12:00, for: 5 min, strength: 7}\n",
            ["5: events[0].strength 7: of crash must be from 0.05 to 1 (share of the capacity lost)"],
        ),
        (HEAD + "expect: {detection_min: 1.5}\n", ["4: detection_min 1.5: must be a number from 0 to 1"]),
        (HEAD + "expect: {detection: 1}\n", ["4: detection: unknown key of expect; did you mean detection_min"]),
        (HEAD + "mix: {from: day 2 00:00, per_day: {crash: -1}}\n", ["4: crash -1: must be a number from 0 to 50"]),
        # What only the town knows.
        (
            HEAD + "events:\n"
            + EVENT.format("crash", "loop-999") + EVENT.format("feeder-fault", "substation-lenwik"),
            ["5: target loop-999: crash needs a loop of Lenbridge; did you mean loop-0",
             "6: target substation-lenwik: feeder-fault needs a substation of Lenbridge; did you mean substation-len"],
        ),
        (HEAD + "events:\n" + EVENT.format("crash", "priory"), ["5: target priory: crash needs a loop"]),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: day 9 17:05, for: 5 min}\n",
            ["5: at 2026-03-10T17:05:00Z: lasts until 2026-03-10T17:10:00Z, which is not within the scenario"],
        ),
        (
            HEAD + "events:\n  - {kind: crash, target: loop-010, at: 2026-03-01T00:00:00Z, for: 5 min}\n",
            ["5: at 2026-03-01T00:00:00Z: lasts until"],
        ),
        # Overlapping impossibilities.
        (
            HEAD + "events:\n" + EVENT.format("stuck", "air-001") + EVENT.format("stuck", "air-001/air.no2"),
            ["6: kind stuck: stuck is already there at the same time: air-001/air.no2 (line 5)"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("noise", "loop-006/traffic.flow") + EVENT.format("silent", "loop-006"),
            ["6: kind silent: noise and silent exclude each other at the same time: loop-006/traffic.flow (line 5)"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("crash", "loop-010") + EVENT.format("crash", "loop-010"),
            ["6: kind crash: crash is already there at the same time: loop-010 (line 5)"],
        ),
        (
            HEAD + "events:\n"
            + EVENT.format("feeder-fault", "substation-market") + EVENT.format("overload", "substation-market"),
            ["6: kind overload: feeder-fault and overload exclude each other"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("late", "priory") + EVENT.format("feed-down", "priory"),
            ["6: kind feed-down: late and feed-down exclude each other"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("fog", "ring-north") + EVENT.format("fog", "town"),
            ["6: kind fog: fog is already there at the same time: ring-north (line 5)"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("burst-main", "loop-010") + EVENT.format("crash", "loop-010"),
            ["6: kind crash: burst-main and crash exclude each other at the same time: loop-010 (line 5)"],
        ),
        (
            HEAD + "events:\n" + EVENT.format("counter-swap", "meter-003") + EVENT.format("counter-reset", "meter-003"),
            ["6: kind counter-reset: counter-swap and counter-reset exclude each other"],
        ),
        # Odd input.
        ("\n\n# nothing\n", ["1: file: is empty"]),
        (HEAD + "---\n" + HEAD, ["4: YAML: but found another document"]),
        (HEAD + "events: [\x07]\n", ["4: YAML character 0x0007: not allowed in YAML"]),
        (HEAD + "events: " + "[" * 3_000 + "\n", ["1: YAML: nested too deeply"]),
        (HEAD + "<<: *base\n", ["4: YAML: found undefined alias 'base'"]),
        (HEAD + "days: &d 4\n", ["4: days: stands twice"]),
        (HEAD.replace("4", "nan"), ["3: days nan: must be a number"]),
        (HEAD.replace("4", "1e999"), ["3: days 1e999: must be a number"]),
        (HEAD.replace("4", "9" * 400), ["3: days 999"]),
        (HEAD.replace("4", "'4'"), ["3: days 4: must be a number"]),
        (HEAD.replace("4", "[4]"), ["3: days (a list): must be a number"]),
        (HEAD.replace("A test", "{a: b}"), ["1: title (a mapping): must be words"]),
        (HEAD.replace("A test", "~"), ["1: title ~: must be words"]),
        (HEAD + "seed: 99999999999999\n", ["4: seed 99999999999999: must be a whole number from 0 to "]),
        (HEAD + "seed: -1\n", ["4: seed -1: must be a whole number from 0 to "]),
        (HEAD + "start: 9999-12-31T00:00:00Z\n", ["4: start 9999-12-31T00:00:00Z: must be a time of the years 2000"]),
        (HEAD + "start: 2026-02-30T00:00:00Z\n", ["4: start 2026-02-30T00:00:00Z: "]),
        (
            HEAD + "events:\n  - {kind: crash, target: [loop-010], at: day 3 17:05, for: 999999999 d}\n",
            ["5: for 999999999 d: must be at most 400 d", "5: target (a list): must be words"],
        ),
        (
            HEAD + "events:\n  - {kind: [crash], target: loop-010, at: day 99999 17:05, for: \u0663\u0665 min}\n",
            ["5: at day 99999 17:05: must be a time", "5: for \u0663\u0665 min: must be a duration",
             "5: kind (not a word): unknown"],
        ),
        (HEAD + "events: [crash, 3, null]\n", [f"4: events[{k}] " for k in range(3)]),
        (HEAD + "events: &e [*e]\n", ["4: events[0] (a list): must be a mapping"]),
        (
            HEAD + "events:\n  - &a {kind: crash}\n" + "  - *a\n" * 5_000,
            ["5: events: has 5001 elements: at most 5000"],
        ),
        (HEAD + "mix: {from: day 9 00:00, per_day: {crash: 1}}\n", ["4: mix.from 2026-03-10T00:00:00Z: is not within"]),
        (
            HEAD.replace("4", "400") + "mix:\n  from: day 1 00:00\n  per_day: {crash: 50, stuck: 50}\n",
            ["5: mix.per_day: would draw 40000 things: at most 20000"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_line_by_line(text: str, said: list[str], tmp_path: Path) -> None:
    told = lines_of(tmp_path, text)
    assert len(told) == len(said), told
    for line, beginning in zip(told, said, strict=True):
        assert line.startswith(beginning), line
        assert "\n" not in line


def test_at_one_place_one_after_the_other_is_no_impossibility(tmp_path: Path) -> None:
    path = tmp_path / "fine.yaml"
    path.write_text(
        HEAD + "events:\n" + EVENT.format("stuck", "air-001") + EVENT.format("stuck", "air-002")
        + "  - {kind: stuck, target: air-001, at: day 3 17:40, for: 10 min}\n"
        + "  - {kind: noise, target: air-001/air.no2, at: day 3 17:45, for: 10 min}\n"
    )  # fmt: skip
    scenario = read(path, "fine.yaml")
    assert len(scenario.script(plan_town(7), 7).sensors) == 4


def test_no_such_scenario_names_the_nearest() -> None:
    with pytest.raises(Misconfigured, match="no scenario rush-hour-crush; did you mean rush-hour-crash"):
        load("rush-hour-crush")
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load("nowhere/mine.yaml")


def test_a_mix_is_drawn_by_the_seed_and_keeps_its_rates() -> None:
    month = load("standard-month")
    town = plan_town(7, month.size)
    once, again, other = (month.script(town, seed) for seed in (7, 7, 8))
    assert once == again
    assert once != other
    drawn = [*once.world, *once.sensors, *once.feed]
    assert month.mix is not None
    wanted = sum(month.mix.rates.values()) * (month.days - 2)
    assert 0.9 * wanted <= len(drawn) <= 1.1 * wanted
    assert {KINDS[item.kind].cause for item in drawn} == {"world", "sensor", "transport"}
    by_place: dict[str, list[tuple[int, int]]] = {}
    for item in drawn:
        by_place.setdefault(item.target, []).append((item.start, item.end))
    for spans in by_place.values():
        ordered = sorted(spans)
        assert all(a[1] < b[0] for a, b in pairwise(ordered))


def test_a_file_that_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(HEAD.encode() + b"size: \xff\n")
    with pytest.raises(BadFile, match=r"^mine.yaml:4: file: is not UTF-8: byte 47$"):
        read(path, "mine.yaml")
    path.write_bytes(b"# " + b"x" * (1 << 20))
    with pytest.raises(Misconfigured, match=r"^mine.yaml is longer than 1 MiB$"):
        read(path, "mine.yaml")
    with pytest.raises(Misconfigured, match=r"cannot be read: Is a directory$"):
        read(tmp_path, "mine")


@pytest.mark.parametrize("name", ["faults", "events"])
def test_a_fault_file_and_its_schema(name: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(f"{name}:\n" + EVENT.format("stuck", "s1"))
    assert [step.kind for step in read_faults(path)] == ["stuck"]
    published = schema()
    holds = jsonschema.Draft202012Validator({**published["$defs"]["faults"], "$defs": published["$defs"]})
    fault = {"kind": "stuck", "target": "s1", "at": "day 3 17:05", "for": "35 min"}
    assert list(holds.iter_errors({name: [fault]})) == []
    for wrong in ({}, {"faults": [fault], "events": [fault]}, {name: [{**fault, "kind": "crash"}]}, {name: [{}]}):
        assert list(holds.iter_errors(wrong)), wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: nothing\n", ":1: faults: is missing"),
        ("faults: []\nevents: []\n", ":1: faults: give either faults or events"),
        ("faults: 3\n", ":1: faults 3: must be a list"),
    ],
)
def test_a_fault_file_has_one_list(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(text)
    with pytest.raises(BadFile) as error:
        read_faults(tmp_path / "faults.yaml")
    assert [said in line for line in error.value.lines] == [True]


def test_a_fault_file_takes_no_event_of_the_town(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("events:\n" + EVENT.format("stuck", "s1") + EVENT.format("crash", "s1") + "days: 3\n")
    with pytest.raises(BadFile) as error:
        read_faults(path)
    first, second = (line.split(":", 1)[1] for line in error.value.lines)
    assert first.startswith(
        "3: kind crash: happens in the town: only faults of sensors and of transport can be put onto a"
    )
    assert first.endswith("feed-down, corrupt")
    assert second == "4: days: unknown key of faults; there are title, faults, events"
