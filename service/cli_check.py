"""``settings``, ``doctor`` and ``provision``: what is configured, what is wrong, and setting up."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.rights import table
from service.cli_options import AsJson, with_settings
from service.settings import ROWS, Settings

_ALL = tuple({row.part: None for row in ROWS.values()})


@with_settings(*_ALL)
def settings(settings: Settings, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it comes from."""
    values = {name: {"value": _plain(settings.shown(name)), "source": settings.source(name)} for name in ROWS}
    if as_json:
        print(json.dumps({"data": values, "meta": {"warnings": settings.warnings}, "links": {}}, indent=2))
        return
    from service.cli_tables import print_rows

    print_rows(("setting", "value", "source"), ({"setting": name, **entry} for name, entry in values.items()), "table")


@with_settings("place", "broker", "store", "rights", "web", "sensors", "gateway")
def doctor(settings: Settings, as_json: AsJson = False) -> int:
    """Check this machine and the settings; say what to change."""
    from service.doctor import examine

    checks = examine(settings)
    wrong = [check for check in checks if not check.ok]
    if as_json:
        rows = [{"check": c.name, "ok": c.ok, "found": c.words, "advice": c.advice} for c in checks]
        print(json.dumps({"data": rows, "meta": {"problems": len(wrong)}, "links": {}}, indent=2))
    else:
        for check in checks:
            print(f"{'ok     ' if check.ok else 'PROBLEM'}  {check.name}: {check.words}")
            if check.advice and check.advice != check.words:
                print(f"         → {check.advice}")
    return 1 if wrong else 0


@with_settings("broker", "store", "rights")
def provision(
    settings: Settings,
    replication: Annotated[int, typer.Option(min=1, max=9, help="Kafka brokers that keep a copy of each topic.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: print who may do what, and say what would be done.")
    ] = False,
) -> int:
    """Make the topics, the bucket, the users and their rights of a distributed run; again is fine."""
    if settings.broker == "embedded" and settings.store == "embedded":
        print("nothing to do: the embedded broker and store need no setting up", file=sys.stderr)
        return 0
    from service.provisioning import carry_out, plan

    if dry_run:
        print(table(), end="")
    for sentence in plan(settings) if dry_run else carry_out(settings, replication):
        print(sentence, file=sys.stderr)
    return 0


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
