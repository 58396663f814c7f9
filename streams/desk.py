"""Findings to alerts: one alert per episode, what operators did, and which alerts belong together. Pure.

An alert's id is the id of its finding, a hash of rule, place and onset: the same finding again changes nothing.
"""

from collections.abc import Iterable

import msgspec

from domain.errors import Rejected
from domain.messages import STATES, VERDICTS, Action, Adoption, Alert, Finding
from domain.times import HOUR_MS
from streams.quarantine import identity

OPEN, ACKNOWLEDGED, RESOLVED, CLOSED = STATES
#: Findings of several areas about one thing above them: one alert for all.
FOLDED = ("silence.feed", "silence.line", "silence.controller")
ACTIONS = ("acknowledge", "comment", "verdict")


def holder(finding: Finding, active: Iterable[Alert]) -> Alert | None:
    """The alert that has taken the finding in, or will, being about the same feed, line or controller; else None."""
    if finding.rule not in FOLDED:
        return None
    alike = [a for a in active if a.rule == finding.rule and a.place == finding.place and a.cleared is None]
    if finding.phase != "open":
        alike = [a for a in alike if finding.id in a.children or finding.id == a.id]
    return min(alike, key=lambda alert: (alert.onset, alert.id), default=None)


def _on_child(finding: Finding, known: Alert) -> Alert | None:
    """A feed, line or controller is down for as long as any area says so."""
    children = known.children or [known.id]
    if finding.phase == "open":
        if finding.id in children:
            return None
        series = sorted({*known.series, *finding.series})
        return _changed(known, children=[*children, finding.id], series=series, onset=min(known.onset, finding.onset))
    left = [child for child in children if child != finding.id]
    if finding.phase != "close" or len(left) == len(children):
        return None
    if left:
        return _changed(known, children=left)
    return _changed(_cleared(known, finding.time), children=[])


def on_finding(finding: Finding, known: Alert | None, active: Iterable[Alert]) -> Alert | None:
    """The alert as it becomes; None when nothing changes.

    Args:
        finding: one phase of an episode.
        known: the alert of this episode, if there is one.
        active: alerts that are not over, to find the incident the new one belongs to.
    """
    if known is None:
        alert = _raised(finding, _incident(finding, active))
        return _cleared(alert, finding.time) if finding.phase == "close" else alert
    if known.cleared is not None:
        return None
    if finding.rule in FOLDED:
        return _on_child(finding, known)
    if finding.phase == "open":
        return None
    if finding.phase == "close":
        return _changed(_cleared(known, finding.time), why=finding.why, series=finding.series)
    told = {
        "why": finding.why,
        "kind": finding.kind,
        "rule": finding.rule,
        "severity": finding.severity,
        "series": finding.series,
        "score": max(finding.score, known.score),
    }
    if all(getattr(known, name) == value for name, value in told.items()):
        return None
    return _changed(known, **told)


def on_action(action: Action, known: Alert) -> Alert | None:
    """The alert after an operator's action; None when this very action has been taken before."""
    if any(done.id == action.id for done in known.actions):
        return None
    state = known.state
    if action.action == "acknowledge":
        state = {OPEN: ACKNOWLEDGED, RESOLVED: CLOSED}.get(state, state)
    return _changed(known, actions=[*known.actions, action], state=state)


def held_back(finding: Finding, known: Alert | None, threshold: float) -> bool:
    """The finding raises no alert because it scores less than what this rule needs in this area; it may grow yet."""
    return known is None and finding.score < threshold


def check_adoption(adoption: Adoption) -> None:
    """Raises: Rejected: a threshold that is none, or nobody who answers for it."""
    if not 0.0 <= adoption.threshold <= 1.0:
        raise Rejected("threshold", adoption.threshold, "a threshold lies between 0 and 1")
    for name in ("rule", "area", "by", "reason"):
        if not getattr(adoption, name):
            raise Rejected(name, "", f"an adoption needs its {name}")


def check_action(action: Action) -> None:
    """Raises: Rejected: an action that the desk does not know, or one that lacks something."""
    if action.action not in ACTIONS:
        raise Rejected("action", action.action, "known actions are " + ", ".join(ACTIONS))
    if action.action == "verdict" and action.verdict not in VERDICTS:
        raise Rejected("verdict", action.verdict, "a verdict is one of " + ", ".join(VERDICTS))
    if action.action == "comment" and not action.reason:
        raise Rejected("reason", action.reason, "a comment needs its text in reason")


def _raised(finding: Finding, incident: str) -> Alert:
    return Alert(
        id=finding.id,
        kind=finding.kind,
        severity=finding.severity,
        state=OPEN,
        area=finding.area,
        place=finding.place,
        series=finding.series,
        onset=finding.onset,
        raised=finding.time,
        cleared=None,
        score=finding.score,
        why=finding.why,
        rule=finding.rule,
        incident=incident,
    )


def _incident(finding: Finding, active: Iterable[Alert]) -> str:
    """Alerts of one area that began within an hour of each other and are still active are one incident."""
    near = [a for a in active if a.area == finding.area and abs(a.onset - finding.onset) <= HOUR_MS]
    if near:
        return min(near, key=lambda alert: (alert.onset, alert.id)).incident
    return identity("incident", finding.area, finding.onset, finding.id)


def _cleared(alert: Alert, time: int) -> Alert:
    state = CLOSED if alert.state == ACKNOWLEDGED else RESOLVED
    return msgspec.structs.replace(alert, cleared=max(time, alert.raised), state=state)


def _changed(alert: Alert, **changes: object) -> Alert:
    return msgspec.structs.replace(alert, revision=alert.revision + 1, **changes)
