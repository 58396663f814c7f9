"""A feed that several areas find down is one alert, until the last of them has it back."""

from msgspec.structs import replace

from domain.messages import Alert, Finding, Why
from streams.desk_in_memory import DeskInMemory


def down(area: str, rule: str = "silence.feed", place: str = "f1", phase: str = "open", time: int = 100) -> Finding:
    why = Why("down.", None, None, None, None, None, 0)
    return Finding(f"{rule}-{area}", rule, "silence", phase, area, place, [f"{area}/x"], time, 50, 0.8, "high", why)


def played(*findings: Finding) -> dict[str, Alert]:
    desk = DeskInMemory()
    for finding in findings:
        desk.take(finding)
    return desk.alerts


def test_areas_fold_into_one_alert_and_it_ends_with_the_last() -> None:
    a, b = down("a"), down("b")
    (alert,) = played(a, b, b).values()
    assert (alert.series, alert.cleared) == (["a/x", "b/x"], None)
    (alert,) = played(a, b, replace(a, phase="close", time=200)).values()
    assert alert.cleared is None
    (alert,) = played(a, b, replace(a, phase="close", time=200), replace(b, phase="close", time=300)).values()
    assert alert.cleared == 300


def test_other_feeds_and_sensors_stay_apart() -> None:
    assert len(played(down("a"), down("b", place="f2"))) == 2
    assert len(played(down("a", "silence.sensor"), down("b", "silence.sensor"))) == 2
