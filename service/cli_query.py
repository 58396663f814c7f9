"""``query`` and ``export``: history as a table, CSV, JSON or files. Everything asked for is fetched, nothing is cut."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Misconfigured, Rejected
from domain.times import parse_time
from service.cli_options import with_settings
from service.cli_tables import chosen_format, print_rows, write_csv
from service.history import TIME_MAX, TIME_MIN, History, Item, open_history
from service.settings import Settings

query = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
export = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

AGGREGATES = (
    "window_start", "window_s", "series", "count", "mean", "min", "max", "last", "coverage", "flag", "revision",
)  # fmt: skip
SERIES = ("series", "sensor", "quantity", "unit", "area", "latest_time", "latest")
ALERTS = ("alert", "series", "area", "kind", "severity", "onset", "raised", "cleared", "score", "why")
ALERTS_SHORT = ("alert", "state", "severity", "place", "onset", "cleared", "why")
WORK = ("rank", "day", "sensor", "area", "asset", "verdict", "cause", "share", "impact")
QUARANTINE = ("time", "series", "reading_time", "field", "value", "reason", "topic", "gateway")
_WINDOWS = {"1m": 60, "15m": 900, "1h": 3_600, "8h": 28_800, "24h": 86_400}

Format = Annotated[
    str | None, typer.Option("--format", metavar="table|csv|json", help="Default: table on a terminal, csv in a pipe.")
]
Start = Annotated[str | None, typer.Option(metavar="TIME", help="From this time on, RFC 3339 or a date (UTC).")]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")]
Day = Annotated[str | None, typer.Option(metavar="DATE", help="The day (UTC); default: the newest there is.")]
Window = Annotated[str, typer.Option(metavar="SECONDS", help="60, 900, 3600, 28800 or 86400 (1m, 15m, 1h, 8h, 24h).")]
OneSeries = Annotated[
    list[str], typer.Option("--series", metavar="NAME", help="As in loop-014/traffic.flow; may be repeated.")
]
SomeSeries = Annotated[
    list[str] | None, typer.Option("--series", metavar="NAME", help="Default: all; may be repeated.")
]
State = Annotated[
    str | None, typer.Option(metavar="STATE", help="open, acknowledged, resolved, closed, or active; default: all.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="A .csv, .csv.gz or .parquet file.")]


@query.command("aggregates")
@with_settings("place", "store", "client")
def query_aggregates(
    settings: Settings,
    series: OneSeries,
    window: Window = "60",
    start: Start = None,
    end: End = None,
    format_: Format = None,
) -> None:
    """Windows of one or more series: count, mean, min, max, last, coverage, flag."""
    form, length, asked = chosen_format(format_), window_s(window), period(start, end)
    rows = aggregates(open_history(settings), series, length, *asked)
    print_rows(AGGREGATES, rows, form)


@query.command("series")
@with_settings("place", "store", "client")
def query_series(settings: Settings, format_: Format = None) -> None:
    """Every series there is, with its unit and latest value."""
    form = chosen_format(format_)
    items = open_history(settings).series()
    print_rows(SERIES, items if form == "json" else map(_flat_series, items), form)


@query.command("alerts")
@with_settings("place", "store", "client")
def query_alerts(settings: Settings, state: State = None, format_: Format = None) -> None:
    """Alerts, newest first; also those that are over."""
    form = chosen_format(format_)
    items = open_history(settings).alerts(state)
    columns = ALERTS_SHORT if form == "table" else ALERTS
    print_rows(columns, items if form == "json" else map(_flat_alert, items), form)


@query.command("quarantine")
@with_settings("place", "store", "client")
def query_quarantine(settings: Settings, start: Start = None, end: End = None, format_: Format = None) -> None:
    """What could not be used, and why."""
    form = chosen_format(format_)
    print_rows(QUARANTINE, open_history(settings).quarantine(*period(start, end)), form)


@query.command("worklist")
@with_settings("place", "store", "client")
def query_worklist(settings: Settings, day: Day = None, format_: Format = None) -> None:
    """Sensors to see to, by impact: the day's verdict, its named cause, and how many readings it costs."""
    form = chosen_format(format_)
    print_rows(WORK, open_history(settings).worklist(None if day is None else _time(day, "--day")), form)


