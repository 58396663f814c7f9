"""What a sender has sent against what the system says it holds: every accepted reading counted once, and exactly.

A ledger is a CSV file that only ever grows, ``series,sequence,time,value,outcome``: ``sequence`` numbers the requests,
``outcome`` is ``ok`` (the door said 202), ``fail`` (it said no, or nobody was there) or ``unknown`` (no answer came).
It must hold everything that was sent of its series. The checker knows nothing of how Borough works: it takes the rows
of ``aggregates.csv`` and of the quarantine, and computes every window again.
"""

import csv
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import Misconfigured, Rejected
from domain.times import format_time, parse_time

COLUMNS = ("series", "sequence", "time", "value", "outcome")
OUTCOMES = ("ok", "fail", "unknown")
SUM_TOLERANCE = 1e-9  # of the sum of the absolute values
_SUBSETS_MAX = 12  # unknown readings of one window whose every subset is tried
_LATE = "too late"

Row = Mapping[str, Any]


class Line(NamedTuple):
    """One reading of one request; ``ms`` is its event time, epoch ms."""

    series: str
    sequence: int
    ms: int
    value: float
    outcome: str


class Aside(NamedTuple):
    """A reading in quarantine."""

    series: str
    ms: int
    value: float
    reason: str


class Windows(NamedTuple):
    """What one window must hold: ``certain`` values by time, and those that may be there or not."""

    certain: dict[int, float]
    perhaps: dict[int, float]


def read_ledger(path: Path) -> list[Line]:
    """The lines of a ledger; a last line without its end (the writer died) is left out. Raises: Misconfigured."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"ledger {path} cannot be read: {error}") from None
    whole = text[: text.rfind("\n") + 1].splitlines()
    if not whole or tuple(whole[0].split(",")) != COLUMNS:
        raise Misconfigured(f"ledger {path}: the first line must be {','.join(COLUMNS)}")
    lines = []
    for number, cells in enumerate(csv.reader(whole[1:]), start=2):
        try:
            series, sequence, time, value, outcome = cells
            lines.append(Line(series, int(sequence), parse_time(time), float(value), outcome))
        except (ValueError, Rejected) as error:
            raise Misconfigured(f"ledger {path} line {number}: {error}") from None
        if outcome not in OUTCOMES:
            raise Misconfigured(f"ledger {path} line {number}: outcome is one of {', '.join(OUTCOMES)}")
    return lines


def aside_of(items: Iterable[Row]) -> list[Aside]:
    """Readings among the items of the quarantine (``/v1/quarantine``); what is no reading is left out."""
    found = []
    for item in items:
        if item.get("series") and item.get("reading_time") is not None:
            try:
                value = float(item["value"])
            except ValueError:
                continue
            found.append(Aside(str(item["series"]), parse_time(str(item["reading_time"])), value, str(item["reason"])))
    return found


def expected(lines: Iterable[Line], aside: Iterable[Aside], window_s: int) -> dict[str, dict[int, Windows]]:
    """Series → start of the window (epoch ms) → what it must hold.

    Raises: Misconfigured: the ledger gives one series two values at one time.
    """
    put_aside = {(a.series, a.ms, a.value): a.reason for a in aside}
    of_key: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in lines:
        of_key[line.series, line.ms].append(line)
    wanted: dict[str, dict[int, Windows]] = defaultdict(dict)
    for (series, ms), sent in of_key.items():
        if len({line.value for line in sent}) > 1:
            raise Misconfigured(
                f"the ledger has several values of {series} at {format_time(ms)}: corrections cannot be"
            )
        taken = [line for line in sent if line.outcome != "fail"]
        if not taken:
            continue
        reason = put_aside.get((series, ms, sent[0].value))
        # Sent again after it was too late, a reading that counts stands in quarantine as well.
        again = reason is not None and reason.startswith(_LATE) and len(taken) > 1
        if reason is not None and not again:
            continue
        start = ms - ms % (window_s * 1_000)
        window = wanted[series].setdefault(start, Windows({}, {}))
        certain = any(line.outcome == "ok" for line in taken) and not again
        (window.certain if certain else window.perhaps)[ms] = sent[0].value
    return dict(wanted)


def check(
    lines: Sequence[Line], stored: Mapping[str, Iterable[Row]], aside: Sequence[Aside], window_s: int
) -> list[str]:
    """What is wrong, one sentence each; empty when every accepted reading is counted exactly once.

    Args:
        lines: the ledger.
        stored: rows of ``aggregates.csv`` of every series of the ledger, of windows of this length.
        aside: what stands in quarantine.
    """
    wanted = expected(lines, aside, window_s)
    wrong = _aside_wrong(lines, aside)
    for series in sorted({line.series for line in lines}):
        wrong += [f"{series} {text}" for text in _series_wrong(list(stored.get(series, ())), wanted.get(series, {}))]
    return wrong


def _aside_wrong(lines: Sequence[Line], aside: Sequence[Aside]) -> list[str]:
    """Of the ledger's series nothing stands in quarantine that was not taken, and nothing stands there twice."""
    taken = {(line.series, line.ms, line.value) for line in lines if line.outcome != "fail"}
    ours = {line.series for line in lines}
    wrong = []
    seen: set[tuple[str, int, float, str]] = set()
    for item in aside:
        if item.series not in ours:
            continue
        if item[:3] not in taken:
            wrong.append(f"{item.series} {format_time(item.ms)} {item.value!r} is in quarantine and was never accepted")
        if item in seen:
            wrong.append(f"{item.series} {format_time(item.ms)} {item.value!r} is in quarantine twice")
        seen.add(item)
    return wrong


