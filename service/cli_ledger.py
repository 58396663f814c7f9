"""``verify-ledger``: what a sender wrote down against what the system holds."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli_options import AsJson, with_settings
from service.history import TIME_MAX, TIME_MIN, open_history
from service.ledger import aside_of, check, read_ledger
from service.settings import Settings

_SHOWN = 20


@with_settings("place", "store", "client")
def verify_ledger(
    settings: Settings,
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="CSV: series,sequence,time,value,outcome.")],
    window: Annotated[int, typer.Option(metavar="SECONDS", help="Length of the windows that are computed again.")] = 60,
    as_json: AsJson = False,
) -> int:
    """Check that every accepted reading of a ledger is counted exactly once; exit code 1 when one is not."""
    lines = read_ledger(ledger)
    history = open_history(settings)
    names = sorted({line.series for line in lines})
    stored = {name: list(history.aggregates(name, window, TIME_MIN, TIME_MAX)) for name in names}
    aside = aside_of(history.quarantine(TIME_MIN, TIME_MAX))
    wrong = check(lines, stored, aside, window)
    windows = sum(map(len, stored.values()))
    if as_json:
        print(json.dumps({"data": wrong, "meta": {"lines": len(lines), "windows": windows}, "links": {}}, indent=2))
    else:
        for text in wrong[:_SHOWN]:
            print(text)
        more = f", {_SHOWN} of them shown" if len(wrong) > _SHOWN else ""
        print(f"{len(lines)} lines, {windows} windows: {len(wrong)} wrong{more}", file=sys.stderr)
    return 1 if wrong else 0