@export.command("aggregates")
@with_settings("place", "store", "client")
def export_aggregates(
    settings: Settings,
    out: Out,
    series: SomeSeries = None,
    window: Window = "3600",
    start: Start = None,
    end: End = None,
) -> None:
    """Write windows to a CSV or Parquet file."""
    history = open_history(settings)
    names = series or [item["series"] for item in history.series()]
    _write(AGGREGATES, aggregates(history, names, window_s(window), *period(start, end)), out)


@export.command("alerts")
@with_settings("place", "store", "client")
def export_alerts(settings: Settings, out: Out, state: State = None) -> None:
    """Write alerts to a CSV or Parquet file."""
    _write(ALERTS, map(_flat_alert, open_history(settings).alerts(state)), out)


def aggregates(history: History, series: Iterable[str], window: int, start: int, end: int) -> Iterator[Item]:
    """Rows of each series in turn. Raises: Rejected: there is no such series."""
    for name in series:
        empty = True
        for row in history.aggregates(name, window, start, end):
            empty = False
            yield row
        if empty and name not in {item["series"] for item in history.series()}:
            raise Rejected("series", name, "no such series; 'borough query series' lists them")


def window_s(text: str) -> int:
    """Raises: Misconfigured: not one of the windows that are kept."""
    for short, seconds in _WINDOWS.items():
        if text in (short, str(seconds)):
            return seconds
    raise Misconfigured(f"--window: '{text}' is not one of 60, 900, 3600, 28800, 86400 (1m, 15m, 1h, 8h, 24h)")


def period(start: str | None, end: str | None) -> tuple[int, int]:
    """Start (inclusive) and end (exclusive), epoch ms. Raises: Misconfigured."""
    first = TIME_MIN if start is None else _time(start, "--start")
    last = TIME_MAX if end is None else _time(end, "--end")
    if first >= last:
        raise Misconfigured(f"--start {start} is not before --end {end}")
    return first, last


def _time(text: str, called: str) -> int:
    try:
        return parse_time(text + "T00:00:00Z" if len(text) == 10 else text)
    except Rejected as error:
        raise Misconfigured(f"{called}: '{text}': {error.reason}") from None


def _flat_alert(item: Item) -> Item:
    return {**item, "alert": item["id"]}


def _flat_series(item: Item) -> Item:
    latest = item.get("latest") or {}
    return {**item, "latest": latest.get("value"), "latest_time": latest.get("time")}


def _write(columns: tuple[str, ...], rows: Iterable[Item], out: Path) -> None:
    if out.suffix == ".parquet":
        count = _write_parquet(columns, rows, out)
    elif out.suffix == ".csv" or out.suffixes[-2:] == [".csv", ".gz"]:
        count = write_csv(columns, rows, out)
    else:
        raise Misconfigured(f"--out: '{out}' does not end in .csv, .csv.gz or .parquet")
    print(f"{count} rows written to {out}", file=sys.stderr)


_TYPES = {
    **dict.fromkeys(("window_start", "onset", "raised", "cleared"), "TIMESTAMPTZ"),
    **dict.fromkeys(("window_s", "flag"), "INTEGER"),
    **dict.fromkeys(("count", "revision"), "BIGINT"),
    **dict.fromkeys(("mean", "min", "max", "last", "coverage", "score"), "DOUBLE"),
}


def _write_parquet(columns: tuple[str, ...], rows: Iterable[Item], out: Path) -> int:
    from connectors.duckdb_convert import csv_to_parquet

    table = out.with_name(out.name + ".csv")
    try:
        count = write_csv(columns, rows, table)
        csv_to_parquet(table, out, {name: _TYPES.get(name, "VARCHAR") for name in columns})
        return count
    finally:
        table.unlink(missing_ok=True)
