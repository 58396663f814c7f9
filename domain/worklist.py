"""The stewards' worklist: which sensors to see to first, from the daily verdicts in the health messages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.messages import Health, Verdict
from domain.times import DAY_MS

GOOD = "good"
_LAG_MS = DAY_MS  # an area may close its day a little later than the others: its newest verdicts still count


@dataclass(frozen=True, slots=True)
class Work:
    """A sensor that is not good, on the day that begins at ``day`` (epoch ms)."""

    day: int
    area: str
    asset: str
    verdict: Verdict


def enough(messages: list[Health], day: int | None) -> bool:
    """Whether these, newest first, reach back as far as :func:`worklist` looks; with None the newest day counts."""
    return bool(messages) and messages[-1].time < (messages[0].time if day is None else day) - _LAG_MS


def worklist(messages: Iterable[Health], day: int | None = None) -> list[Work]:
    """Sensors that are not good by impact, the largest first; of each asset its newest verdicts up to ``day``.

    Args:
        messages: newest first.
        day: the start of a day, epoch ms; None for the newest there is.
    """
    told = list(_newest(messages, day))
    return sorted(
        (Work(m.time, m.area, m.asset, v) for m in told for v in m.verdicts if v.verdict != GOOD),
        key=lambda work: (-work.verdict.impact, work.verdict.sensor),
    )


def _newest(messages: Iterable[Health], day: int | None) -> Iterator[Health]:
    seen: set[tuple[str, str]] = set()
    for message in messages:
        if day is not None and message.time >= day + DAY_MS:
            continue
        if day is None:
            day = message.time - message.time % DAY_MS
        if message.time >= day - _LAG_MS and (message.area, message.asset) not in seen:
            seen.add((message.area, message.asset))
            yield message
