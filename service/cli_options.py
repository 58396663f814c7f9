"""Command-line options made from the table of settings, and small things that all commands share."""

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Misconfigured
from service.settings import ROWS, Row, load

_CONFIG = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings file (TOML); BOROUGH_CONFIG, else ./borough.toml."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

#: Parts of the table of settings that a command which runs a part of the system needs besides its own.
ALWAYS = ("place", "logs")


def with_settings(*parts: str, **defaults: Any) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Gives a command ``settings`` and turns every setting of the named parts into one of its flags.

    Args:
        parts: groups of rows of the table, or names of single rows.
        defaults: other defaults than the table's.
    """
    rows = [row for row in ROWS.values() if row.part in parts or row.name in parts]

    def decorate(command: Callable[..., int | None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "settings"]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            flags = {row.name: given.pop(row.name) for row in rows}
            settings = load(flags, config=given.pop("config"), defaults=defaults)
            for warning in settings.warnings:
                print(f"borough: {warning}", file=sys.stderr)
            code = command(settings=settings, **given)
            if code:
                raise typer.Exit(code)

        options = [_option(row, defaults.get(row.name, row.default)) for row in rows]
        config = inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_CONFIG)
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + [*options, config]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _option(row: Row, default: Any) -> inspect.Parameter:
    """A setting as a flag: text (the table's kind reads it, so that every source is checked alike), or a switch."""
    switch = row.kind.metavar == "YES|NO"
    says = "" if default in ("", None) or row.secret or switch else f" (default: {default})"
    option = typer.Option(
        row.flag,
        metavar=None if switch else row.kind.metavar,
        help=row.help + says,
        show_default=False,
    )
    annotation = Annotated[bool | None, option] if switch else Annotated[str | None, option]
    return inspect.Parameter(row.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def duration_s(text: str | None, called: str) -> float | None:
    """``60``, ``60s``, ``5m``, ``1.5h`` or ``2d`` in seconds. Raises: Misconfigured."""
    if text is None:
        return None
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        seconds = float(digits) * _UNITS[text.strip()[len(digits) :]]
        if not 0 <= seconds < 1e10:
            raise ValueError
    except (ValueError, KeyError):
        raise Misconfigured(f"{called}: '{text}' is not a duration such as 60s, 5m or 2h") from None
    return seconds


def readable(path: Path | None, called: str) -> Path | None:
    """The path, once it is clear that it can be read. Raises: Misconfigured."""
    if path is None:
        return None
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise Misconfigured(f"{called}: {path} cannot be read: {error.strerror}") from None
