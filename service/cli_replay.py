"""``replay``: recorded readings through the running system, at a chosen speed."""

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import Misconfigured, Rejected, Unavailable
from domain.times import HOUR_MS, format_time
from service import api_client
from service.cli_options import AsJson, readable, with_settings
from service.cli_progress import Meter
from service.data_dir import recorded_service
from service.settings import Settings

if TYPE_CHECKING:  # numpy takes longer to import than `borough --help` may take
    from connectors.tables_in import BadRow
    from domain.readings import Readings

_CHUNK = 10_000  # readings in a request: about 0.5 MB as CSV, well below the gateway's 1 MiB before it is zipped
_STEP_S = 0.5  # wall time covered by a request when a speed is given
_PATIENCE_S = 300.0


@dataclass
class Tally:
    """What has become of the readings of a replay; ``missing`` have no value and are not sent, of the
    rejected ``held`` wait until their sensor is registered."""

    accepted: int = 0
    held: int = 0
    missing: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None

    def refuse(self, row: "BadRow") -> None:
        """A row of the file that is no reading: the system would not take it either."""
        self.rejected += 1
        self.reasons[f"{row.field}: {row.reason}"] += 1


@with_settings("place", "client", "host", "port", "sensors", "lateness_s")
def replay(
    settings: Settings,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Readings: CSV (also .gz) or Parquet with time,series,value.")
    ],
    speed: Annotated[
        str, typer.Option(metavar="X|max", help="Recorded seconds that pass in a second; max: as fast as it goes.")
    ] = "max",
    as_json: AsJson = False,
) -> int:
    """Send recorded readings through the running system."""
    _pace(speed)
    readable(file, "FILE")
    if settings.sensors:
        _check_sensors(file, settings.sensors)
    return deliver(file, settings, speed, as_json)


def deliver(file: Path, settings: Settings, speed: str, as_json: bool) -> int:
    """Send a recording to the running system of these settings and report; the exit code. Raises: as send."""
    pace = _pace(speed)
    base = settings.api_url or recorded_service(settings.data_dir) or settings.api
    if not api_client.answers(base):
        raise Unavailable(f"no Borough answers at {base}: start 'borough serve', or give --data-dir or --api-url")
    started = time.monotonic()
    tally = send(file, base, pace, settings.lateness_s)
    _report(tally, time.monotonic() - started, as_json)
    return 0 if tally.accepted or not tally.rejected else 1


def send(file: Path, base: str, pace: float | None, lateness_s: float) -> Tally:
    """Post the readings of ``file`` in the order of time. Raises: Rejected, Unavailable, Misconfigured."""
    from connectors.tables_in import read_readings

    url = f"{base}/v1/replay?gateway=replay-{_fingerprint(file)}&tick="
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    tally = Tally()
    with Meter("replay", "readings") as meter:
        clock = _Clock(pace)
        for chunk, last in _slices(_present(read_readings(file, tally.refuse), tally), pace):
            at = int(chunk.t[-1])
            clock.wait_until(at)
            # Time passes as it did then; at the end, as far as the last windows need to close.
            tick = format_time(_end_of_hour(at) + int(lateness_s * 1_000) if last else at)
            body = gzip.compress(_csv(chunk), 1)
            answer = api_client.post_patiently(url + tick, body, headers, patience_s=_PATIENCE_S, waiting=meter.note)
            _count(tally, chunk, answer)
            meter.advance(len(chunk), f"at {format_time(at)}")
    return tally


