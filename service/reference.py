"""Writes docs/reference from the code: ``python -m service.reference``; with ``--check`` it only compares."""

import argparse
import json
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from domain import codec, messages, topics
from domain.quantities import QUANTITIES
from service.settings import ROWS
from simulator.scenario_fields import schema

FOLDER = Path("docs/reference")
_MADE = "<!-- Made by `make docs` from the code. Do not edit. -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = [name for name, text in pages().items() if _is_stale(FOLDER / name, text)]
    if check:
        for name in stale:
            print(f"{FOLDER / name} is stale: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(pages()[name], encoding="utf-8")
    return 0


def _is_stale(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


def pages() -> dict[str, str]:
    """File name → text of every generated page."""
    return {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "topics.md": _topics(),
        "messages.md": _messages(),
        "quantities.md": _quantities(),
        "scenario.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
    }


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(head)
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _settings() -> str:
    rows = (
        (
            f"`{r.name}`",
            f"`{r.flag}`",
            f"`{r.environment}`",
            _default(r.default),
            r.help + (" Secret." if r.secret else ""),
        )
        for r in ROWS.values()
    )
    return (
        f"# Settings\n\n{_MADE}\nFlag > environment > settings file (TOML: `--config`, else `BOROUGH_CONFIG`, else "
        "`borough.toml` where the program is started) > default. `borough settings` shows what is in force and where "
        "it comes from.\n\n" + _table(("In the file", "Flag", "Environment", "Default", "Meaning"), rows)
    )


def _default(value: Any) -> str:
    return "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands() -> str:
    import typer.main

    from service.cli import app

    root: Any = typer.main.get_command(app)
    parts = [f"# Commands\n\n{_MADE}\nThe program is `.venv/bin/borough` after `make setup`.\n"]
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            parts.append(f"## {name}\n\n{command.help}\n")
            parts += [_command(f"{name} {inner}", each, "###") for inner, each in command.commands.items()]
        else:
            parts.append(_command(name, command, "##"))
    return "\n".join(parts)


def _command(name: str, command: Any, heading: str) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    own = [p for p in options if p.name not in ROWS]
    settings = ", ".join(f"`{p.opts[0]}`" for p in options if p.name in ROWS)
    usage = " ".join(["borough", name, *(a.metavar or a.name.upper() for a in arguments)])
    rows = [(f"`{a.metavar}`", a.help or "") for a in arguments]
    rows += [(f"`{p.opts[0]}{' ' + p.metavar if p.metavar else ''}`", p.help or "") for p in own]
    text = f"{heading} {name}\n\n{command.help}\n\n    {usage}\n"
    text += "\n" + _table(("Argument or option", "Meaning"), rows) if rows else ""
    return text + (f"\nSettings: {settings}\n" if settings else "")


def _topics() -> str:
    carried = {
        **dict.fromkeys(topics.READINGS, "frames and ticks; single readings and arrays of readings are taken too"),
        topics.AGGREGATES: "aggregates of closed windows, and their revisions",
        topics.FINDINGS: "findings of detectors and quality tests",
        topics.FORECASTS: "forecasts",
        topics.HEALTH: "health of assets",
        topics.QUARANTINE: "what could not be used, with the reason",
        topics.ALERTS: "alerts, the newest revision of each",
        topics.ALERT_ACTIONS: "what operators did",
        topics.CHECKPOINTS: "state and offsets, taken together",
    }
    rows = ((f"`{t}`", carried[t], "compacted" if t in topics.COMPACTED else "by age") for t in topics.TOPICS)
    return (
        f"# Topics\n\n{_MADE}\nEvery topic has {topics.PARTITIONS} partitions; a message goes to the partition of its "
        "area (murmur2 of the area, Kafka's own way with the area as key).\n\n"
        + _table(("Topic", "Carries", "Kept"), rows)
    )


def _messages() -> str:
    frame = (
        '{"v":1,"gateway":"gw-1","seq":4711,"area":"ring-north","series":["loop-014/traffic.speed"],'
        '"i":[0,0],"t":[1772431200000,1772431260000],"x":[51.2,null]}'
    )
    tick = '{"v":1,"gateway":"gw-1","seq":4712,"tick":1772431261000}'
    single = '{"time":"2026-03-02T06:00:00Z","series":"loop-014/traffic.speed","value":51.2}'
    text = (
        f"# Messages\n\n{_MADE}\nJSON, version {codec.VERSION}, at most {codec.MESSAGE_BYTES_MAX} bytes. Times inside "
        "are epoch milliseconds (UTC).\n\n## Frame\n\nMany readings of one area in columns: reading k is of series "
        "`series[i[k]]`, at `t[k]`, with value `x[k]` (`null`: reported as missing).\n\n"
        f"    {frame}\n\n## Tick\n\nThe passing of time, written in the log.\n\n    {tick}\n\n## Reading\n\n"
        f"One reading, or a JSON array of them, is taken on the same topics.\n\n    {single}\n\n"
    )
    kinds = (*_structs(messages), codec._AggregatesWire)
    return text + "\n".join(_struct(kind) for kind in kinds)


def _structs(module: types.ModuleType) -> list[type]:
    import msgspec

    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, msgspec.Struct))
    return [kind for kind in found if kind.__module__ == module.__name__]


def _struct(kind: type) -> str:
    name = kind.__name__.strip("_").removesuffix("Wire")
    about = "" if kind.__doc__ is None else " ".join(kind.__doc__.split()) + "\n\n"
    rows = ((f"`{field}`", f"`{_words(hint)}`") for field, hint in get_type_hints(kind).items())
    return f"## {name}\n\n{about}" + _table(("Field", "Type"), rows)


def _words(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join("null" if part is type(None) else _words(part) for part in get_args(hint))
    if get_origin(hint) is list:
        return f"list of {_words(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "object"
    name: str = "anything" if hint is Any else hint.__name__
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(name, name)


def _quantities() -> str:
    rows = (
        (f"`{q.name}`", q.unit, f"{q.lower:g} … {q.upper:g}", "counter" if q.cumulative else "")
        for q in QUANTITIES.values()
    )
    return (
        f"# Quantities\n\n{_MADE}\nOutside its bounds a number cannot be a measurement in this unit and is refused. "
        "`generic.<name>` is accepted too; its bounds are learned.\n\n"
        + _table(("Quantity", "Unit", "Bounds", "Kind"), rows)
    )


if __name__ == "__main__":
    sys.exit(main())