def _series_wrong(rows: Sequence[Row], wanted: Mapping[int, Windows]) -> list[str]:
    wrong = []
    seen: set[int] = set()
    for row in rows:
        start = parse_time(str(row["window_start"]))
        if start in seen:
            wrong.append(f"{row['window_start']} stands twice")
        seen.add(start)
        window = wanted.get(start)
        if window is None:
            wrong.append(f"{row['window_start']} is stored and nothing accepted belongs there: {dict(row)}")
        elif difference := _window_wrong(row, window):
            wrong.append(f"{row['window_start']}: {difference}")
    missing = [start for start, window in wanted.items() if start not in seen and window.certain]
    return wrong + [
        f"{format_time(start)} is not stored; {len(wanted[start].certain)} accepted readings belong there"
        for start in sorted(missing)
    ]


def _window_wrong(row: Row, window: Windows) -> str:
    """In words, how a stored window differs from everything that it could rightly be; empty when it does not."""
    first = _values_wrong(row, window.certain)
    if not first or not window.perhaps:
        return first
    extra = int(row["count"]) - len(window.certain)
    if not 0 <= extra <= len(window.perhaps):
        return f"{first} ({len(window.perhaps)} more may count)"
    if len(window.perhaps) > _SUBSETS_MAX:
        return "" if _bounded(row, window) else f"{first} (nor with any of {len(window.perhaps)} that may count)"
    for chosen in itertools.combinations(window.perhaps.items(), extra):
        if not _values_wrong(row, {**window.certain, **dict(chosen)}):
            return ""
    return f"{first} (nor with any of {len(window.perhaps)} that may count)"


def _values_wrong(row: Row, values: Mapping[int, float]) -> str:
    if int(row["count"]) != len(values):
        return f"{row['count']} readings are counted, {len(values)} were accepted"
    total, right = int(row["count"]) * float(row["mean"]), math.fsum(values.values())
    if not abs(total - right) <= SUM_TOLERANCE * math.fsum(map(abs, values.values())):
        return f"the sum is {total!r}, {right!r} is right"
    for name, wanted in (
        ("min", min(values.values())),
        ("max", max(values.values())),
        ("last", values[max(values)]),
    ):
        if float(row[name]) != wanted:
            return f"{name} is {row[name]}, {wanted!r} is right"
    return ""


def _bounded(row: Row, window: Windows) -> bool:
    """Too many subsets to try: the extremes and the sum must at least be possible."""
    everything = {**window.certain, **window.perhaps}
    low, high = min(everything.values()), max(everything.values())
    if not (low <= float(row["min"]) <= float(row["max"]) <= high and float(row["last"]) in everything.values()):
        return False
    extra = sorted(window.perhaps.values())
    k = int(row["count"]) - len(window.certain)
    certain = math.fsum(window.certain.values())
    slack = SUM_TOLERANCE * math.fsum(map(abs, everything.values()))
    total = int(row["count"]) * float(row["mean"])
    return certain + math.fsum(extra[:k]) - slack <= total <= certain + math.fsum(extra[len(extra) - k :]) + slack
