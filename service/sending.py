"""Readings to a running system over HTTP, in the order in which they arrive, at a pace, with time passing as it did."""

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.errors import Misconfigured, Rejected, Unavailable
from domain.times import HOUR_MS, MINUTE_MS, SECOND_MS, format_time
from service import api_client
from service.cli_progress import Meter
from service.data_dir import recorded_service
from service.settings import Settings

if TYPE_CHECKING:  # numpy takes longer to import than `borough --help` may take
    from connectors.tables_in import BadRow
    from domain.readings import Readings
    from simulator.transport import Arrivals

CHUNK = 10_000  # readings in a request: about 0.5 MB as CSV, well below the gateway's 1 MiB before it is zipped
STEP_S = 0.5  # wall time covered by a request when a speed is given
_PATIENCE_S = 300.0
_HEADERS = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}


@dataclass
class Tally:
    """What has become of the readings sent; ``missing`` have no value and are not sent, of the rejected ``held`` wait
    until their sensor is registered, ``unreadable`` were bytes that no system can read."""

    accepted: int = 0
    held: int = 0
    missing: int = 0
    rejected: int = 0
    unreadable: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None

    def refuse(self, row: "BadRow") -> None:
        """A row of the file that is no reading: the system would not take it either."""
        self.rejected += 1
        self.reasons[f"{row.field}: {row.reason}"] += 1

    def count(self, chunk: "Readings", answer: dict[str, Any]) -> None:
        rejected = answer["rejected"]
        self.accepted += int(answer["accepted"])
        self.held += int(answer.get("held", 0))
        # The list may be shortened by the server: what was not accepted was rejected.
        self.rejected += len(chunk) - int(answer["accepted"])
        self.reasons.update(f"{item['field']}: {item['reason']}" for item in rejected)
        times = (int(chunk.t.min()), int(chunk.t.max()))
        self.first = times[0] if self.first is None else min(self.first, times[0])
        self.last = times[1] if self.last is None else max(self.last, times[1])

    @property
    def code(self) -> int:
        """The exit code: 1 when nothing at all was taken."""
        return 0 if self.accepted or not self.rejected else 1


class Pace:
    """Event time against the wall clock: ``speed`` recorded seconds a second, None for no waiting."""

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._origin: tuple[int, float] | None = None

    @classmethod
    def of(cls, text: str) -> "Pace":
        """Of ``--speed``. Raises: Misconfigured."""
        try:
            speed = 0.0 if text == "max" else float(text.removesuffix("x"))
            if not 0 <= speed < 1e9:
                raise ValueError
        except ValueError:
            raise Misconfigured(f"--speed: '{text}' is not a positive number or 'max'") from None
        return cls(speed or None)

    @property
    def step_ms(self) -> int:
        """How far event time may go at once, so that what is late comes late: a second to a minute."""
        wanted = MINUTE_MS if self.speed is None else int(self.speed * STEP_S * SECOND_MS)
        return max(SECOND_MS, min(MINUTE_MS, wanted))

    def wait_until(self, event_ms: int) -> None:
        if self.speed is None:
            return
        now = time.monotonic()
        self._origin = self._origin or (event_ms, now)
        due = self._origin[1] + (event_ms - self._origin[0]) / 1_000 / self.speed
        if due > now:
            time.sleep(due - now)


def address_of(settings: Settings) -> str:
    """Where the running system of these settings answers. Raises: Unavailable."""
    base = settings.api_url or recorded_service(settings.data_dir) or settings.api
    if not api_client.answers(base):
        raise Unavailable(f"no Borough answers at {base}: start 'borough serve', or give --data-dir or --api-url")
    return base


