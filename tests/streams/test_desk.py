"""Findings and actions to alerts: what changes, and what must not."""

from itertools import permutations

import msgspec
import pytest

from domain.errors import Rejected
from domain.messages import Action, Alert, Finding, Why
from streams.desk import check_action, on_action, on_finding

T0 = 1_772_409_600_000
HOUR = 3_600_000


def why(observed: float = 1.0) -> Why:
    return Why("Too fast.", observed, 2.0, 1.0, 3.0, 100.0, T0)


def finding(phase: str = "open", time: int = 0, **changes: object) -> Finding:
    made = Finding("f1", "detector.x", "anomaly", phase, "ring", "Place", ["a/traffic.speed"], T0 + time, T0, 0.7, "medium", why())  # fmt: skip # noqa: E501
    return msgspec.structs.replace(made, **changes)


def action(id: str = "a1", kind: str = "acknowledge", **more: str) -> Action:
    return Action(id, "f1", kind, T0 + 5, by="ana", **more)


def after(*findings: Finding, known: Alert | None = None) -> Alert:
    for one in findings:
        known = on_finding(one, known, ()) or known
    assert known is not None
    return known


def test_an_open_finding_raises_an_alert() -> None:
    alert = after(finding())
    assert (alert.id, alert.state, alert.revision, alert.onset, alert.raised) == ("f1", "open", 1, T0, T0)
    assert (alert.cleared, alert.score, alert.why, alert.rule) == (None, 0.7, why(), "detector.x")
    assert alert.incident


def test_the_same_finding_again_changes_nothing() -> None:
    for known in (
        after(finding()),
        after(finding(), finding("close", 9)),
        after(finding(), finding("update", why=why(5))),
    ):
        assert on_finding(finding(), known, ()) is None
    closed = after(finding(), finding("close", 9))
    assert on_finding(finding("close", 9), closed, ()) is None
    assert on_finding(finding("update", 5, why=why(7)), closed, ()) is None


def test_an_update_brings_the_news_and_the_highest_score_stays() -> None:
    known = after(finding(score=0.9))
    alert = on_finding(finding("update", 9, why=why(5), severity="high", score=0.6), known, ())
    assert alert is not None
    assert (alert.revision, alert.why, alert.severity, alert.score) == (2, why(5), "high", 0.9)
    assert on_finding(finding("update", 9, why=why(5), severity="high", score=0.6), alert, ()) is None


def test_a_series_that_joins_is_in_the_alert() -> None:
    both = ["a/traffic.speed", "a/traffic.flow"]
    joined = finding("update", 9, series=both)
    alert = after(finding(), joined)
    assert (alert.series, alert.revision) == (both, 2)
    assert on_finding(joined, alert, ()) is None
    assert after(finding(), finding("close", 9, series=both)).series == both


def test_closing_without_and_with_acknowledgement() -> None:
    alert = after(finding(), finding("close", 9))
    assert (alert.state, alert.cleared, alert.revision) == ("resolved", T0 + 9, 2)
    seen = on_action(action(), after(finding()))
    assert seen is not None
    assert seen.state == "acknowledged"
    assert after(finding("close", 9), known=seen).state == "closed"
    later = on_action(action(), alert)
    assert later is not None
    assert later.state == "closed"


def test_an_end_before_its_beginning_is_told_as_both() -> None:
    alert = after(finding("close", 9))
    assert (alert.state, alert.cleared) == ("resolved", T0 + 9)
    assert on_finding(finding(), alert, ()) is None


def test_an_action_counts_once_and_every_action_is_kept() -> None:
    alert = on_action(action(), after(finding()))
    assert alert is not None
    assert on_action(action(), alert) is None
    again = on_action(action("a2", "comment", reason="wrong lane"), alert)
    assert again is not None
    assert (again.state, again.revision, [a.id for a in again.actions]) == ("acknowledged", 3, ["a1", "a2"])
    judged = on_action(action("a3", "verdict", verdict="false"), again)
    assert judged is not None
    assert (judged.state, judged.actions[-1].verdict) == ("acknowledged", "false")


def test_whatever_the_order_of_actions_and_end_the_alert_is_closed_with_all_of_them() -> None:
    told = (finding("close", 9), action(), action("a2", "comment", reason="x"))
    for order in permutations(told):
        alert = after(finding())
        for item in order:
            changed = on_finding(item, alert, ()) if isinstance(item, Finding) else on_action(item, alert)
            assert changed is not None
            assert changed.revision == alert.revision + 1
            alert = changed
        assert (alert.state, {a.id for a in alert.actions}) == ("closed", {"a1", "a2"})


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (action(kind="delete"), "action"),
        (action(kind="verdict"), "verdict"),
        (action(kind="verdict", verdict="maybe"), "verdict"),
        (action(kind="comment"), "reason"),
    ],
)
def test_actions_that_the_desk_does_not_take(bad: Action, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_action(bad)
    assert refused.value.field == field


def test_alerts_of_one_area_within_an_hour_are_one_incident() -> None:
    first = after(finding())
    near = on_finding(finding(id="f2", onset=T0 + HOUR), None, [first])
    far = on_finding(finding(id="f3", onset=T0 + HOUR + 1), None, [first])
    elsewhere = on_finding(finding(id="f4", area="harbour"), None, [first])
    assert near is not None
    assert far is not None
    assert elsewhere is not None
    assert near.incident == first.incident
    assert len({first.incident, far.incident, elsewhere.incident}) == 3
    assert on_finding(finding(id="f5", onset=T0 + 5), None, [near, first]).incident == first.incident  # type: ignore[union-attr]