def _end_of_hour(ms: int) -> int:
    return (ms // HOUR_MS + 1) * HOUR_MS


class _Clock:
    """Event time against the wall clock: ``pace`` recorded seconds a second, None for no waiting."""

    def __init__(self, pace: float | None) -> None:
        self._pace = pace
        self._origin: tuple[int, float] | None = None

    def wait_until(self, event_ms: int) -> None:
        if self._pace is None:
            return
        now = time.monotonic()
        self._origin = self._origin or (event_ms, now)
        due = self._origin[1] + (event_ms - self._origin[0]) / 1_000 / self._pace
        if due > now:
            time.sleep(due - now)


def _present(chunks: "Iterable[Readings]", tally: Tally) -> "Iterator[Readings]":
    """Readings with a value: over HTTP, what was not measured is simply not sent."""
    import numpy as np

    for chunk in chunks:
        there = ~np.isnan(chunk.x)
        tally.missing += len(chunk) - int(there.sum())
        if there.any():
            yield chunk if there.all() else chunk.take(there)


def _slices(chunks: "Iterable[Readings]", pace: float | None) -> "Iterator[tuple[Readings, bool]]":
    """Requests of at most ``_CHUNK`` readings, and which is the last; with a pace, each covers little wall time."""
    before: Readings | None = None
    for chunk in chunks:
        for piece in _pieces(chunk, pace):
            if before is not None:
                yield before, False
            before = piece
    if before is not None:
        yield before, True


def _pieces(chunk: "Readings", pace: float | None) -> "Iterator[Readings]":
    import numpy as np

    at = 0
    while at < len(chunk):
        end = min(at + _CHUNK, len(chunk))
        if pace is not None:
            horizon = int(chunk.t[at]) + int(pace * _STEP_S * 1_000)
            end = min(end, max(at + 1, int(np.searchsorted(chunk.t, horizon, side="right"))))
        yield chunk.take(np.arange(at, end))
        at = end


def _csv(chunk: "Readings") -> bytes:
    series = chunk.series
    lines = ["time,series,value"]
    for i, t, x in zip(chunk.i.tolist(), chunk.t.tolist(), chunk.x.tolist(), strict=True):
        lines.append(f"{format_time(t)},{series[i]},{x!r}")
    return ("\n".join(lines) + "\n").encode()


def _count(tally: Tally, chunk: "Readings", answer: dict[str, Any]) -> None:
    rejected = answer["rejected"]
    tally.accepted += int(answer["accepted"])
    tally.held += int(answer.get("held", 0))
    # The list may be shortened by the server: what was not accepted was rejected.
    tally.rejected += len(chunk) - int(answer["accepted"])
    tally.reasons.update(f"{item['field']}: {item['reason']}" for item in rejected)
    tally.first = int(chunk.t[0]) if tally.first is None else tally.first
    tally.last = int(chunk.t[-1])


def _report(tally: Tally, seconds: float, as_json: bool) -> None:
    period = [None if ms is None else format_time(ms) for ms in (tally.first, tally.last)]
    if as_json:
        summary = {
            "accepted": tally.accepted,
            "held": tally.held,
            "missing": tally.missing,
            "rejected": tally.rejected,
            "reasons": dict(tally.reasons.most_common()),
        }
        print(json.dumps({**summary, "first": period[0], "last": period[1], "seconds": round(seconds, 3)}))
        return
    print(f"{tally.accepted} readings accepted, {tally.rejected} rejected, in {seconds:.1f} s", file=sys.stderr)
    if tally.missing:
        print(f"  {tally.missing} rows without a value were not sent", file=sys.stderr)
    if tally.held:
        print(f"  {tally.held} of the rejected are held until their sensors are registered", file=sys.stderr)
    for reason, count in tally.reasons.most_common(10):
        print(f"  {count} × {reason}", file=sys.stderr)


def _pace(text: str) -> float | None:
    try:
        pace = 0.0 if text == "max" else float(text.removesuffix("x"))
        if not 0 <= pace < 1e9:
            raise ValueError
    except ValueError:
        raise Misconfigured(f"--speed: '{text}' is not a positive number or 'max'") from None
    return pace or None


def _fingerprint(file: Path) -> str:
    """Names the recording, so that the same file sent again counts once."""
    from hashlib import file_digest

    with file.open("rb") as raw:
        return file_digest(raw, "sha256").hexdigest()[:12]


def _check_sensors(file: Path, sensors: Path) -> None:
    """Raises: Rejected: the recording has sensors that the table does not know; some are named."""
    from connectors.tables_in import read_readings, read_sensors

    known = {row.sensor for row in read_sensors(sensors)}
    named = {series.partition("/")[0] for chunk in read_readings(file) for series in chunk.series}
    strange = sorted(named - known)
    if strange:
        raise Rejected("sensors", ", ".join(strange[:5]), f"{len(strange)} sensors of {file} are not in {sensors}")
