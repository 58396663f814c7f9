"""The desk without a file and without people: findings to alerts, for backtests, replay checks and tests."""

from domain.messages import Alert, Finding
from streams.analyser import Step
from streams.desk import held_back, holder, on_finding
from streams.threshold_book import ThresholdBook


class DeskInMemory:
    """Alerts by id, as the desk makes them of findings alone; incidents, which depend on what came first, are left out.

    Findings of several areas about one feed, line or controller fold into one alert: take them in the order of time.
    """

    def __init__(self, book: ThresholdBook | None = None) -> None:
        """``book``: the thresholds that were adopted."""
        self.alerts: dict[str, Alert] = {}
        self._book = book or ThresholdBook()

    def follow(self, step: Step) -> None:
        """Take what one message of the log has led to."""
        for flow in step.flows:
            for finding in flow.findings:
                self.take(finding)

    def take(self, finding: Finding) -> Alert | None:
        """The alert as it becomes; None when nothing changes."""
        known = self.alerts.get(finding.id) or holder(finding, self.alerts.values())
        if held_back(finding, known, self._book.at(finding.rule, finding.area, finding.time)):
            return None
        changed = on_finding(finding, known, ())
        if changed is not None:
            self.alerts[changed.id] = changed
        return changed
