"""``simulate``: scenarios of the synthetic town, with their truth, as files or through the running system."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from domain.errors import Misconfigured
from service.cli_options import AsJson, with_settings
from service.cli_replay import deliver
from service.settings import Settings

simulate = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A scenario that 'simulate list' names.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same town, readings and truth.")]


@simulate.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """Name the scenarios there are."""
    from simulator.scenario import SCENARIOS

    rows = [{"scenario": each.name, "days": each.days, "title": each.title} for each in SCENARIOS.values()]
    if as_json:
        print(json.dumps({"data": rows, "meta": {"count": len(rows)}, "links": {}}, indent=2))
        return
    from service.cli_tables import print_rows

    print_rows(("scenario", "days", "title"), rows, "table")


@simulate.command("run")
@with_settings("place", "client", "host", "port", "lateness_s")
def run_scenario(
    settings: Settings,
    name: Name,
    seed: Seed = 7,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write readings, sensors, links and truth.")
    ] = None,
    speed: Annotated[
        str | None, typer.Option(metavar="X|max", help="Send it through the running system at this speed.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a scenario into files, or through the running system."""
    if (out is None) == (speed is None):
        raise Misconfigured("give either --out FOLDER or --speed X")
    from simulator.scenario import run_to_files

    if out is not None:
        try:
            run_to_files(name, seed, out)
        except OSError as error:
            raise Misconfigured(f"--out: {out} cannot be written: {error.strerror}") from None
        print(f"readings.csv, sensors.csv, links.csv and truth.csv are in {out}", file=sys.stderr)
        return 0
    assert speed is not None
    with TemporaryDirectory(prefix="borough-scenario-") as folder:
        path = run_to_files(name, seed, Path(folder))
        return deliver(path / "readings.csv", settings, speed, as_json)
