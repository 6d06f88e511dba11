"""The atlas in a real browser: what a visitor without an address sees, and where it leads."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import cnnvis
from cnnvis.ui.parts.choice import LANDING
from cnnvis.ui.tabs import TABS

from .conftest import SIDEWAYS, go, picture_at


def view_of(page, layer: str, channel: int):
    """The view beside the wall, once it is of this channel."""
    page.locator("#atlas-filter h3", has_text=f"{layer} channel {channel}").wait_for(state="attached")
    return page.locator("#atlas-filter")


def cell(page, channel: int):
    return page.locator(f'#wall button[data-channel="{channel}"]')


def channels(page) -> list[int]:
    return list(page.locator("#wall .sheet button").evaluate_all("all => all.map((cell) => +cell.dataset.channel)"))


def test_a_visitor_without_an_address_sees_the_wall_and_everything_about_one_filter(visit) -> None:
    page = visit(query="", height=800)
    view = view_of(page, LANDING.layer.name, LANDING.number)
    assert len(channels(page)) == LANDING.layer.channels
    assert cell(page, LANDING.number).get_attribute("aria-pressed") == "true"
    # The picture; nine photos and the visitor's; what it reads and what reads it.
    for part, count in ((".grown img", 1), (".nine img", 10), (".two .wires button", 12)):
        assert view.locator(part).count() == count
    for part in (".look", ".next"):
        box = view.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 800  # in the first window
    assert view.locator(".grown img").bounding_box()["width"] >= 230
    assert "of the 352 photos excite it more" in view.inner_text()
    assert page.evaluate("location.search") == ""


def test_the_first_wall_comes_with_the_page(visit) -> None:
    page = visit(query="")
    page.route("**/queue/join*", lambda route: None)  # the server never answers
    page.reload()
    expect(cell(page, LANDING.number)).to_have_attribute("aria-pressed", "true")
    assert len(channels(page)) == LANDING.layer.channels
    source = page.locator("#wall .sheet").evaluate("sheet => sheet.style.getPropertyValue('--sprite')")
    assert picture_at(page, source[5:-2]).size == cnnvis.atlas_sheet(LANDING.layer.name).picture.size
    expect(page.locator("#wall-caption .caption")).to_contain_text("512 filters of conv5_1")
    page.goto(f"{page.url.partition('?')[0]}?__theme=dark&utm_source=blog")  # this asks for no view
    expect(cell(page, LANDING.number)).to_have_attribute("aria-pressed", "true")
    # Whoever comes with an address sees the wall that it asks for, or none.
    page.goto(f"{page.url.partition('?')[0]}?layer=conv1_1")
    page.locator("#wall .sheet").wait_for(state="attached")
    expect(page.locator("#wall .sheet")).to_be_hidden()


@pytest.mark.parametrize(
    ("go", "tab", "slot", "text"),
    [
        ("Grow it live", "maximize", "#target", "conv4_1 · channel 7"),
        ("Where on my photo?", "maps", "#map-facts", "conv4_1 channel 7"),
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
    for order, words in (("likeness", "by likeness"), ("robust", "most robust picture first")):
        page.get_by_label("Order of the tiles").select_option(order)
        page.locator("#wall-caption", has_text=words).wait_for()
        assert sorted(channels(page)) == list(range(256)) != channels(page)
        if order == "likeness":
            sheet = page.locator("#wall .sheet")
            assert len(sheet.evaluate("sheet => getComputedStyle(sheet).gridTemplateColumns").split()) == 16
    notes = page.locator("#wall .sheet button").evaluate_all("cells => cells.map((cell) => cell.title)")
    values = [float(note.rpartition(" ")[2]) for note in notes]
    assert values == sorted(values, reverse=True)


def test_a_relu_or_pool_shows_its_convolutions_pictures(visit) -> None:
    page = visit(query="?tab=atlas&layer=pool2&channel=9")
    view_of(page, "conv2_2", 9)
    cell(page, 11).click()
    view_of(page, "conv2_2", 11)
    assert page.get_by_label("Layer", exact=True).input_value() == "pool2"


SPRITE = "document.querySelector('#wall .sheet').style.getPropertyValue('--sprite')"
FILES = {"Pictures": "conv3_1-atlas", "Kernels": "conv3_1-filters", "Maps": "conv3_1-maps"}


def pressed(page) -> str:
    return str(page.locator("#lens [aria-pressed=true]").inner_text())


def test_the_lens_follows_the_tab_until_the_visitor_sets_it(visit) -> None:
    page = visit(query="?layer=conv3_1&channel=2")
    for tab, lens in (
        ("Filters", "Kernels"),
        ("Feature maps", "Maps"),
        ("Activation", "Pictures"),
        ("Atlas", "Pictures"),
    ):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_function(f"{SPRITE}.includes('{FILES[lens]}')")
        assert pressed(page) == lens
    for lens in ("Maps", "Pictures", "Kernels"):
        page.get_by_role("button", name=lens, exact=True).click()
        page.wait_for_function(f"{SPRITE}.includes('{FILES[lens]}')")
        assert pressed(page) == lens and channels(page) == list(range(256))
    page.get_by_role("tab", name="Feature maps").click()
    page.wait_for_url("**tab=maps*lens=kernels*")
    assert pressed(page) == "Kernels" and FILES["Kernels"] in page.evaluate(SPRITE)
    again = visit(query="?tab=atlas&layer=conv3_1&lens=maps&order=norm")
    again.locator("#wall-caption", has_text="maps of conv3_1 on the photo").wait_for()
    assert pressed(again) == "Maps" and again.get_by_label("Order of the tiles").input_value() == "norm"


def test_until_a_slow_line_has_brought_the_pictures_small_ones_are_seen(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv3_1&channel=2")
    soon = "document.querySelector('#wall .sheet').style.getPropertyValue('--soon')"
    held = []
    page.route("**/conv3_2-atlas.jpg", lambda route: held.append(route))
    page.get_by_label("Layer", exact=True).select_option("conv3_2")
    page.wait_for_function(f"{soon}.includes('conv3_2-small.jpg')")
    drawn = "getComputedStyle(document.querySelector('#wall .sheet button')).backgroundImage"
    sheet, small = page.evaluate(drawn).split(", ")  # the first lies on top
    assert "conv3_2-atlas.jpg" in sheet and "conv3_2-small.jpg" in small
    held[0].continue_()
    page.get_by_label("Layer", exact=True).select_option("conv3_1")
    page.wait_for_function(f"!{soon}.includes('conv3_2') && {SPRITE}.includes('conv3_1')")  # never another layer's


def test_what_the_wall_has_shown_it_shows_again_without_an_answer(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv3_1&channel=2")

    def shown(lens: str) -> str:
        page.get_by_role("button", name=lens, exact=True).click()
        page.wait_for_function(f"{SPRITE}.includes('{FILES[lens]}')")
        page.wait_for_url(f"**lens={lens.lower()}*")
        return str(page.evaluate(SPRITE))

    sprites = {lens: shown(lens) for lens in ("Maps", "Kernels", "Pictures")}
    page.route("**/queue/join*", lambda route: None)
    page.get_by_role("button", name="Maps", exact=True).click()
    page.wait_for_function("sprite => " + SPRITE + " === sprite", arg=sprites["Maps"])
    page.locator("#wall-caption", has_text="maps of conv3_1 on the photo").wait_for()
    page.unroute("**/queue/join*")  # lets go of the event, for the link
    page.wait_for_url("**lens=maps*")
    # With another photo, the maps are others; with the first one again, they are the first.
    shown("Kernels")
    for photo, same in ((1, False), (0, True)):
        page.locator("#photo-chip button").click()
        before = page.locator("#photo-chip img").get_attribute("src")
        page.locator("#examples button").nth(photo).click()
        page.wait_for_function("before => document.querySelector('#photo-chip img').src !== before", arg=before)
        assert (shown("Maps") == sprites["Maps"]) == same
        shown("Kernels")


IN_VIEW = """(channel) => {
    const wall = document.querySelector('#wall').getBoundingClientRect();
    const tile = document.querySelector(`#wall [data-channel="${channel}"]`).getBoundingClientRect();
    return wall.top <= tile.top && tile.bottom <= wall.bottom; }"""


def test_a_chosen_tile_is_the_picture_that_is_shown_and_is_in_view(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv4_1&channel=3&order=norm", height=800)
    for channel in (3, 77, 500):
        page.locator("#channel").fill(str(channel))
        page.locator("#channel").press("Enter")
        shown = view_of(page, "conv4_1", channel).locator(".grown img")
        expect(shown).to_have_attribute("alt", re.compile(f"channel {channel}$"))
        page.wait_for_function(IN_VIEW, arg=channel)
        assert likeness(cell(page, channel), shown) > 0.9 > likeness(cell(page, channel + 1), shown)


def likeness(first, second) -> float:
    """The correlation of two elements' pixels, inside the marks around them."""
    seen = [Image.open(io.BytesIO(part.screenshot())).convert("L") for part in (first, second)]
    inner = [picture.crop([round(0.1 * side) for side in picture.size] + [round(0.9 * side) for side in picture.size])
             for picture in seen]  # fmt: skip
    pixels = [np.asarray(picture.resize((24, 24), Image.Resampling.BOX)).ravel() for picture in inner]
    return float(np.corrcoef(*pixels)[0, 1])


