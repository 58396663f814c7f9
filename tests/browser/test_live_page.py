"""What an operator does with the live page, in a real browser."""

import asyncio

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Served, Watched, open_page
from tests.web.town import new_alert


def row(page: Page, number: int):
    return page.locator(f'#alert-rows tr[data-alert="alert-{number:04d}"]')


async def test_the_list_shows_what_where_how_unusual_since_and_why(page: Page) -> None:
    await expect(page.locator("#alert-rows tr")).to_have_count(6)
    first = row(page, 1)
    await expect(first).to_contain_text("High")
    await expect(first).to_contain_text("Station Road, junction")
    await expect(first).to_contain_text("Traffic has slowed to")
    await expect(first).to_contain_text("1 in 8,400")
    await expect(first).to_contain_text("6 min ago")
    await expect(first).to_contain_text("11:54 GMT")
    await expect(first).to_contain_text("11:54 UTC")
    await expect(page.locator("#count-open")).to_have_text("4")


async def test_all_shows_the_ones_that_are_over(page: Page) -> None:
    await page.get_by_role("button", name="All", exact=True).click()
    await expect(page.locator("#alert-rows tr")).to_have_count(8)
    await page.locator("#sort").select_option("severity")
    await expect(page.locator("#alert-rows tr").first).to_contain_text("High")
    await expect(page.locator("#alert-rows tr").nth(1)).to_contain_text("High")


async def test_a_new_alert_comes_up_at_the_top(page: Page, served: Served) -> None:
    new_alert(served.world, 50, served.now)
    await expect(row(page, 50)).to_be_visible()
    await expect(page.locator("#alert-rows tr").first).to_have_attribute("data-alert", "alert-0050")
    await expect(page.locator("#count-open")).to_have_text("5")
    await expect(page.locator(".map-sign[aria-label*='high']")).to_have_count(2)


async def test_acknowledge_in_one_window_shows_in_the_other(browser: Browser, served: Served) -> None:
    here, there = await open_page(browser, served.url), await open_page(browser, served.url)
    await row(here.page, 1).get_by_role("button", name="Acknowledge", exact=True).click()
    for page in (here.page, there.page):
        await expect(row(page, 1)).to_contain_text("Acknowledged")
        await expect(row(page, 1).get_by_role("button", name="Acknowledge", exact=True)).to_have_count(0)
        await expect(page.locator("#count-open")).to_have_text("3")
    assert [action.alert for action in served.world.desk.taken] == ["alert-0001"]


async def test_a_refused_action_says_so_and_can_be_tried_again(page: Page, served: Served) -> None:
    from domain.errors import Unavailable

    served.world.desk.error = Unavailable("the desk restarts")
    button = row(page, 1).get_by_role("button", name="Acknowledge", exact=True)
    await button.click()
    await expect(row(page, 1).get_by_role("alert")).to_contain_text("the desk restarts")
    served.world.desk.error = None
    await button.click()
    await expect(row(page, 1)).to_contain_text("Acknowledged")


async def test_the_panel_explains_the_chosen_alert(page: Page) -> None:
    await row(page, 3).click()
    panel = page.locator("#detail")
    await expect(panel.locator("h3")).to_have_text("Ring Road South, junction")
    await expect(panel).to_contain_text("Nitrogen dioxide is")
    await expect(panel.locator(".figures")).to_contain_text("1 in 17,000")
    await expect(panel.locator(".shares li")).to_have_count(3)
    await expect(panel.locator(".shares")).to_contain_text("58 %")
    await expect(panel.locator("canvas")).to_be_visible()
    await panel.locator(".numbers summary").click()
    table = panel.locator(".numbers tbody tr")
    assert await table.count() > 60
    await expect(table.first.locator("td").nth(2)).not_to_have_text("–")  # expected, from the trace
    await panel.locator(".about summary").click()
    await expect(panel.locator(".about")).to_contain_text("half_life_days")


async def test_a_verdict_with_a_note_is_kept(page: Page, served: Served) -> None:
    await row(page, 2).click()
    await page.locator("#note").fill("roadworks")
    await page.get_by_role("button", name="False alert").click()
    await expect(page.locator(".history")).to_contain_text("False alert")
    await expect(page.locator(".history")).to_contain_text("roadworks")
    (action,) = served.world.desk.taken
    assert (action.action, action.verdict, action.reason) == ("verdict", "false", "roadworks")


async def test_the_list_holds_still_while_one_is_chosen(page: Page, served: Served) -> None:
    await row(page, 2).click()
    new_alert(served.world, 60, served.now)
    new_alert(served.world, 61, served.now)
    bar = page.locator("#pending")
    await expect(bar).to_have_text("2 new — show")
    await expect(page.locator("#alert-rows tr")).to_have_count(6)
    await bar.click()
    await expect(page.locator("#alert-rows tr")).to_have_count(8)
    await expect(bar).to_be_hidden()


