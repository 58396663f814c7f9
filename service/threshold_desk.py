"""Thresholds of rules in areas: what is in force, what the verdicts ask for, what that would have changed, and
adopting.

Serves the API and the command line. What would have changed is counted on the alerts of the last 30 days: those with
this rule and area whose score lies below the threshold would not have been raised.
"""

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from domain.codec import decode_as, encode
from domain.errors import Rejected
from domain.messages import Adoption, Alert
from domain.ports import AlertStore
from domain.times import DAY_MS, format_time
from models.thresholds import HIGHEST, LOWEST, JudgedScore, Proposal, deserved, propose
from streams.desk import check_adoption
from streams.threshold_book import ThresholdBook

if TYPE_CHECKING:
    from connectors.audit_store import SqliteAuditStore

AUDIT = "audit.sqlite"
KIND = "threshold"
DAYS = 30
_PAGE = 1_000
_EXAMPLES_MAX = 20


def open_book(audit: "SqliteAuditStore") -> ThresholdBook:
    """The adoptions of the audit trail; new ones go there."""
    known = [decode_as(Adoption, entry.body) for entry in audit.entries(KIND)]
    return ThresholdBook(known, lambda one: audit.append(KIND, one.id, one.time, encode(one)))


class ThresholdDesk:
    """``send`` carries an adoption to the alert desk and returns when it is durable."""

    def __init__(
        self,
        alerts: AlertStore,
        book: ThresholdBook,
        clock: Callable[[], int],
        send: Callable[[Adoption], Awaitable[None]],
    ) -> None:
        self._alerts = alerts
        self._book = book
        self._clock = clock
        self._send = send

    def in_force(self) -> list[dict[str, Any]]:
        return [adoption_object(adoption) for adoption in self._book.in_force()]

    def history(self) -> list[dict[str, Any]]:
        """Every adoption, newest first."""
        return [adoption_object(adoption) for adoption in self._book.all()]

    def proposals(self) -> list[dict[str, Any]]:
        """What the verdicts of the last 30 days ask for, each with its effect."""
        by_place: dict[tuple[str, str], list[Alert]] = {}
        for alert in self._recent():
            by_place.setdefault((alert.rule, alert.area), []).append(alert)
        found = []
        for (rule, area), alerts in sorted(by_place.items()):
            current = self._current(rule, area)
            proposal = propose(judged_of(alerts), current)
            if proposal is not None:
                found.append(self._proposal(rule, area, current, proposal.threshold, alerts, proposal))
        return found

    def effect_of(self, rule: str, area: str, threshold: float) -> dict[str, Any]:
        """What any threshold would have changed. Raises: Rejected: it is out of bounds."""
        self._check(threshold)
        alerts = [a for a in self._recent(area) if a.rule == rule]
        return self._proposal(rule, area, self._current(rule, area), threshold, alerts, None)

    async def adopt(self, rule: str, area: str, threshold: float, by: str, reason: str) -> dict[str, Any]:
        """From now on. Raises: Rejected: it cannot be adopted; Unavailable: the alert desk does not answer."""
        told = self.effect_of(rule, area, threshold)
        return await self._adopt(rule, area, threshold, by, reason, told["effect"], "")

    async def revert(self, adoption: str, by: str, reason: str) -> dict[str, Any]:
        """Back to what was in force before. Raises: Rejected: there is none, or another one is in force by now."""
        known = self._book.find(adoption)
        if known is None:
            raise Rejected("adoption", adoption, "no threshold was adopted under this id")
        if known not in self._book.in_force():
            raise Rejected("adoption", adoption, "it is not in force any more: take back the one that is")
        return await self._adopt(known.rule, known.area, known.before, by, reason, {}, known.id)

    async def _adopt(
        self, rule: str, area: str, threshold: float, by: str, reason: str, effect: dict[str, Any], reverts: str
    ) -> dict[str, Any]:
        now = self._clock()
        adoption = Adoption(
            id=uuid.uuid4().hex, rule=rule, area=area, threshold=threshold, before=self._book.at(rule, area, now),
            time=now, by=by.strip(), reason=reason.strip(), effect=effect, reverts=reverts,
        )  # fmt: skip
        check_adoption(adoption)
        await self._send(adoption)
        return adoption_object(adoption)

    def _current(self, rule: str, area: str) -> float:
        return max(LOWEST, self._book.at(rule, area, self._clock()))

    @staticmethod
    def _check(threshold: float) -> None:
        if not LOWEST <= threshold <= HIGHEST:
            raise Rejected("threshold", threshold, f"a threshold lies between {LOWEST} and {HIGHEST}")

    def _recent(self, area: str | None = None) -> list[Alert]:
        since, before = self._clock() - DAYS * DAY_MS, None
        found: list[Alert] = []
        while True:
            page = self._alerts.find(None, area, before, _PAGE)
            found += [alert for alert in page if alert.onset >= since]
            if len(page) < _PAGE or page[-1].onset < since:
                return found
            before = (page[-1].onset, page[-1].id)

    def _proposal(
        self, rule: str, area: str, current: float, threshold: float, alerts: list[Alert], proposal: Proposal | None
    ) -> dict[str, Any]:
        gone = [alert for alert in alerts if alert.score < threshold]
        verdicts = Counter(verdict_of(alert) or "none" for alert in gone)
        made: dict[str, Any] = {
            "rule": rule,
            "area": area,
            "current": current,
            "threshold": threshold,
            "effect": {
                "days": DAYS,
                "alerts": len(alerts),
                "not_raised": len(gone),
                "verdicts_of_not_raised": dict(sorted(verdicts.items())),
                "examples": [alert.id for alert in gone[:_EXAMPLES_MAX]],
            },
        }
        if proposal is not None:
            made["judged"], made["wrong"] = proposal.judged, proposal.wrong
            made["cost"] = {"before": proposal.cost_before, "after": proposal.cost_after}
        return made


def verdict_of(alert: Alert) -> str:
    """The last verdict of an alert, empty when there is none."""
    return next((action.verdict for action in reversed(alert.actions) if action.action == "verdict"), "")


def judged_of(alerts: list[Alert]) -> list[JudgedScore]:
    """Alerts whose verdict says something."""
    told = ((alert, deserved(alert.kind, verdict_of(alert))) for alert in alerts)
    return [JudgedScore(alert.score, worth) for alert, worth in told if worth is not None]


def adoption_object(adoption: Adoption) -> dict[str, Any]:
    return {
        "id": adoption.id,
        "rule": adoption.rule,
        "area": adoption.area,
        "threshold": adoption.threshold,
        "before": adoption.before,
        "since": format_time(adoption.time),
        "by": adoption.by,
        "reason": adoption.reason,
        "effect": adoption.effect,
        "reverts": adoption.reverts or None,
    }
