"""``simulate``: scenarios of the synthetic town with their truth, as files or through the running system."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import Misconfigured
from service.cli_options import AsJson, with_settings
from service.cli_problems import exit_code, line_by_line
from service.cli_score import score
from service.settings import Settings

if TYPE_CHECKING:  # numpy takes longer to import than `borough --help` may take
    from simulator.scenario_run import Play

simulate = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
simulate.command("score")(exit_code(score))

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A scenario that 'simulate list' names, or your own.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2_147_483_647, help="The same seed gives the same bytes (default: the scenario's, 7)."),
]


@simulate.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """Name the scenarios there are."""
    from simulator.scenario import shipped

    rows = [
        {
            "scenario": s.name, "days": s.days, "sensors": s.size, "events": len(s.steps), "title": s.title,
            "teaches": s.teaches,
        }
        for s in shipped()
    ]  # fmt: skip
    if as_json:
        print(json.dumps({"data": rows, "meta": {"count": len(rows)}, "links": {}}, indent=2))
        return
    from service.cli_tables import print_rows

    print_rows(("scenario", "days", "title"), rows, "table")


@simulate.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of scenario files."""
    from simulator.scenario_fields import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))


@simulate.command("run")
@with_settings("place", "client", "host", "port", "lateness_s")
@line_by_line
def run_scenario(
    settings: Settings,
    name: Name,
    seed: Seed = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write readings, sensors, links and truth.")
    ] = None,
    speed: Annotated[
        str | None, typer.Option(metavar="X|max", help="Send it through the running system at this speed.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --speed: where sensors, links and truth are written.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many compute; the bytes are the same.")] = 1,
    as_json: AsJson = False,
) -> int:
    """Run a scenario into files, or through the running system."""
    if (out is None) == (speed is None):
        raise Misconfigured("give either --out FOLDER or --speed X")
    if truth is not None and speed is None:
        raise Misconfigured("--truth goes with --speed: --out writes truth.csv too")
    from service.sending import Pace
    from simulator.scenario import load
    from simulator.scenario_run import Play

    pace = None if speed is None else Pace.of(speed)
    scenario = load(name)
    play = Play.of(scenario, scenario.seed if seed is None else seed)
    if out is not None:
        return _to_files(play, out, processes, as_json)
    assert pace is not None
    from service.playing import send_play
    from service.sending import report

    started = time.monotonic()
    tally, digest = send_play(play, settings, pace, processes, truth)
    report(tally, time.monotonic() - started, as_json, sha256=str(digest))
    return tally.code


def _to_files(play: "Play", out: Path, processes: int, as_json: bool) -> int:
    from service.playing import write_play

    digest = write_play(play, out, processes)
    if as_json:
        print((out / "scenario.json").read_text(encoding="utf-8"), end="")
        return 0
    print(f"readings.csv, sensors.csv, links.csv, truth.csv and scenario.json are in {out}", file=sys.stderr)
    print(f"sha256 of readings.csv {digest}", file=sys.stderr)
    return 0


@simulate.command("inject")
@exit_code
@line_by_line
def inject(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded readings: CSV (also .gz) or Parquet.")],
    faults: Annotated[Path, typer.Argument(metavar="FAULTS", help="What is put on: YAML with faults (see schema).")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where readings.csv and truth.csv are written.")],
    sensors: Annotated[Path | None, typer.Option(metavar="FILE", help="The sensors table, for areas.")] = None,
) -> int:
    """Put labelled faults onto a recording."""
    from service.cli_options import readable

    for path, called in ((file, "FILE"), (faults, "FAULTS"), (sensors, "--sensors")):
        readable(path, called)
    from service.injecting import inject_files

    labels, readings = inject_files(file, faults, sensors, out)
    print(f"{labels} faults on {readings} readings; readings.csv and truth.csv are in {out}", file=sys.stderr)
    return 0


@simulate.command("record")
@with_settings("place", "client", "host", "port", "broker", "sensors")
def record(
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where readings.csv and sensors.csv go.")],
    for_: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long to listen, e.g. 60s or 5m; Ctrl-C ends it too.")
    ] = "60s",
) -> int:
    """Record what a running system receives, for replay and inject."""
    from service.cli_options import duration_s
    from service.recording import record as listen

    seconds = duration_s(for_, "--for") or 0.0
    if seconds <= 0:
        raise Misconfigured("--for: must be longer than nothing")
    count = listen(settings, out, seconds)
    print(f"{count} readings in {out / 'readings.csv'}, sensors in {out / 'sensors.csv'}", file=sys.stderr)
    return 0 if count else 1
