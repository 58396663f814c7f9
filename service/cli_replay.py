"""``replay``: recorded readings through the running system, at a chosen speed, with faults put onto them if wanted."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import Misconfigured, Rejected
from domain.times import SECOND_MS
from service.cli_options import AsJson, readable, with_settings
from service.cli_problems import line_by_line
from service.cli_progress import Meter
from service.sending import CHUNK, STEP_S, Pace, Sender, Tally, address_of, cut, end_of_hour, report, send_steps
from service.settings import Settings

if TYPE_CHECKING:  # numpy takes longer to import than `borough --help` may take
    from domain.readings import Readings

Inject = Annotated[
    Path | None, typer.Option("--inject", metavar="FILE", help="Faults to put onto the recording (YAML, see schema).")
]
TruthOut = Annotated[
    Path | None, typer.Option("--truth", metavar="FOLDER", help="Write truth.csv, which says what was put on.")
]


@with_settings("place", "client", "host", "port", "sensors", "lateness_s")
@line_by_line
def replay(
    settings: Settings,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Readings: CSV (also .gz) or Parquet with time,series,value.")
    ],
    speed: Annotated[
        str, typer.Option(metavar="X|max", help="Recorded seconds that pass in a second; max: as fast as it goes.")
    ] = "max",
    inject: Inject = None,
    truth: TruthOut = None,
    as_json: AsJson = False,
) -> int:
    """Send recorded readings through the running system."""
    pace = Pace.of(speed)
    readable(file, "FILE")
    if settings.sensors:
        _check_sensors(file, settings.sensors)
    if inject is None:
        if truth is not None:
            raise Misconfigured("--truth says what --inject put on: give --inject FILE too")
        return deliver(file, settings, pace, as_json)
    return _with_faults(file, settings, pace, readable(inject, "--inject") or inject, truth, as_json)


def deliver(file: Path, settings: Settings, pace: Pace, as_json: bool) -> int:
    """Send a recording to the running system of these settings and report; the exit code. Raises: as send."""
    base = address_of(settings)
    started = time.monotonic()
    tally = send(file, base, pace, settings.lateness_s)
    report(tally, time.monotonic() - started, as_json)
    return tally.code


def _with_faults(file: Path, settings: Settings, pace: Pace, inject: Path, truth: Path | None, as_json: bool) -> int:
    from connectors.tables_in import read_readings
    from service.injecting import injector_for, write_label_tables

    injector = injector_for(file, inject, settings.sensors)
    base = address_of(settings)
    if truth is not None:
        write_label_tables(injector, truth)
    tally = Tally()
    started = time.monotonic()
    parts = injector.played(read_readings(file, tally.refuse))
    name = f"replay-{_fingerprint(file)}-{_fingerprint(inject)}"
    sent = send_steps(cut(parts, pace.step_ms), base, name, pace, settings.lateness_s)
    sent.rejected += tally.rejected
    sent.reasons.update(tally.reasons)
    report(sent, time.monotonic() - started, as_json, faults=len(injector.truths))
    return sent.code


def send(file: Path, base: str, pace: Pace, lateness_s: float) -> Tally:
    """Post the readings of ``file`` in the order of time. Raises: Rejected, Unavailable, Misconfigured."""
    from connectors.tables_in import read_readings

    tally = Tally()
    with Meter("replay", "readings") as meter:
        sender = Sender(base, f"replay-{_fingerprint(file)}", tally, meter)
        for chunk, last in _slices(_present(read_readings(file, tally.refuse), tally), pace.speed):
            at = int(chunk.t[-1])
            pace.wait_until(at)
            # Time passes as it did then; at the end, as far as the last windows need to close.
            sender.post(chunk, end_of_hour(at) + int(lateness_s * SECOND_MS) if last else at)
    return tally


def _present(chunks: "Iterable[Readings]", tally: Tally) -> "Iterator[Readings]":
    """Readings with a value: over HTTP, what was not measured is simply not sent."""
    import numpy as np

    for chunk in chunks:
        there = ~np.isnan(chunk.x)
        tally.missing += len(chunk) - int(there.sum())
        if there.any():
            yield chunk if there.all() else chunk.take(there)


def _slices(chunks: "Iterable[Readings]", pace: float | None) -> "Iterator[tuple[Readings, bool]]":
    """Requests of at most ``CHUNK`` readings, and which is the last; with a pace, each covers little wall time."""
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
        end = min(at + CHUNK, len(chunk))
        if pace is not None:
            horizon = int(chunk.t[at]) + int(pace * STEP_S * 1_000)
            end = min(end, max(at + 1, int(np.searchsorted(chunk.t, horizon, side="right"))))
        yield chunk.take(np.arange(at, end))
        at = end


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
