"""Commands that run the system or a part of it."""

from typing import Annotated

import typer

from domain.errors import Misconfigured
from service.cli_options import ALWAYS, duration_s, with_settings
from service.loading import loading
from service.settings import Settings


@with_settings("host", "port", *ALWAYS, data_dir="var/demo")
def demo(
    settings: Settings,
    seed: Annotated[
        int, typer.Option(help="Seed of the simulated town: the same seed gives the same town and events.")
    ] = 7,
    speed: Annotated[
        float, typer.Option(min=0.1, max=3_600, help="How many simulated seconds pass in a second.")
    ] = 1.0,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Stop after this time, e.g. 60s or 5m.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
) -> int:
    """Try everything in one process, on a simulated town."""
    for_s = duration_s(for_, "--for")
    from service.demo import demo as run_demo

    return run_demo(settings, seed=seed, speed=speed, for_s=for_s, open_browser=not no_browser)


@with_settings("broker", "store", "web", "sensors", "gateway", "analysis", *ALWAYS)
def serve(settings: Settings) -> int:
    """Run everything in one process, on your own sensors."""
    with loading():
        from service.running import serve as run_serve

    return run_serve(settings)


@with_settings("broker", "sensors", "analysis", *ALWAYS)
def worker(settings: Settings) -> int:
    """Analyse readings; start as many as you like."""
    return _part("worker", settings)


@with_settings("broker", "web", "sensors", "gateway", *ALWAYS)
def gateway(settings: Settings) -> int:
    """Take readings in over HTTP, bring them to the broker."""
    return _part("gateway", settings)


@with_settings("broker", "store", "web", "sensors", *ALWAYS)
def web(settings: Settings) -> int:
    """Serve the pages, the live feed and the query API."""
    return _part("web", settings)


@with_settings("broker", *ALWAYS)
def alerts(settings: Settings) -> int:
    """Make alerts of findings; one for all areas."""
    return _part("alerts", settings)


@with_settings("broker", "store", *ALWAYS)
def store(settings: Settings) -> int:
    """Write every result to the store."""
    return _part("store", settings)


def _part(name: str, settings: Settings) -> int:
    if settings.broker == "embedded":
        raise Misconfigured(
            f"--broker (BOROUGH_BROKER): 'embedded' lives inside one process, so '{name}' cannot share it: "
            "give kafka://host:port, or use 'borough serve'"
        )
    with loading():
        from service.running import run_part

    return run_part(name, settings)
