"""``borough backtest``: recorded readings through the same stages in memory, to the out tables of the design."""

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.readings_table import BadRow
from connectors.tables_in import read_events, read_links, read_readings, read_sensors
from connectors.tables_out import TableWriter
from domain.messages import Quarantined
from domain.sensors import OpenRegister
from domain.times import SECOND_MS, TIME_MS_MAX, format_time
from models.road_names import DEFAULT
from streams.analyser import Step
from streams.area_clock import Patience
from streams.desk_in_memory import DeskInMemory
from streams.driver import Driver
from streams.setup import Setup
from streams.stage import Flow

_NEVER_AHEAD_MS = 2 * TIME_MS_MAX  # no two times are further apart

Progress = Callable[[int, str], None]


@dataclass(slots=True)
class Summary:
    """What came of a backtest."""

    readings: int = 0
    aggregates: int = 0
    scores: int = 0
    alerts: int = 0
    forecasts: int = 0
    put_aside: int = 0


def backtest(
    *,
    readings: Path,
    sensors: Path | None,
    links: Path | None,
    events: Path | None,
    out: Path,
    detector: str,
    lateness_s: float,
    horizon_s: float,
    road_detectors: Sequence[str] = DEFAULT,
    progress: Progress = lambda count, words: None,
) -> Summary:
    """Series without a sensors row become areas of their own, with what the data teach.

    Raises:
        Misconfigured: a file that is missing or no table, an unknown detector, an unknown road detector.
    """
    register = OpenRegister(read_sensors(sensors) if sensors else [], read_links(links) if links else [])
    # A span is analysed before its time has passed: nothing in a recording is ahead of the clock.
    patience = Patience(int(lateness_s * SECOND_MS), int(horizon_s * SECOND_MS), future_ms=_NEVER_AHEAD_MS)
    driver = Driver(Setup(register, patience, detector, tuple(road_detectors)))
    summary = Summary()
    with ExitStack() as stack:
        tables = stack.enter_context(TableWriter(out))
        aside = stack.enter_context(_PutAside(out / "quarantine.csv"))
        desk = DeskInMemory()
        chunks = read_readings(readings, aside.bad_row)
        for step in driver.run(chunks, read_events(events) if events else []):
            _write(step, tables, aside, desk, summary)
            for flow in step.flows:
                progress(len(flow.readings), format_time(flow.now) if flow.now > 0 else "")
        tables.alerts(sorted(desk.alerts.values(), key=lambda alert: (alert.onset, alert.id)))
        summary.alerts = len(desk.alerts)
        summary.put_aside = aside.count
    return summary


def _write(step: Step, tables: TableWriter, aside: "_PutAside", desk: DeskInMemory, summary: Summary) -> None:
    aside.records(step.quarantined)
    for flow in step.flows:
        _write_flow(flow, tables, summary)
        aside.records(flow.quarantined)
    desk.follow(step)


def _write_flow(flow: Flow, tables: TableWriter, summary: Summary) -> None:
    for batch in flow.closed:
        tables.aggregates(batch)
        summary.aggregates += len(batch)
    for part in (flow.readings, flow.unused):
        if len(part):
            tables.quality(flow.names, part)
    if len(flow.revised):
        tables.quality_anew(flow.names, flow.revised)
    if flow.scores is not None and len(flow.scored):
        tables.scores(flow.names, flow.scored, flow.scores)
        summary.scores += len(flow.scored)
    tables.forecasts(flow.forecasts)
    tables.anticipated(flow.anticipated)
    tables.maintenance(flow.health)
    tables.verdicts(flow.health)
    summary.readings += len(flow.readings)
    summary.forecasts += len(flow.forecasts)


class _PutAside:
    """``quarantine.csv``: every row of the file that was not used, and why. A context manager."""

    COLUMNS = ("line", "time", "series", "value", "field", "reason")

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self.COLUMNS)
        self.count = 0

    def __enter__(self) -> "_PutAside":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def bad_row(self, bad: BadRow) -> None:
        """A line of the readings table that is no reading."""
        self._rows.writerow((bad.line, "", "", bad.value, bad.field, bad.reason))
        self.count += 1

    def records(self, records: list[Quarantined]) -> None:
        """Readings that the stages put aside."""
        for record in records:
            time = "" if record.reading_time is None else format_time(record.reading_time)
            self._rows.writerow(("", time, record.series, record.value, record.field, record.reason))
            self.count += 1
