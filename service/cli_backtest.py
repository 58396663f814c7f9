"""``backtest``: recorded readings through the same stages in memory, as fast as it goes."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Misconfigured
from models.road_names import parse_names
from service.cli_options import AsJson, readable, with_settings
from service.cli_progress import Meter
from service.settings import Settings


@with_settings("sensors", "analysis", "logs")
def backtest(
    settings: Settings,
    readings: Annotated[Path, typer.Option(metavar="FILE", help="CSV (also .gz) or Parquet with time,series,value.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the tables; made when it is not there.")],
    events: Annotated[Path | None, typer.Option(metavar="FILE", help="Maintenance events: time,asset,event.")] = None,
    as_json: AsJson = False,
) -> int:
    """Run recorded readings through everything, in memory; write tables."""
    readable(readings, "--readings")
    readable(settings.sensors, "--sensors")
    readable(settings.links, "--links")
    readable(events, "--events")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"--out: {out} cannot be made: {error.strerror}") from None
    from service.backtest import backtest as run_backtest

    with Meter("backtest", "readings") as meter:
        summary = run_backtest(
            readings=readings,
            sensors=settings.sensors,
            links=settings.links,
            events=events,
            out=out,
            detector=settings.detector,
            lateness_s=settings.lateness_s,
            horizon_s=settings.horizon_s,
            road_detectors=parse_names(settings.road_detectors),
            progress=meter.advance,
        )
    _report(dataclasses.asdict(summary), out, as_json)
    return 0


def _report(summary: dict[str, Any], out: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary, default=str))
        return
    words = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in summary.items())
    print(f"{words}; tables in {out}", file=sys.stderr)