def test_a_likeness_is_seen_whole_and_nearer(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv5_1&channel=260&order=likeness")
    page.locator("#wall .sheet.arranged").wait_for()
    wide = (
        "(() => { const wall = document.querySelector('#wall .sheet'); return wall.scrollWidth - wall.clientWidth; })()"
    )
    assert page.evaluate(wide) == 0
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(wide) > 0 and cell(page, 260).bounding_box()["width"] >= 44
    inside, tile = (page.locator(part).bounding_box() for part in ("#wall", '#wall [aria-pressed="true"]'))
    assert inside["x"] <= tile["x"] and tile["x"] + tile["width"] <= inside["x"] + inside["width"]
    page.get_by_role("button", name="Zoom out").click()
    assert page.evaluate(wide) == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_photo_opens_large_with_its_credit_and_leads_to_why(visit, width: int, scheme: str) -> None:
    page = visit(width=width, scheme=scheme, query="?tab=atlas&layer=conv5_1&channel=260")
    best = cnnvis.exemplars("conv5_1", 260).exemplars[3]
    dialog, opener = page.locator("dialog.large"), view_of(page, "conv5_1", 260).locator(".nine button").nth(3)
    opener.press("Enter")
    dialog.locator(".large-views img").nth(1).wait_for()
    for said in (best.title, best.author, best.licence, f"is number 4: {best.value:.1f}"):
        assert said in dialog.inner_text()
    assert dialog.locator("a").get_attribute("href") == best.source
    picture, outline = dialog.locator("img").first.bounding_box(), dialog.locator(".outline").first.bounding_box()
    left, top, right, _ = (edge / 224 * picture["width"] for edge in best.box)
    assert outline["x"] - picture["x"] == pytest.approx(left, abs=2)
    assert outline["y"] - picture["y"] == pytest.approx(top, abs=2)
    assert outline["width"] == pytest.approx(right - left, abs=3)
    assert page.evaluate(SIDEWAYS) <= 0
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert opener.evaluate("button => button === document.activeElement")
    opener.click()
    dialog.get_by_role("button", name="Why there?").click()
    page.locator("#why .why-sum", has_text=f"is {best.value:.3g} here").wait_for()
    page.wait_for_function(f"location.search.includes('row={best.row}&column={best.column}')")


def test_a_grown_picture_opens_large_and_grows_at_once(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv2_1&channel=5&steps=4")
    view_of(page, "conv2_1", 5).locator(".grown button").click()
    tile = cnnvis.atlas_sheet("conv2_1").tiles[5]
    page.locator("dialog.large", has_text=f"{tile.activation:.1f}, {tile.robust:.1f} on copies").wait_for()
    page.locator("dialog.large").get_by_role("button", name="Grow it live").click()
    page.locator("#score-card summary").wait_for()


def test_rows_of_similar_filters(visit) -> None:
    page = visit(query="?layer=conv3_1&channel=2")
    for row in ("pictures", "weights", "photos"):
        page.get_by_role("button", name=row, exact=True).click()
        expect(page.locator(f"#like-{row} button")).to_have_count(8)
        expect(page.locator("#like button:visible:not([data-like])")).to_have_count(8)  # no other row is in sight
    page.get_by_role("button", name="weights", exact=True).click()
    page.get_by_role("button", name="Next channel").click()
    page.locator("[data-of='conv3_1 channel 3']").wait_for()
    expect(page.locator("#like-weights")).to_be_visible()  # the visitor's choice stays


def test_a_photo_dropped_on_any_tab_becomes_the_photo(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv2_1")
    given = page.evaluate_handle("""async () => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 64, height: 64});
        canvas.getContext('2d').fillRect(8, 8, 20, 40);
        const blob = await new Promise((made) => canvas.toBlob(made, 'image/png'));
        const given = new DataTransfer();
        given.items.add(new File([blob], 'mine.png', {type: 'image/png'}));
        return given; }""")
    for tab in TABS:
        go(page, f"?tab={tab.id}&layer=conv2_1&photo=coffee.jpg")
        page.locator("#photo-chip", has_text="Example: coffee").wait_for()
        page.dispatch_event("#inspector", "drop", {"dataTransfer": given})
        page.locator("#photo-chip", has_text="Your photo").wait_for()


def test_a_first_visitor_reads_three_ways_on_until_they_dismiss_them(visit) -> None:
    page = visit(query="")
    line = page.locator(".welcome")
    assert "Touch a tile" in line.inner_text()
    line.get_by_role("button", name="try your own photo").click()
    assert page.get_by_role("button", name="Upload a photo").is_visible() and not line.is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Upload a photo").is_visible()
    remembered = page.evaluate("JSON.stringify(localStorage)")
    again = visit(query="", script=f"Object.assign(localStorage, {remembered})")
    again.locator("#atlas-filter h3").wait_for(state="attached")
    assert not again.locator(".welcome").is_visible()


def test_the_atlass_picture_fills_the_wait_for_an_ascent(visit) -> None:
    page = visit(query="?tab=maximize&layer=conv2_1&channel=4&steps=3&size=64")
    preview = page.locator("#preview figure")
    assert "Grown ahead, with seed" in preview.inner_text()
    assert not page.locator(".stage-empty").is_visible()
    page.locator("#start").click()
    page.locator("#score-card summary").wait_for()
    assert not preview.is_visible()
    page.get_by_role("button", name="Next").click()
    page.locator("#preview figure[data-name='conv2_1 channel 5']").wait_for()


# Hides the wall's function from the first event, as if the wall's script had not run yet.
BEFORE_THE_WALL = """const waiting = setInterval(() => {
  const page = window.cnnvis, known = page?.known;
  if (!known) return;
  clearInterval(waiting);
  page.known = (...given) => {
    const wall = page.wall;
    page.known = known;
    page.wall = undefined;
    const answer = known(...given);
    page.wall = wall;
    page.early = true;
    return answer;
  };
}, 1);"""


def test_the_page_is_drawn_although_its_first_event_comes_before_the_wall(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv2_1", script=BEFORE_THE_WALL)  # which waits until the page is drawn
    assert page.evaluate("cnnvis.early")
    page.locator("#wall button[data-channel='5']").wait_for()
