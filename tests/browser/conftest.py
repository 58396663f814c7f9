"""The page in a real browser: Debian's Chromium, a server on loopback, invented data whose clock the test holds."""

import asyncio
import hashlib
import os
import tomllib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Request, async_playwright, expect

from domain.readings import Readings
from tests.web.fakes import NOON, FakeWorld
from tests.web.town import make_town
from web.app import create_app

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
VENDOR_DIR = Path(__file__).parent / "vendor"

expect.set_options(timeout=15_000)


@dataclass
class Served:
    """The town behind a running server; ``fed`` keeps readings coming until it is cleared."""

    world: FakeWorld
    url: str
    fed: asyncio.Event = field(default_factory=asyncio.Event)
    now: int = NOON

    async def feed(self) -> None:
        names = sorted(self.world.latest.snapshot())[:20]
        while True:
            await self.fed.wait()
            self.now += 1_000
            self.world.latest.update(Readings.of([(name, self.now, 50.0) for name in names]))
            self.world.latest.tick(self.now)
            await asyncio.sleep(0.25)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    world = make_town(NOON, every_s=0.25)
    server = uvicorn.Server(uvicorn.Config(create_app(world.parts), host="127.0.0.1", port=0, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    served = Served(world, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/")
    served.fed.set()
    feeding = asyncio.create_task(served.feed())
    yield served
    feeding.cancel()
    with suppress(asyncio.CancelledError):
        await feeding
    world.live.close()
    server.should_exit = True
    await running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("BOROUGH_REQUIRE") == "all":
            pytest.fail(f"{CHROMIUM} is missing and BOROUGH_REQUIRE=all")
        pytest.skip(f"{CHROMIUM} is missing")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        await browser.close()


@dataclass
class Watched:
    """A page, every address it asked for, and every complaint of the browser."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


async def open_page(browser: Browser, url: str, scheme: str = "light", width: int = 1440) -> Watched:
    """The loaded page; its console errors, script errors and requests are gathered from the start."""
    page = await browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id="America/New_York"
    )
    watched = Watched(page)

    def asked(request: Request) -> None:
        watched.requests.append(request.url)

    page.on("request", asked)
    page.on("console", lambda message: watched.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    await page.goto(url)
    await expect(page.locator("body")).to_have_attribute("data-loaded", "yes")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return watched


@pytest.fixture
async def watched(browser: Browser, served: Served) -> Watched:
    return await open_page(browser, served.url)


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture(scope="session")
def axe_source() -> str:
    table = tomllib.loads((VENDOR_DIR / "VENDORED.toml").read_text())
    raw = (VENDOR_DIR / "axe.min.js").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == table["package"][0]["sha256"]["axe.min.js"]
    return raw.decode()