class Sender:
    """Posts readings under the name of a recording: the same recording sent again counts once."""

    def __init__(self, base: str, recording: str, tally: Tally, meter: Meter) -> None:
        self._base = base
        self._url = f"{base}/v1/replay?gateway={recording}&tick="
        self._tally = tally
        self._meter = meter

    def post(self, chunk: "Readings", tick: int) -> None:
        """Readings, and then time passes to ``tick`` (epoch ms). Raises: Rejected, Unavailable."""
        body = gzip.compress(csv_of(chunk), 1)
        answer = api_client.post_patiently(
            self._url + format_time(tick), body, _HEADERS, patience_s=_PATIENCE_S, waiting=self._meter.note
        )
        self._tally.count(chunk, answer)
        self._meter.advance(len(chunk), f"at {format_time(tick)}")

    def spoilt(self, raw: bytes) -> None:
        """Bytes that cannot be read: they are refused, and nothing else happens."""
        try:
            api_client.call(f"{self._base}/v1/readings", raw, {"Content-Type": "application/json"})
        except Rejected:
            self._tally.unreadable += 1


def send_steps(
    steps: "Iterable[tuple[int, Arrivals]]", base: str, recording: str, pace: Pace, lateness_s: float
) -> Tally:
    """What has arrived up to each time; at the end time passes far enough for the last windows to close.

    Raises: Rejected, Unavailable.
    """
    import numpy as np

    tally = Tally()
    with Meter("sending", "readings") as meter:
        sender = Sender(base, recording, tally, meter)
        last: tuple[Readings, int] | None = None
        for now, due in steps:
            pace.wait_until(now)
            for _, raw in due.garbage:
                sender.spoilt(raw)
            there = np.flatnonzero(~np.isnan(due.readings.x))
            tally.missing += len(due.readings) - len(there)
            for begin in range(0, len(there), CHUNK):
                if last is not None:
                    sender.post(*last)
                last = (due.readings.take(there[begin : begin + CHUNK]), now)
        if last is not None:
            chunk, now = last
            sender.post(chunk, end_of_hour(now) + int(lateness_s * SECOND_MS))
    return tally


def end_of_hour(ms: int) -> int:
    return (ms // HOUR_MS + 1) * HOUR_MS


def cut(parts: "Iterable[Arrivals]", step_ms: int) -> "Iterator[tuple[int, Arrivals]]":
    """Arrivals in steps of event time, each named by its end."""
    for part in parts:
        rest = part
        while len(rest.readings) or rest.garbage:
            at = [int(rest.at[0])] if len(rest.at) else []
            at += [rest.garbage[0][0]] if rest.garbage else []
            now = (min(at) // step_ms + 1) * step_ms
            due, rest = rest.split(now)
            yield now, due


def csv_of(chunk: "Readings") -> bytes:
    series = chunk.series
    lines = ["time,series,value"]
    for i, t, x in zip(chunk.i.tolist(), chunk.t.tolist(), chunk.x.tolist(), strict=True):
        lines.append(f"{format_time(t)},{series[i]},{x!r}")
    return ("\n".join(lines) + "\n").encode()


def report(tally: Tally, seconds: float, as_json: bool, **more: object) -> None:
    """What was sent, on stdout as JSON or on stderr in words."""
    period = [None if ms is None else format_time(ms) for ms in (tally.first, tally.last)]
    if as_json:
        summary = {
            "accepted": tally.accepted, "held": tally.held, "missing": tally.missing, "rejected": tally.rejected,
            "unreadable": tally.unreadable, "reasons": dict(tally.reasons.most_common()),
        }  # fmt: skip
        print(json.dumps({**summary, "first": period[0], "last": period[1], "seconds": round(seconds, 3), **more}))
        return
    print(f"{tally.accepted} readings accepted, {tally.rejected} rejected, in {seconds:.1f} s", file=sys.stderr)
    if tally.missing:
        print(f"  {tally.missing} rows without a value were not sent", file=sys.stderr)
    if tally.unreadable:
        print(f"  {tally.unreadable} unreadable messages were sent and refused, as they should be", file=sys.stderr)
    if tally.held:
        print(f"  {tally.held} of the rejected are held until their sensors are registered", file=sys.stderr)
    for reason, count in tally.reasons.most_common(10):
        print(f"  {count} × {reason}", file=sys.stderr)
    for name, value in more.items():
        print(f"  {name} {value}", file=sys.stderr)
