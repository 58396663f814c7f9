"""The road findings of an area that are open: one of a place at most, whichever detectors see it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from domain.codec import decode_as, encode
from domain.messages import Channel, Finding
from streams.quarantine import identity
from streams.road_words import Seen, joined, why

_SEVERITIES: Final = ("low", "medium", "high")


@dataclass(slots=True)
class _Open:
    """``reach``: sensors at which anything is this finding. ``last``: when it was seen last; ``rest`` until it ends."""

    finding: Finding
    reach: set[str]
    last: int
    rest: int


class RoadFindings:
    """The first detector opens, what others see at the same loops or the next ones on the road joins."""

    def __init__(self, area: str) -> None:
        self._area = area
        self._open: dict[str, _Open] = {}  # by id, in the order in which they were opened

    def __len__(self) -> int:
        return len(self._open)

    def seen(self, seen: Seen) -> Finding | None:
        """The finding as it becomes; None when nothing in it changes."""
        own = {spec.sensor.sensor for spec in seen.loops}
        known = next((entry for entry in self._open.values() if not own.isdisjoint(entry.reach)), None)
        if known is None:
            finding = self._opened(seen)
            reach = own | {spec.sensor.sensor for spec, _ in seen.neighbours}
            self._open[finding.id] = _Open(finding, reach, seen.end, seen.detector.rest_ms)
            return finding
        known.last = max(known.last, seen.end)
        known.rest = max(known.rest, seen.detector.rest_ms)
        after = _joined(known.finding, seen)
        if after is not None:
            known.finding = after
        return after

    def over(self, now: int) -> list[Finding]:
        """What has not been seen for long enough, closed at the time when it was seen last."""
        found = []
        for key, entry in list(self._open.items()):
            if now - entry.last >= entry.rest:
                del self._open[key]
                found.append(msgspec.structs.replace(entry.finding, phase="close", time=entry.last))
        return found

    def _opened(self, seen: Seen) -> Finding:
        names = [spec.name for spec in seen.loops]
        return Finding(
            id=identity(seen.detector.rule, self._area, *names, seen.since),
            rule=seen.detector.rule,
            kind="incident",
            phase="open",
            area=self._area,
            place=seen.places[0],
            series=names,
            time=seen.end,
            onset=seen.since,
            score=seen.detector.score,
            severity=seen.detector.severity,
            why=why(seen),
        )

    def snapshot(self) -> list[Any]:
        return [[encode(e.finding), sorted(e.reach), e.last, e.rest] for e in self._open.values()]

    def restore(self, payload: list[Any]) -> None:
        entries = [_Open(decode_as(Finding, raw), set(reach), last, rest) for raw, reach, last, rest in payload]
        self._open = {entry.finding.id: entry for entry in entries}


def _joined(finding: Finding, seen: Seen) -> Finding | None:
    """The finding with what has been seen in it; None when all of it is in there."""
    new = [spec.name for spec in seen.loops if spec.name not in finding.series]
    channels = [channel.name for channel in finding.why.channels]
    told = seen.detector.channel in channels
    if told and not new:
        return None
    if not told:
        channels.append(seen.detector.channel)
    words = finding.why.sentence if told else finding.why.sentence + joined(seen)
    shares = [Channel(name, round(1 / len(channels), 4)) for name in channels]
    return msgspec.structs.replace(
        finding,
        phase="update",
        time=seen.end,
        series=[*finding.series, *new],
        score=max(finding.score, seen.detector.score),
        severity=max(finding.severity, seen.detector.severity, key=_SEVERITIES.index),
        why=msgspec.structs.replace(finding.why, sentence=words, channels=shares),
    )


def told_once(found: Iterable[Finding]) -> list[Finding]:
    """Of what becomes of a finding at one time, the last of it: several detectors may speak in the same minute."""
    told: dict[tuple[str, bool, int], Finding] = {}
    for finding in found:
        key = finding.id, finding.phase == "close", finding.time
        first = told.get(key, finding)
        told[key] = msgspec.structs.replace(finding, phase=first.phase)
    return list(told.values())
