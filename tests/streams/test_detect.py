"""Episodes to findings: opened once, joined by the series of one sensor, told again, closed."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from domain.flags import Flag, Test
from domain.messages import Finding
from domain.scores import Judged, Scores
from domain.sensors import Sensor, SensorRegister
from domain.windows import Aggregates
from streams.area_clock import Patience
from streams.board import Board
from streams.detect import DetectStage
from streams.quarantine import Origin
from streams.stage import Flow
from streams.state import pack, restore, snapshot, unpack

T0 = 1_772_409_600_000
MINUTE, HOUR = 60_000, 3_600_000
NAMES = ["a/traffic.speed", "a/traffic.flow", "b/traffic.speed", "c/traffic.speed", "d/traffic.speed"]


class Threshold:
    """Scores 0.9 from 100 on, NaN below 0, else 0.1: what is tested is what is made of scores."""

    kind: ClassVar[str] = "threshold"
    version: ClassVar[str] = "1"
    parameters: ClassVar[Mapping[str, Any]] = {"from": 100}

    def __init__(self) -> None:
        self.observed: list[tuple[int, int, float]] = []

    def ensure(self, specs: Any) -> None: ...

    def observe(self, readings: Judged) -> Scores:
        x = readings.x
        self.observed += list(zip(readings.row.tolist(), readings.t.tolist(), x.tolist(), strict=True))
        score = np.where(x < 0, np.nan, np.where(x >= 100, 0.9, 0.1))
        return Scores(score, x * 0 + 50, x * 0 + 40, x * 0 + 60, x * 0 + 1e4, {"level": x, "jump": x / 3})

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, payload: Mapping[str, Any]) -> None: ...


class Stage:
    """A detect stage on a board whose series report at the given interval, the sensors ``nearer`` from a on."""

    def __init__(self, interval_s: float = 300.0, nearer: str = "abcd") -> None:
        register = SensorRegister([
            Sensor(n, "ring", interval_s=interval_s, place=f"Place {n}", lat=52 + 0.01 * nearer.index(n), lon=-1.0)
            for n in "abcd"
        ])  # fmt: skip
        self.board = Board.of("ring", register, Patience(10_000, 2 * HOUR))
        self.board.index.rows(NAMES)
        self.board.interval.ensure(self.board.index.specs)
        self.detector = Threshold()
        self.stage = DetectStage(self.board, self.detector)
        self.now = T0

    def _flow(self, **parts: Any) -> Flow:
        return Flow("ring", Origin("", ""), self.now, self.board.index.names, now=self.now, **parts)

    def frame(self, *rows: tuple[int, int, float], flag: int = 1, tests: int = 0) -> Flow:
        """Readings as (row, minutes after T0, value)."""
        row, t, x = (np.array(column) for column in zip(*sorted(rows), strict=True))
        n = len(row)
        self.now = max(self.now, T0 + int(t.max()) * MINUTE)
        judged = Judged(
            row.astype(np.int32), T0 + t.astype(np.int64) * MINUTE, x.astype(np.float64),
            np.full(n, flag, np.uint8), np.full(n, tests, np.uint32),
        )  # fmt: skip
        return self.stage.on_frame(self._flow(readings=judged))

    def tick(self, minutes: float) -> Flow:
        self.now = T0 + int(minutes * MINUTE)
        return self.stage.on_tick(self._flow())


def told(flow: Flow) -> list[tuple[str, str, list[str]]]:
    return [(f.phase, f.rule, f.series) for f in flow.findings]


def test_an_episode_opens_once_is_told_again_and_closes_after_its_rest() -> None:
    made = Stage()
    phases: list[tuple[int, Finding]] = []
    for minute in range(0, 180, 5):
        x = 150.0 if 20 <= minute < 60 else 50.0
        flow = made.frame((2, minute, x))
        phases += [(minute, f) for f in flow.findings]
        # Only the onset stands at or above the threshold in what is published.
        assert (flow.scores.score >= 0.5).tolist() == [minute == 20]
        phases += [(minute, f) for f in made.tick(minute + 1).findings]
    assert [(minute, f.phase) for minute, f in phases] == [
        (20, "open"), (35, "update"), (50, "update"), (65, "update"), (80, "update"), (85, "close"),
    ]  # fmt: skip
    first, *_, last = (f for _, f in phases)
    assert {f.id for _, f in phases} == {first.id}
    assert (first.onset, first.time, first.score, first.severity) == (T0 + 20 * MINUTE, T0 + 20 * MINUTE, 0.9, "high")
    assert last.time == T0 + 85 * MINUTE  # 55 was the last high value, the rest is 30 minutes
    assert (first.kind, first.rule, first.place) == ("anomaly", "detector.threshold", "Place b")
    why = first.why
    assert (why.observed, why.expected, why.lower, why.upper, why.one_in, why.since) == (150, 50, 40, 60, 1e4, first.onset)  # fmt: skip # noqa: E501
    assert [(c.name, c.share) for c in why.channels] == [("level", 0.75), ("jump", 0.25)]
    assert (why.model.name, why.model.version, why.model.parameters) == ("threshold", "1", {"from": 100})
    assert [p.value for p in why.trace] == [50, 50, 50, 50, 150]
    assert len(last.why.trace) > len(why.trace)


def test_a_second_episode_is_another_finding() -> None:
    made = Stage()
    findings = []
    for minute in range(0, 300, 5):
        x = 150.0 if minute in (20, 200) else 50.0
        findings += made.frame((2, minute, x)).findings + made.tick(minute + 1).findings
    assert [f.phase for f in findings if f.phase != "update"] == ["open", "close", "open", "close"]
    assert len({f.id for f in findings}) == 2


def test_series_of_one_sensor_share_a_finding_that_closes_with_the_last() -> None:
    made = Stage()
    assert told(made.frame((0, 0, 150.0))) == [("open", "detector.threshold", [NAMES[0]])]
    assert told(made.frame((1, 5, 150.0))) == [("update", "detector.threshold", NAMES[:2])]
    assert told(made.frame((2, 5, 150.0))) == [("open", "detector.threshold", [NAMES[2]])]
    later = [made.frame((0, m, 50.0), (1, m, 150.0 if m < 30 else 50.0)) for m in range(10, 75, 5)]
    closes = [(f.time, f.series) for flow in later for f in flow.findings if f.phase == "close"]
    assert closes == [(T0 + 55 * MINUTE, NAMES[:2])]  # row 1 was last high at 25
    assert told(made.tick(200)) != []  # row 2 fell silent: its episode ends too


def test_several_turns_of_one_row_in_one_frame_come_in_the_order_of_time() -> None:
    made = Stage()
    rows = [(2, minute, 150.0 if minute in (0, 60, 120) else 50.0) for minute in range(0, 180, 5)]
    flow = made.frame(*rows)
    assert [(f.phase, (f.time - T0) // MINUTE) for f in flow.findings if f.phase != "update"] == [
        ("open", 0), ("close", 30), ("open", 60), ("close", 90), ("open", 120), ("close", 150),
    ]  # fmt: skip


def test_a_failed_reading_is_a_fault_of_the_sensor() -> None:
    made = Stage()
    for minute in range(0, 30, 5):
        made.frame((2, minute, 50.0))
    flow = made.frame((2, 30, 50.0), flag=Flag.FAIL, tests=int(Test.FLAT_LINE))
    (finding,) = flow.findings
    assert (finding.rule, finding.kind, finding.severity, finding.score) == ("quality.stuck", "quality", "medium", 0.75)  # fmt: skip # noqa: E501
    assert [(c.name, c.share) for c in finding.why.channels] == [("quality.stuck", 1.0)]
    assert "the sensor, not the city" in finding.why.sentence


def test_an_anomaly_that_turns_out_to_be_a_fault_becomes_one() -> None:
    made = Stage()
    (anomaly,) = made.frame((2, 0, 150.0)).findings
    flows = [made.frame((2, m, 150.0), flag=Flag.SUSPECT, tests=int(Test.LEVEL)) for m in (5, 10)]
    renamed = flows[0].findings[-1]
    assert (renamed.id, renamed.phase, renamed.kind, renamed.rule) == (anomaly.id, "update", "quality", "quality.level")
    assert (renamed.onset, anomaly.kind) == (anomaly.onset, "anomaly")
    assert "(level shift)" in renamed.why.sentence


def test_what_the_neighbours_do_too_is_no_fault_of_the_sensor() -> None:
    made = Stage()
    made.board.slow_residual = np.array([3.0, 0.0, 4.0, 3.5, 2.5])
    (finding,) = made.frame((2, 5, 50.0), flag=Flag.SUSPECT, tests=int(Test.LEVEL)).findings
    assert (finding.kind, finding.rule) == ("anomaly", "detector.level")
    made.board.slow_residual = np.array([0.1, 0.0, 4.0, -0.2, 0.3])
    (finding,) = made.frame((3, 5, 50.0), flag=Flag.SUSPECT, tests=int(Test.DRIFT)).findings
    assert (finding.kind, finding.rule) == ("quality", "quality.drift")


def test_the_nearest_neighbours_are_told_first() -> None:
    made = Stage(nearer="adcb")
    made.frame(*((row, 0, 50.0) for row in range(5)))
    (finding,) = made.frame((0, 5, 150.0)).findings
    assert [told["series"] for told in finding.why.neighbours] == [NAMES[4], NAMES[3], NAMES[2]]


def test_what_differs_from_its_neighbours_is_a_fault_from_the_end_of_the_hour() -> None:
    made = Stage()
    for minute in range(0, 60, 5):
        made.frame(*((row, minute, 50.0) for row in range(5)))
    minutes = np.arange(0, 60, 5)
    row, t = np.full(12, 2, np.int32), T0 + minutes * MINUTE
    tests = np.full(12, Test.NEIGHBOUR | Test.SPIKE, np.uint32)  # the spike has been told in its time
    apart = Judged(row, t, np.full(12, 50.0), np.full(12, Flag.SUSPECT, np.uint8), tests)
    made.now = T0 + 61 * MINUTE
    (finding,) = made.stage.on_tick(made._flow(revised=apart, apart=apart)).findings
    assert (finding.rule, finding.kind, finding.series) == ("quality.neighbour", "quality", [NAMES[2]])
    assert (finding.onset, finding.time) == (T0 + HOUR, T0 + HOUR)
    assert "(neighbour test): the sensor, not the city" in finding.why.sentence
    assert {told["series"] for told in finding.why.neighbours} == {NAMES[0], NAMES[3], NAMES[4]}
    made.now = T0 + 150 * MINUTE  # the next hour may fail, too: it goes on
    assert not [f for f in made.stage.on_tick(made._flow()).findings if f.kind == "quality"]
    made.now = T0 + 180 * MINUTE
    (closed,) = (f for f in made.stage.on_tick(made._flow()).findings if f.kind == "quality")
    assert (closed.id, closed.phase) == (finding.id, "close")


def test_late_and_corrected_readings_are_not_scored_and_nothing_twice() -> None:
    made = Stage()
    made.frame((2, 10, 50.0))
    for tests in (Test.LATE, Test.CORRECTION, Test.LATE | Test.CORRECTION):
        assert made.frame((2, 5, 150.0), tests=int(tests)).findings == []
    assert made.frame((2, 10, 150.0)).findings == []
    assert made.detector.observed == [(2, T0 + 10 * MINUTE, 50.0)]


def closed(minute: int, row: int, mean: float, revision: int = 1, length: int = 60) -> Aggregates:
    one = np.array([mean])
    n = np.array([6])
    return Aggregates(
        "ring", length, NAMES, np.array([row], np.int32), np.array([T0 + minute * MINUTE]), n, one, one, one, one, one,
        np.array([1], np.uint8), np.array([revision]),
    )  # fmt: skip


def test_fast_series_are_scored_by_their_minutes_once() -> None:
    made = Stage(interval_s=10.0)
    assert made.frame((2, 0, 150.0)).findings == []
    flow = made.stage.on_tick(made._flow(closed=[closed(0, 2, 150.0), closed(0, 2, 150.0, length=900)]))
    assert told(flow) == [("open", "detector.threshold", [NAMES[2]])]
    made.stage.on_frame(made._flow(closed=[closed(0, 2, 50.0, revision=2), closed(1, 2, 50.0, revision=2)]))
    assert made.detector.observed == [(2, T0, 150.0)]


def test_slow_series_are_scored_by_reading_and_not_again_by_their_minutes() -> None:
    made = Stage(interval_s=60.0)
    made.frame((2, 0, 150.0))
    made.stage.on_tick(made._flow(closed=[closed(0, 2, 150.0)]))
    assert made.detector.observed == [(2, T0, 150.0)]


def all_speak(made: Stage, minute: int, rows: tuple[int, ...] = (0, 1, 2, 3, 4)) -> list[Finding]:
    return made.frame(*((row, minute, 50.0) for row in rows)).findings + made.tick(minute + 0.5).findings


def test_a_sensor_is_silent_only_when_all_its_series_are_and_speaks_again() -> None:
    made = Stage(60.0)
    all_speak(made, 0)
    found = [f for m in range(1, 12) for f in all_speak(made, m, (0, 2, 3, 4))]
    # a/traffic.flow stopped, a/traffic.speed goes on
    assert [(f.phase, f.rule, f.series) for f in found] == [("open", "silence.series", [NAMES[1]])]
    assert found[0].onset == T0 + 1 * MINUTE
    found = [(m, f) for m in range(12, 24) for f in all_speak(made, m, (2, 3, 4))]
    assert [(f.phase, f.rule) for _, f in found] == [("close", "silence.series"), ("open", "silence.sensor")]
    opened = found[1][1]
    assert opened.series == NAMES[:2]
    assert (opened.kind, opened.onset, opened.severity) == ("silence", T0 + 12 * MINUTE, "low")
    (closed_again,) = all_speak(made, 24)
    assert (closed_again.id, closed_again.phase) == (opened.id, "close")


def test_when_most_are_silent_it_is_the_area_and_who_stays_silent_is_told_of_again() -> None:
    made = Stage(60.0)
    all_speak(made, 0)
    found = [f for m in range(1, 10) for f in all_speak(made, m, (0, 1, 3, 4))]
    assert [(f.rule, f.phase, f.place) for f in found] == [("silence.sensor", "open", "Place b")]
    first = found[0]
    found = [f for m in range(10, 20) for f in made.tick(m).findings]
    assert [(f.rule, f.phase) for f in found] == [("silence.sensor", "close"), ("silence.area", "open")]
    area = found[1]
    assert (area.place, area.severity, sorted(area.series)) == ("ring", "high", sorted(NAMES))
    found = all_speak(made, 20, (0, 1, 3, 4))
    assert [(f.rule, f.phase) for f in found] == [("silence.area", "close"), ("silence.sensor", "open")]
    # The alert of the first finding is over for ever: what still is silent needs one of its own.
    assert (found[0].id, found[1].onset) == (area.id, first.onset)
    assert found[1].id != first.id
    assert [(f.id, f.phase) for f in all_speak(made, 21)] == [(found[1].id, "close")]


def test_a_recording_is_never_silent() -> None:
    made = Stage(60.0)
    made.now = T0 + 1_000 * HOUR
    for minute in range(5):
        row = Judged(
            *(
                np.array([v], kind)
                for v, kind in zip(
                    (2, T0 + minute * MINUTE, 50.0, 1, 0),
                    (np.int32, np.int64, np.float64, np.uint8, np.uint32),
                    strict=True,
                )
            )
        )
        made.stage.on_frame(made._flow(readings=row))
    made.now += 10 * HOUR
    assert made.stage.on_tick(made._flow()).findings == []


def test_state_goes_out_and_in_in_the_middle_of_episodes() -> None:
    rng = np.random.default_rng(4)
    made, again = Stage(60.0), None
    for minute in range(0, 400):
        rows = [(row, minute, float(rng.choice([50, 50, 50, 150]))) for row in range(5) if rng.random() < 0.9 - row / 8]
        rows = [] if 250 <= minute < 262 else rows
        flows = [[s.frame(*rows) if rows else None, s.tick(minute + 0.5)] for s in (made, again) if s is not None]
        if again is not None:
            assert [[f.findings for f in pair if f] for pair in flows[:1]] == [
                [f.findings for f in pair if f] for pair in flows[1:]
            ]
        if minute % 90 == 89:
            state = pack(snapshot(made.stage))
            again = Stage(60.0)
            again.now = made.now
            restore(again.stage, unpack(state))
            assert pack(snapshot(again.stage)) == state


def test_a_gap_that_is_over_before_anyone_looked_is_told_with_its_time() -> None:
    made = Stage(60.0)
    made.frame(*((2, minute, 50.0) for minute in range(30)))
    found = made.frame((2, 60, 50.0)).findings
    assert [(f.phase, f.rule, f.onset) for f in found] == [
        ("open", "silence.sensor", T0 + 30 * MINUTE), ("close", "silence.sensor", T0 + 30 * MINUTE),
    ]  # fmt: skip
    assert found[1].time == T0 + 60 * MINUTE


def test_only_the_highest_that_is_down_is_told() -> None:
    extra = {"a": {"feed": "f1", "controller": "c1"}, "b": {"feed": "f1", "controller": "c1"},
             "c": {"feed": "f1", "controller": "c2"}, "d": {"feed": "f2", "controller": "c3"}}  # fmt: skip
    made = Stage(60.0)
    for name, more in extra.items():
        made.board.index._register.find(name).extra.update(more)  # type: ignore[union-attr]
    all_speak(made, 0)
    found = [f for m in range(1, 10) for f in all_speak(made, m, (3, 4))]
    assert [(f.rule, f.place, f.phase) for f in found] == [("silence.controller", "c1", "open")]
    found = [f for m in range(10, 20) for f in all_speak(made, m, (4,))]
    assert [(f.rule, f.place, f.phase) for f in found] == [
        ("silence.controller", "c1", "close"), ("silence.feed", "f1", "open"),
    ]  # fmt: skip
