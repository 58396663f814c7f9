"""The referee: alerts against the truth by matching events, never by counting points. Pure.

A point-adjusted F1 flatters random scores (Kim et al., AAAI 2022), so an event here is found or it is not, an alert is
explained by the truth or it is not, and the time from the one to the other is measured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from domain.times import MINUTE_MS
from simulator.truth import Truth

#: How an alert names each cause, by its kind; a transport fault may be called a data trouble, never an incident.
NAMED = {
    "world": frozenset({"anomaly", "incident"}),
    "sensor": frozenset({"quality", "silence", "maintenance"}),
    "transport": frozenset({"quality", "silence"}),
}
EXPLAINED, CARRIED, UNVERIFIED, FALSE = "explained", "transport", "cannot verify", "false"

#: After an event a place takes this long to be itself again: an alert then can neither be confirmed nor denied.
AFTERMATH_MS = 60 * MINUTE_MS
#: An alert cannot be caused by what begins later. One minute, because a closed window is named by its start.
FORESIGHT_MS = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Tolerance:
    """An onset counts for a label within ``[start - before, end + after]``, ms."""

    before: int
    after: int


_DEFAULT = Tolerance(5 * MINUTE_MS, 15 * MINUTE_MS)
#: By kind; others have five minutes before (the slowest sensors report so often, and an onset may be put at the last
#: reading before) and fifteen after.
TOLERANCES = {
    "crash": Tolerance(5 * MINUTE_MS, 10 * MINUTE_MS),
    "stopped-vehicle": Tolerance(5 * MINUTE_MS, 10 * MINUTE_MS),
    "feeder-fault": Tolerance(2 * MINUTE_MS, 10 * MINUTE_MS),
    "voltage-sag": Tolerance(2 * MINUTE_MS, 5 * MINUTE_MS),
    "pollution-episode": Tolerance(10 * MINUTE_MS, 30 * MINUTE_MS),
    "construction-dust": Tolerance(10 * MINUTE_MS, 30 * MINUTE_MS),
    "saharan-dust": Tolerance(10 * MINUTE_MS, 30 * MINUTE_MS),
    "bonfire-night": Tolerance(10 * MINUTE_MS, 30 * MINUTE_MS),
    "drift": Tolerance(5 * MINUTE_MS, 30 * MINUTE_MS),
}


@dataclass(frozen=True, slots=True)
class Said:
    """An alert as the referee sees it; ``onset`` and ``raised`` epoch ms, ``verdict`` an operator's, if any."""

    alert: str
    kind: str
    area: str
    series: tuple[str, ...]
    onset: int
    raised: int
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one label: the alerts that match it, in the order in which they were raised."""

    truth: Truth
    alerts: tuple[Said, ...]

    @property
    def found(self) -> bool:
        return bool(self.alerts)

    @property
    def delay_ms(self) -> int | None:
        """From the beginning of the cause to the first alert; never below 0."""
        return max(0, self.alerts[0].raised - self.truth.start) if self.alerts else None

    @property
    def named_right(self) -> bool:
        """Whether what the operator was told first names the cause; of several at that time, one has to."""
        first = [alert for alert in self.alerts if alert.raised == self.alerts[0].raised]
        return any(alert.kind in NAMED[self.truth.cause] for alert in first)

    @property
    def domain(self) -> str:
        """``traffic``, ``air``, ``energy``: of its first series, where the cause acts; fumes of a queue come after."""
        return domain_of(self.truth.series[:1])


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the truth says of one alert: explained, transport, cannot verify or false."""

    said: Said
    verdict: str

    @property
    def domain(self) -> str:
        return domain_of(self.said.series)


def domain_of(series: Sequence[str]) -> str:
    """The domain of most of these series; empty for none."""
    names = [name.partition("/")[2].partition(".")[0] for name in series]
    return max(sorted(set(names)), key=names.count) if names else ""


def same_place(truth: Truth, said: Said) -> bool:
    """They share a series; an alert that names no series is judged by its area."""
    if said.series:
        return not set(truth.series).isdisjoint(said.series)
    return bool(said.area) and said.area == truth.area


def matches(truth: Truth, said: Said) -> bool:
    """Same place, onset within the tolerance of the kind, and not raised before the cause began."""
    allowed = TOLERANCES.get(truth.kind, _DEFAULT)
    in_time = truth.start - allowed.before <= said.onset <= truth.end + allowed.after
    return in_time and said.raised >= truth.start - FORESIGHT_MS and same_place(truth, said)


def outcomes(truths: Iterable[Truth], alerts: Sequence[Said]) -> list[Outcome]:
    """One for each label, in the order of the labels."""
    by_series = _by_series(alerts)
    return [_outcome(truth, by_series) for truth in truths]


def judge(truths: Sequence[Truth], alerts: Sequence[Said]) -> list[Judgement]:
    """One for each alert, in the order of the alerts.

    The labels that touch a series decide in this order: a matching event of the town or fault of a sensor explains;
    a matching transport fault does when it is called a data trouble; soon after any of them nobody can say; else false.
    """
    by_series: dict[str, list[Truth]] = {}
    for truth in truths:
        for key in (*truth.series, f"area:{truth.area}"):
            by_series.setdefault(key, []).append(truth)
    return [Judgement(said, _verdict(said, _near(said, by_series))) for said in alerts]


def _verdict(said: Said, near: Sequence[Truth]) -> str:
    matched = {truth.cause for truth in near if matches(truth, said)}
    if matched & {"world", "sensor"}:
        return EXPLAINED
    if "transport" in matched and said.kind in NAMED["transport"]:
        return CARRIED
    if said.verdict == "cannot_verify" or any(_in_aftermath(truth, said) for truth in near):
        return UNVERIFIED
    return FALSE


def _in_aftermath(truth: Truth, said: Said) -> bool:
    return truth.cause != "transport" and matches(replace(truth, end=truth.end + AFTERMATH_MS), said)


def _near(said: Said, by_series: dict[str, list[Truth]]) -> Sequence[Truth]:
    keys = said.series or (f"area:{said.area}",)
    return [truth for key in keys for truth in by_series.get(key, ())]


def _by_series(alerts: Sequence[Said]) -> dict[str, list[Said]]:
    index: dict[str, list[Said]] = {}
    for said in alerts:
        for key in said.series or (f"area:{said.area}",):
            index.setdefault(key, []).append(said)
    return index


def _outcome(truth: Truth, by_series: dict[str, list[Said]]) -> Outcome:
    near = {said.alert: said for key in (*truth.series, f"area:{truth.area}") for said in by_series.get(key, ())}
    found = [said for said in near.values() if matches(truth, said)]
    return Outcome(truth, tuple(sorted(found, key=lambda said: (said.raised, said.alert))))
