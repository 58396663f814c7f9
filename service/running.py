"""Running the system, or one part of it, until somebody says stop."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI

from service import data_dir, logs
from service.assemble import (
    Site,
    add_desk,
    add_store,
    add_worker,
    make_register,
    open_alerts,
    open_site,
    start_agents,
    start_gateway,
    start_ticking,
    start_web,
)
from service.crew import Crew
from service.gateway_app import gateway_app
from service.ground import open_store
from service.http import bind, server, url_of
from service.settings import Settings

log = structlog.get_logger(__name__)


async def until_told(crew: Crew) -> int:
    """Wait for Ctrl-C or SIGTERM (0), or until a background task fails (1)."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    crew.failed.add_done_callback(lambda _: told.set())
    await told.wait()
    if crew.failed.done():
        log.error("a part has failed, stopping", error=repr(crew.failed.result()), exc_info=crew.failed.result())
        return 1
    return 0


def open_door(site: Site, app: FastAPI, sock: socket.socket) -> None:
    """Serve the app on a bound socket for as long as the crew lasts; live feeds end first, they would hold it up."""
    http = server(app)
    site.crew.run(http.run_on(sock), "http")
    site.crew.on_stop(http.stop, "http")
    site.crew.on_stop(site.end_streams, "live feed")


async def run_serve(settings: Settings, say: Callable[[str], None]) -> int:
    """Gateway, worker, alert desk, store and web in one process. Raises: Misconfigured, Unavailable."""
    data_dir.prepare(settings.data_dir)
    sock = bind(settings.host, settings.port)
    async with Crew() as crew:
        site = await open_site(settings, crew, make_register(settings))
        store = await open_store(settings, crew)
        alerts = await open_alerts(site)
        add_store(site, store)
        add_desk(site, alerts)
        await start_agents(site, add_worker(site))
        gateway = await start_gateway(site)
        start_ticking(site, gateway)
        app = await start_web(site, store, alerts, gateway)
        open_door(site, app, sock)
        note_address(site, sock, say)
        return await until_told(crew)


def note_address(site: Site, sock: socket.socket, say: Callable[[str], None]) -> None:
    """Tell people and other commands where the service is, and where its broker is when that is embedded."""
    crew, settings = site.crew, site.settings
    broker = site.ground.address if settings.broker == "embedded" else ""
    data_dir.record_service(settings.data_dir, url_of(sock), broker)
    crew.close(lambda: data_dir.forget_service(settings.data_dir), "address")
    say(f"Borough is at {url_of(sock)}; data in {settings.data_dir}; Ctrl-C stops it")


async def _worker(site: Site, _: Any) -> None:
    await start_agents(site, add_worker(site))


async def _alerts(site: Site, _: Any) -> None:
    add_desk(site, await open_alerts(site))
    await start_agents(site)


async def _store(site: Site, _: Any) -> None:
    add_store(site, await open_store(site.settings, site.crew, "store"))
    await start_agents(site)


async def _gateway(site: Site, sock: socket.socket) -> None:
    gateway = await start_gateway(site)
    start_ticking(site, gateway)
    open_door(site, gateway_app(gateway, site.ready, site.registry), sock)


async def _web(site: Site, sock: socket.socket) -> None:
    store = await open_store(site.settings, site.crew)
    app = await start_web(site, store, await open_alerts(site), None)
    open_door(site, app, sock)


PARTS: dict[str, Callable[[Site, Any], Awaitable[None]]] = {
    "worker": _worker,
    "gateway": _gateway,
    "web": _web,
    "alerts": _alerts,
    "store": _store,
}
_WITH_DOOR = ("gateway", "web")


async def run_one(name: str, settings: Settings, say: Callable[[str], None]) -> int:
    """One part of a distributed run. Raises: Misconfigured, Unavailable."""
    data_dir.prepare(settings.data_dir)
    sock = bind(settings.host, settings.port) if name in _WITH_DOOR else None
    async with Crew() as crew:
        site = await open_site(settings, crew, make_register(settings), part=name)
        await PARTS[name](site, sock)
        if sock is not None:
            note_address(site, sock, say)
        else:
            say(f"{name} runs; data in {settings.data_dir}; Ctrl-C stops it")
            crew.run(data_dir.keep_alive_file(settings.data_dir), "alive")
        return await until_told(crew)


def serve(settings: Settings) -> int:
    """``borough serve``; the exit code."""
    logs.set_up(settings)
    return asyncio.run(run_serve(settings, print_line))


def run_part(name: str, settings: Settings) -> int:
    """``borough worker``, ``gateway``, ``web``, ``alerts`` or ``store``; the exit code."""
    logs.set_up(settings)
    return asyncio.run(run_one(name, settings, print_line))


def print_line(text: str) -> None:
    print(text, flush=True)
