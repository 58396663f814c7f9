"""The demo's buttons in a real browser: what is begun is alerted, and the score card says so. The whole demo runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Served, open_page
from tests.system.program import ROOT, Running, get, until

pytestmark = pytest.mark.timeout(600)  # the past is played first, on a busy machine

# A small town on a Wednesday morning, so that the test is the same whenever it runs.
START = """
import service.demo, service.demo_run, sys
service.demo_run.TOWN_SENSORS = 24
service.demo_run.wall_clock = lambda: 1772611200000
from service.cli import main
sys.argv = ["borough", *sys.argv[1:]]
main()
"""


class Demo(Running):
    def __init__(self, folder: Path) -> None:
        self.name = "demo"
        self._out, self._err = folder / "demo.out", folder / "demo.err"
        self._begin = 0
        words = ("demo", "--no-browser", "--port", "0", "--speed", "30", "--data-dir", str(folder / "data"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo that is live."""
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        base = running.address()
        until(lambda: "is live" in running.out(), "the town is live", patience_s=500)
        yield base
        assert running.interrupt() == 0


def event_row(page: Page, kind: str, place: str):
    return page.locator(f'#demo-rows tr[data-kind="{kind}"]', has_text=place).first


async def test_a_crash_is_alerted_and_matched_on_the_score_card(browser: Browser, demo: str) -> None:
    watched = await open_page(browser, demo)
    page = watched.page
    async with page.expect_response("**/v1/demo/events") as answered:
        await page.get_by_role("button", name="Crash", exact=True).press("Enter")
    label = (await (await answered.value).json())["data"]
    await expect(page.locator("#demo-said")).to_contain_text(f"Crash at {label['place']}, now.")
    row = event_row(page, "crash", label["place"])
    await expect(row).to_be_visible()
    await expect(row).not_to_have_attribute("data-matched", "", timeout=60_000)
    alert = get(f"{demo}/v1/alerts/{await row.get_attribute('data-matched')}")["data"]
    assert set(alert["series"]) & set(label["series"])
    assert alert["raised"] >= label["start"]
    # The alert that answers is one click away.
    await row.get_by_role("button").click()
    await expect(page.locator("#detail h3")).to_have_text(alert["place"])
    assert watched.complaints == []


async def test_a_feeder_fault_where_it_is_wanted_is_found_too(browser: Browser, demo: str) -> None:
    page = (await open_page(browser, demo)).page
    await page.get_by_role("button", name="Feeder fault").click()
    await expect(page.locator("#demo-said")).to_contain_text("Feeder fault at substation-")
    place = (await page.locator("#demo-said").inner_text()).removeprefix("Feeder fault at ").removesuffix(", now.")
    row = event_row(page, "feeder-fault", place)
    await expect(row).not_to_have_attribute("data-matched", "", timeout=60_000)
    await expect(page.locator("#demo-figures")).to_contain_text("Borough found")
    toggle = page.get_by_role("button", name="Score card")
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    await toggle.press("Space")
    await expect(page.locator("#demo-card")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_demos_page(browser: Browser, demo: str, axe_source: str, scheme: str) -> None:
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await page.goto(demo)
    await expect(page.locator("body")).to_have_attribute("data-loaded", "yes")
    await page.get_by_role("button", name="Score card").click()
    await expect(page.locator("#demo-rows tr").first).to_be_visible()
    await page.add_script_tag(content=axe_source)
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    assert [one["id"] for one in found["violations"]] == []


@pytest.mark.parametrize("width", [400, 800, 1440])
async def test_the_panel_is_no_wider_than_the_window(browser: Browser, demo: str, width: int) -> None:
    page = (await open_page(browser, demo, width=width)).page
    await page.get_by_role("button", name="Score card").click()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_without_a_demo_there_are_no_buttons(browser: Browser, served: Served) -> None:
    page = (await open_page(browser, served.url)).page
    await expect(page.locator("[data-break], #demo-title")).to_have_count(0)