async def test_pause_stops_the_list_and_resuming_catches_up(page: Page, served: Served) -> None:
    await page.locator("#pause").click()
    new_alert(served.world, 70, served.now)
    await expect(page.locator("#pending")).to_have_text("1 new — show")
    await expect(row(page, 70)).to_have_count(0)
    await page.locator("#pause").click()
    await expect(row(page, 70)).to_be_visible()


async def test_the_stale_banner_comes_and_goes(page: Page, served: Served) -> None:
    served.world.live.stale_after_s = 2.0
    await expect(page.locator("#stale")).to_be_hidden()
    served.fed.clear()
    await expect(page.locator("#stale")).to_contain_text("No reading for")
    await expect(page.locator("#stale")).to_contain_text("The newest data is from")
    served.fed.set()
    await expect(page.locator("#stale")).to_be_hidden()


async def test_after_a_lost_connection_the_page_catches_up(page: Page, served: Served) -> None:
    served.world.live.close()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    new_alert(served.world, 80, served.now)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(row(page, 80)).to_be_visible()
    await asyncio.sleep(2)
    assert served.world.live.clients == 1


async def test_times_are_the_towns_not_the_browsers(page: Page) -> None:
    await expect(page.locator("#clock-local")).to_contain_text("GMT")
    await expect(page.locator("#clock-utc")).to_contain_text("12:")


async def test_latest_values_can_be_narrowed(page: Page) -> None:
    rows = page.locator(".latest-table tbody tr:not(.group)")
    assert await rows.count() > 150
    await page.locator("#latest-kind").select_option("air")
    await expect(rows).to_have_count(14)
    await page.locator("#latest-find").fill("air-018")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("NO₂")
    await expect(rows).to_contain_text("µg/m³")


async def test_the_keyboard_is_enough(page: Page, served: Served) -> None:
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('.title')"):
            break
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#detail h3")).to_have_text("Ring Road South, bridge")
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.closest('tr').dataset.alert") == "alert-0002"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(row(page, 2)).to_contain_text("Acknowledged")
    assert [action.alert for action in served.world.desk.taken] == ["alert-0002"]


async def test_the_arrow_keys_read_the_chart(page: Page) -> None:
    await row(page, 1).click()
    await page.locator(".chart").focus()
    before = await page.locator(".readout").text_content()
    await page.keyboard.press("Home")
    await expect(page.locator(".readout")).not_to_have_text(before or "")
    await expect(page.locator(".readout")).to_contain_text("UTC — observed")


async def test_a_sign_on_the_map_opens_its_alert(page: Page) -> None:
    await page.locator(".map-sign[aria-label^='high alert']").press("Enter")
    await expect(row(page, 1)).to_have_class("sev-high state-open selected")


async def test_no_violation_no_error_and_no_request_elsewhere(watched: Watched, served: Served) -> None:
    await row(watched.page, 1).click()
    await expect(watched.page.locator("#detail canvas")).to_be_visible()
    await watched.page.locator(".leaflet-control-zoom-in").click()
    assert watched.complaints == []
    elsewhere = [url for url in watched.requests if not url.startswith((served.url, "data:"))]
    assert elsewhere == []
    assert await watched.page.context.cookies() == []


@pytest.mark.parametrize("width", [400, 800, 1440])
async def test_nothing_is_wider_than_the_window(browser: Browser, served: Served, width: int) -> None:
    page = (await open_page(browser, served.url, width=width)).page
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    button = row(page, 1).get_by_role("button", name="Acknowledge", exact=True)
    box = await button.bounding_box()
    panel = await page.locator("#alerts").bounding_box()
    assert box is not None
    assert panel is not None
    assert box["x"] + box["width"] <= panel["x"] + panel["width"]


async def test_without_scripts_the_alerts_are_still_there(browser: Browser, served: Served) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(served.url)
    await expect(page.locator("#alert-rows tr")).to_have_count(6)
    await expect(page.locator("#no-script")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "docs"])
async def test_axe_finds_nothing(browser: Browser, served: Served, axe_source: str, scheme: str, path: str) -> None:
    context = await browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": 1440, "height": 900}
    )  # the injected test script is not the page's own
    page = await context.new_page()
    await page.goto(served.url + path)
    if not path:
        await row(page, 1).click()
        await expect(page.locator("#detail canvas")).to_be_visible()
        await page.locator(".numbers summary").click()
    await page.add_script_tag(content=axe_source)
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    for one in found["violations"]:
        if one["id"] == "target-size":  # signs of neighbours may overlap: each has its equal in the list (2.5.8)
            one["nodes"] = [node for node in one["nodes"] if "leaflet-marker-icon" not in node["html"]]
    found["violations"] = [one for one in found["violations"] if one["nodes"]]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found["violations"]] == []
    assert len(found["passes"]) > 10
