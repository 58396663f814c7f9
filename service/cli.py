"""The program ``borough``. Heavy parts are imported inside the commands, so that ``--help`` answers at once."""

import os
import sys

import typer

from domain.errors import BoroughError, Misconfigured, Rejected
from service import cli_run

app = typer.Typer(
    name="borough",
    help="Live alerts, quality flags and history from a city's traffic, air and energy sensors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUN, PART, HISTORY, CARE = "Run", "Parts of a distributed run", "History and recordings", "Set up and check"
app.command(rich_help_panel=RUN)(cli_run.demo)
app.command(rich_help_panel=RUN)(cli_run.serve)
for _part in (cli_run.worker, cli_run.gateway, cli_run.web, cli_run.alerts, cli_run.store):
    app.command(rich_help_panel=PART)(_part)


def main() -> None:
    """Run the command line. Exit code 0 done, 1 failed, 2 a setting or an input must be changed, 130 interrupted."""
    try:
        app()
    except (Misconfigured, Rejected) as error:
        _fail(error, 2)
    except BoroughError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing to report, but Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(error: BoroughError, code: int) -> None:
    print("borough: " + " ".join(str(error).split()), file=sys.stderr)
    sys.exit(code)
