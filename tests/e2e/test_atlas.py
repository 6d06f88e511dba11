"""The atlas in a real browser: what a visitor without an address sees, and where it leads."""

import pytest
from playwright.sync_api import expect

from cnnvis.ui.parts.choice import LANDING

from .conftest import SIDEWAYS


def view_of(page, layer: str, channel: int):
    """The view beside the wall, once it is of this channel."""
    page.locator("#atlas-filter h3", has_text=f"{layer} channel {channel}").wait_for(state="attached")
    return page.locator("#atlas-filter")


def cell(page, channel: int):
    return page.locator(f'#atlas-sheet button[data-channel="{channel}"]')


def channels(page) -> list[int]:
    return list(page.locator("#atlas-sheet button").evaluate_all("all => all.map((cell) => +cell.dataset.channel)"))


def test_a_visitor_without_an_address_sees_the_wall_and_everything_about_one_filter(visit) -> None:
    page = visit(query="", height=800)
    view = view_of(page, LANDING.layer.name, LANDING.number)
    assert len(channels(page)) == LANDING.layer.channels
    assert cell(page, LANDING.number).get_attribute("aria-pressed") == "true"
    # The picture and nine photos; five kernels; the photo and the map on it.
    for part, count in ((".scale img", 10), (".wires button", 5), (".on-photo img", 2)):
        assert view.locator(part).count() == count
    bottom = view.locator(".next").bounding_box()
    assert bottom["y"] + bottom["height"] <= 800  # on one screen
    assert page.evaluate("location.search") == ""
    widths = view.locator(".scale img").evaluate_all("images => images.map((image) => image.width)")
    assert max(widths) - min(widths) <= 1  # at one scale


@pytest.mark.parametrize(
    ("go", "tab", "slot", "text"),
    [
        ("Grow it live", "maximize", "#target", "conv4_1 · channel 7"),
        ("On my photo", "maps", "#map-facts", "conv4_1 channel 7"),
        ("Its weights", "filters", "#filter-heading", "conv4_1 · filter 7"),
    ],
)
def test_a_tile_shows_everything_about_its_filter_and_leads_on(visit, go: str, tab: str, slot: str, text: str) -> None:
    page = visit(query="?tab=atlas&layer=conv4_1&channel=3&photo=coffee.jpg")
    view_of(page, "conv4_1", 3)
    cell(page, 7).click()
    view_of(page, "conv4_1", 7).get_by_role("button", name=go).click()
    page.locator(slot, has_text=text).wait_for()
    page.wait_for_function("tab => !!location.search.match('tab=' + tab) || tab === 'filters'", arg=tab)
    assert "photo=coffee.jpg" in page.evaluate("location.search")


def test_a_kernel_leads_to_the_channel_that_it_reads(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv4_1&channel=3")
    read = view_of(page, "conv4_1", 3).locator(".wires button").first
    channel = int(read.get_attribute("data-channel"))
    read.click()
    view_of(page, "conv3_3", channel)
    assert page.get_by_label("Layer", exact=True).input_value() == "conv3_3"


def test_the_wall_by_keyboard_on_a_phone_in_the_dark(visit) -> None:
    page = visit(width=390, height=844, scheme="dark", query="?tab=atlas&layer=conv3_1&channel=2")
    view_of(page, "conv3_1", 2)
    assert page.evaluate(SIDEWAYS) <= 0
    cell(page, 2).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    at = int(page.evaluate("document.activeElement.dataset.channel"))
    assert at > 3
    page.keyboard.press("Enter")
    view_of(page, "conv3_1", at)
    page.wait_for_function("at => location.search.includes('channel=' + at)", arg=at)


def test_orders_of_the_wall(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv3_1&channel=2")
    view_of(page, "conv3_1", 2)
    assert channels(page) == list(range(256))
    for label, order in (("By likeness", "the same photos"), ("By strength", "largest robust")):
        page.get_by_label(label).check()
        page.locator("#atlas-caption", has_text=order).wait_for()
        page.wait_for_function("document.querySelector('#atlas-sheet button').dataset.channel !== '0'")
        assert sorted(channels(page)) == list(range(256)) != channels(page)
        if label == "By likeness":
            sheet = page.locator("#atlas-sheet .sheet")
            assert len(sheet.evaluate("sheet => getComputedStyle(sheet).gridTemplateColumns").split()) == 16
    notes = page.locator("#atlas-sheet button").evaluate_all("cells => cells.map((cell) => cell.title)")
    values = [float(note.rpartition(" ")[2]) for note in notes]
    assert values == sorted(values, reverse=True)


def test_a_relu_or_pool_shows_its_convolutions_pictures(visit) -> None:
    page = visit(query="?tab=atlas&layer=pool2&channel=9")
    view_of(page, "conv2_2", 9)
    cell(page, 11).click()
    view_of(page, "conv2_2", 11)
    assert page.get_by_label("Layer", exact=True).input_value() == "pool2"


def test_other_choosers_can_show_the_pictures(visit) -> None:
    page = visit(query="?layer=conv3_1&channel=2")
    page.get_by_label("Grown pictures").first.check()
    page.locator("#filter-caption", has_text="from the atlas").wait_for()
    sprite = "document.querySelector('%s .sheet').style.getPropertyValue('--sprite')"
    assert "conv3_1-atlas.webp" in page.evaluate(sprite % "#filter-sheet")
    for sheet in ("#nearest-sheet", "#on-photos", "#pictures"):
        expect(page.locator(f"{sheet} button")).to_have_count(8)
    page.get_by_role("tab", name="Feature maps").click()
    page.locator("#map-sheet button").first.wait_for()
    page.locator("#tiles").get_by_label("Grown pictures").check()
    page.wait_for_function(sprite % "#map-sheet" + ".includes('conv3_1-atlas.webp')")


def test_the_atlass_picture_fills_the_wait_for_an_ascent(visit) -> None:
    page = visit(query="?tab=maximize&layer=conv2_1&channel=4&steps=3&size=64")
    preview = page.locator("#preview figure")
    assert "conv2_1 channel 4, from the atlas" in preview.inner_text()
    assert not page.locator(".stage-empty").is_visible()
    page.locator("#start").click()
    page.locator("#score-card table").wait_for()
    assert not preview.is_visible()
    page.get_by_role("button", name="Next").click()
    page.locator("#preview figure[data-name='conv2_1 channel 5']").wait_for()
