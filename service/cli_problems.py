"""A file with several things wrong: each is a line of its own on stderr, ``file:line: field value: reason``."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

P = ParamSpec("P")


def line_by_line(command: Callable[P, int | None]) -> Callable[P, int | None]:
    """The command; exit code 2 after all lines when a file it reads is wrong."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int | None:
        from simulator.scenario_nodes import BadFile

        try:
            return command(*args, **kwargs)
        except BadFile as error:
            print("\n".join(error.lines), file=sys.stderr)
            return 2

    return run


def exit_code(command: Callable[P, int | None]) -> Callable[P, None]:
    """A command without settings whose exit code is what it returns."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code = command(*args, **kwargs)
        if code:
            raise typer.Exit(code)

    return run
