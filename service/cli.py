"""The program ``borough``. Heavy parts are imported inside the commands, so that ``--help`` answers at once."""

import os
import sys
from typing import Annotated, Any

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError
from typer.core import TyperGroup

from domain.errors import BoroughError, Misconfigured, Rejected
from service import (
    cli_backtest,
    cli_check,
    cli_explain,
    cli_ledger,
    cli_query,
    cli_replay,
    cli_run,
    cli_simulate,
    cli_thresholds,
    cli_verify,
)


class _Sections(TyperGroup):
    """Lists the commands under headings; plain text, because importing Rich's help costs a quarter of a second."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or "Commands"
                sections.setdefault(heading, []).append((name, command.get_short_help_str(formatter.width - 18)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=_Sections,
    rich_markup_mode=None,
    name="borough",
    help="Live alerts, quality flags and history from a city's traffic, air and energy sensors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
RUN, PART, HISTORY, CARE = "Run", "Parts of a distributed run", "History and recordings", "Set up and check"
app.command(rich_help_panel=RUN)(cli_run.demo)
app.command(rich_help_panel=RUN)(cli_run.serve)
for _part in (cli_run.worker, cli_run.gateway, cli_run.web, cli_run.alerts, cli_run.store):
    app.command(rich_help_panel=PART)(_part)
app.command(rich_help_panel=HISTORY)(cli_replay.replay)
app.command(rich_help_panel=HISTORY)(cli_backtest.backtest)
app.command(rich_help_panel=CARE)(cli_verify.verify_replay)
app.add_typer(cli_simulate.simulate, name="simulate", help="Scenarios with known truth.", rich_help_panel=HISTORY)
app.add_typer(cli_query.query, name="query", help="Print history: table, CSV or JSON.", rich_help_panel=HISTORY)
app.add_typer(cli_query.export, name="export", help="Write history to CSV or Parquet files.", rich_help_panel=HISTORY)
app.command(rich_help_panel=HISTORY)(cli_explain.explain)
app.add_typer(
    cli_thresholds.thresholds, name="thresholds", help="What verdicts ask for; adopt it.", rich_help_panel=CARE
)
app.add_typer(cli_thresholds.audit, name="audit", help="The trail of decisions.", rich_help_panel=CARE)
for _check in (cli_check.settings, cli_check.doctor, cli_check.provision, cli_ledger.verify_ledger):
    app.command(rich_help_panel=CARE)(_check)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"borough {version('borough')}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _borough(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit code 0 done, 1 failed, 2 a setting or an input must be changed, 130 interrupted."""
    # Our matrices are small: threads of the linear algebra library would only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        sys.exit(app(standalone_mode=False))
    except UsageError as error:
        _fail_usage(error)
    except (Misconfigured, Rejected) as error:
        _fail(str(error), 2)
    except BoroughError as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing to report, but Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail_usage(error: UsageError) -> None:
    if isinstance(error, NoArgsIsHelpError):
        print(error.format_message())
        sys.exit(2)
    where = error.ctx.command_path if error.ctx else "borough"
    _fail(f"{error.format_message().rstrip('.')}; see '{where} --help'", 2)


def _fail(message: str, code: int) -> None:
    print("borough: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(code)
