"""The page as a visitor uses it, in a real browser."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from gradio_client import Client
from helpers import CASES
from PIL import Image

import cnnvis
from cnnvis.ui.serving.photos import STORED_AS
from cnnvis.ui.serving.queues import PLACES

from .conftest import FOLDER, SIDEWAYS, go, picture_at

TABS = {
    "Atlas": "#atlas-filter",
    "Filters": "#filter-heading",
    "Feature maps": "#map-facts",
    "Activation maximization": "#stage",
}


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.locator(TABS[name]).wait_for()


def choose_layer(page, name: str) -> None:
    page.get_by_label("Layer", exact=True).select_option(name)


def cell(page, sheet: str, channel: int):
    return page.locator(f'{sheet} button[data-channel="{channel}"]')


def chosen(page, sheet: str) -> int:
    pressed = page.locator(f'{sheet} button[aria-pressed="true"]')
    pressed.wait_for()
    return int(pressed.get_attribute("data-channel"))


def heading(page, text: str) -> None:
    page.get_by_role("heading", name=text, exact=True).wait_for()


def maps_page(visit):
    page = visit(query="?tab=maps")
    page.locator("#map-facts", has_text="conv1_1 channel 0").wait_for()
    return page


def maximize_page(visit, layer: str = "conv1_1", **window: int):
    page = visit(query=f"?tab=maximize&layer={layer}", **window)
    heading(page, f"{layer} · channel 0")
    return page


def own_photo(page, path) -> None:
    """Choose a file as the photo."""
    page.locator("#photo-chip button").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload a photo").click()
    chooser.value.set_files(path)


@contextmanager
def crowd(url: str, count: int) -> Iterator[None]:
    """Other programs that use the page, patiently: the first ascends, for minutes if it may, the rest wait in line."""
    programs = [Client(url, verbose=False, download_files=False, httpx_kwargs={"timeout": 60}) for _ in range(count)]
    asked = {"layer": "conv5_3", "recipe": "erhan", "steps": 512, "size": 384, "api_name": "/maximize"}
    jobs = [programs[0].submit(**asked)]
    next(iter(jobs[0]))
    jobs += [program.submit(**asked) for program in programs[1:]]
    try:
        yield
    finally:
        for job in reversed(jobs):
            job.cancel()
        for program in programs:
            program.close()


def test_a_cell_clicked_in_one_tab_is_chosen_in_every_tab(visit) -> None:
    page = visit()
    cell(page, "#wall", 17).click()
    heading(page, "conv1_1 · filter 17")
    assert chosen(page, "#wall") == 17
    open_tab(page, "Feature maps")
    assert chosen(page, "#wall") == 17
    cell(page, "#wall", 5).click()
    page.locator("#map-facts", has_text="conv1_1 channel 5").wait_for()
    open_tab(page, "Activation maximization")
    heading(page, "conv1_1 · channel 5")
    open_tab(page, "Filters")
    heading(page, "conv1_1 · filter 5")
    assert page.locator("#about-choice").inner_text().startswith("conv1_1 channel 5 of 64")


def test_a_cell_can_be_chosen_with_the_keyboard_alone(visit) -> None:
    page = visit()
    heading(page, "conv1_1 · filter 0")
    first = cell(page, "#wall", 0)
    for _ in range(60):  # Tab walks through the controls and stops once at the sheet
        page.keyboard.press("Tab")
        if first.evaluate("cell => cell === document.activeElement"):
            break
    else:
        pytest.fail("the sheet cannot be reached with Tab")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    heading(page, "conv1_1 · filter 2")
    assert cell(page, "#wall", 2).evaluate("cell => cell === document.activeElement")
    page.keyboard.press("ArrowDown")
    below = page.evaluate("+document.activeElement.dataset.channel")
    page.keyboard.press("Space")
    heading(page, f"conv1_1 · filter {below}")
    assert below > 3


def test_the_layer_the_channel_and_the_buttons_change_the_choice(visit) -> None:
    page = visit()
    choose_layer(page, "conv4_3")
    heading(page, "conv4_3 · filter 0")
    number = page.locator(".choice-channel")
    number.fill("300")
    number.press("Enter")
    heading(page, "conv4_3 · filter 300")
    page.get_by_role("button", name="Next").click()
    heading(page, "conv4_3 · filter 301")
    page.get_by_role("button", name="Previous").click()
    heading(page, "conv4_3 · filter 300")
    assert chosen(page, "#wall") == 300
    number.fill("512")
    number.press("Enter")
    assert number.evaluate("number => number.validity.rangeOverflow && number.validationMessage.includes('511')")
    assert page.evaluate("document.documentElement.dataset.channel") == "300"  # the choice has not changed
    choose_layer(page, "conv1_2")
    heading(page, "conv1_2 · filter 63")  # it has no channel 300
    choose_layer(page, "relu5_1")
    page.locator("#wall-caption", has_text="relu5_1 has no weights").wait_for()
    page.get_by_role("button", name="conv4_2", exact=True).click()
    heading(page, "conv4_2 · filter 63")
    assert page.get_by_label("Layer", exact=True).input_value() == "conv4_2"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_layer_picker_stays_in_view_while_the_page_scrolls(visit, width: int) -> None:
    page = visit(width, 800)
    heading(page, "conv1_1 · filter 0")
    page.locator("#like button").first.wait_for()  # then the page is long enough to scroll
    page.mouse.move(width / 2, 700)
    page.mouse.wheel(0, 500)
    page.wait_for_function("scrollY > 200")
    following = page.get_by_role("button", name="Next")
    box = following.bounding_box()
    assert 0 <= box["y"] < 130
    assert box["x"] + box["width"] <= width
    following.click()
    heading(page, "conv1_1 · filter 1")
    assert page.evaluate("scrollY") > 200  # moving through channels does not scroll the page


def test_a_nearest_filter_can_be_chosen_and_the_sheet_can_be_sorted(visit) -> None:
    page = visit()
    heading(page, "conv1_1 · filter 0")
    page.get_by_role("button", name="weights", exact=True).click()
    nearest = page.locator("#like-weights button").first
    goal = nearest.get_attribute("data-channel")
    assert "cosine" in nearest.get_attribute("aria-label")
    nearest.click()
    heading(page, f"conv1_1 · filter {goal}")
    page.get_by_label("Order of the tiles").select_option("norm")
    page.locator("#wall-caption", has_text="largest weights first").wait_for()
    names = page.locator("#wall .sheet button").evaluate_all("cells => cells.map((cell) => cell.ariaLabel)")
    norms = [float(name.split()[-1]) for name in names]
    assert norms == sorted(norms, reverse=True)


def test_a_visitor_can_use_their_own_photo(visit, tmp_path) -> None:
    page = maps_page(visit)
    before = page.locator("#canvas img").get_attribute("src")
    photo = tmp_path / "mine.png"
    Image.linear_gradient("L").convert("RGB").save(photo)
    own_photo(page, photo)
    changed = "before => document.querySelector('#canvas img')?.getAttribute('src') !== before"
    page.wait_for_function(changed, arg=before)
    choose_layer(page, "conv2_1")
    page.locator("#map-facts", has_text="conv2_1 channel 0").wait_for()
    for picture in ("#map-before", "#map-after"):
        assert re.search(r"channel 0, values −?\d", page.locator(f"{picture} img").get_attribute("alt"))
    page.get_by_label("Order of the tiles").select_option("strength")
    page.locator("#wall-caption", has_text="strongest on average").wait_for()
    page.locator("#wall .sheet button").first.click()
    page.locator("#map-facts", has_text="is rank 1 of 128").wait_for()
    assert page.locator("#patches img").count() > 1
    page.get_by_role("button", name="Options: how maps").click()
    page.get_by_label("Chained, as in the original notebook").check()
    page.locator("#wall-caption", has_text="the convolutions alone").wait_for()


def test_an_ascent_can_be_watched_stopped_rewound_and_downloaded(visit) -> None:
    page = maximize_page(visit, "conv5_1")
    page.evaluate("""window.came = new Set();
        new MutationObserver(() => came.add(document.querySelector('#stage img')?.src))
          .observe(document.querySelector('#stage'), {subtree: true, childList: true, attributes: true})""")
    page.get_by_role("button", name="Grow", exact=True).click()
    page.wait_for_function("came.size > 4")
    page.locator("#stop").click()
    page.locator("#score-card summary").wait_for()
    page.locator("#stage .stage-status", has_text="stopped after").wait_for()
    page.locator('#stage a[href$=".gif"]').wait_for()
    page.locator("#start:not([disabled])").wait_for()

    slider, image = page.locator("#stage .stage-slider"), page.locator("#stage img")
    newest, last = image.get_attribute("src"), int(slider.get_attribute("max"))
    assert last > 3
    slider.focus()
    page.keyboard.press("Home")
    assert image.get_attribute("alt") == "conv5_1 channel 0, step 0 of 64: the start"
    assert image.get_attribute("src") != newest
    page.keyboard.press("ArrowRight")
    assert re.fullmatch(r"conv5_1 channel 0, step \d+ of 64, activation −?[\d.]+", image.get_attribute("alt"))
    page.keyboard.press("End")
    assert image.get_attribute("src") == newest
    assert len(page.locator("#stage polyline").get_attribute("points").split()) >= last

    png = picture_at(page, page.locator('#stage a[href$=".png"]').get_attribute("href"))
    record = json.loads(png.text["cnnvis"])
    assert (record["layer"], record["channel"], png.format) == ("conv5_1", 0, "PNG")
    status = page.locator("#stage .stage-status").inner_text()
    said = [
        page.locator("#score-card td").first.text_content(),
        re.search(r"activation (\S+)$", image.get_attribute("alt"))[1],
        re.search(r"activation (\S+) · stopped", status)[1],
    ]  # one activation, wherever it is said
    numbers = [float(number.replace("−", "-")) for number in said]
    assert numbers == pytest.approx([record["saved_activation"]] * 3, abs=0.06), said
    assert re.match(
        r"A (strong|fair|weak) picture. \d+ % of its activation", page.locator("#score-card p").first.inner_text()
    )
    gif = picture_at(page, page.locator('#stage a[href$=".gif"]').get_attribute("href"))
    assert (gif.format, gif.n_frames) == ("GIF", last + 1)


def test_start_waits_for_the_score_of_an_ascent_that_was_stopped(visit) -> None:
    page = maximize_page(visit, "conv5_1")
    status = page.locator("#stage .stage-status")
    for _ in range(3):
        page.locator("#start").click()
        status.filter(has_text="activation").filter(has_not_text="stopped").wait_for()
        page.locator("#stop:not([disabled])").click()
        page.locator("#start:not([disabled])").wait_for()
        assert page.locator('#stage a[href$=".png"]').count() == 1  # scored, and can be downloaded


def test_several_channels_can_grow_at_once(visit) -> None:
    page = maximize_page(visit)
    page.get_by_role("button", name="Options: recipe").click()
    page.get_by_label("More channels of the layer").wait_for()
    page.wait_for_timeout(200)  # Gradio sets a field's value once more, up to 20 ms after the field has appeared
    page.get_by_label("More channels of the layer").fill("5, 9")
    page.get_by_role("button", name="Grow", exact=True).click()
    page.locator("#score-card th[scope=col]").nth(2).wait_for(state="attached")
    page.locator('#stage a[href$=".gif"]').nth(2).wait_for()
    alts = page.locator("#stage img").evaluate_all("images => images.map((image) => image.alt)")
    assert [alt.split(",")[0] for alt in alts] == [f"conv1_1 channel {channel}" for channel in (0, 5, 9)]
    sources = page.locator("#stage img").evaluate_all("images => images.map((image) => image.src)")
    assert len(set(sources)) == 3
    page.get_by_label("More channels of the layer").fill("5, 9, 12, 13")
    page.get_by_role("button", name="Grow", exact=True).click()
    page.get_by_text("give up to 3 whole numbers").wait_for()
    page.wait_for_function("!document.querySelector('#start').disabled")
    assert page.locator("#stage img").count() == 3  # the earlier pictures stay


def test_an_ascent_can_grow_from_the_photo(visit) -> None:
    page = maps_page(visit)
    open_tab(page, "Activation maximization")
    page.get_by_role("button", name="Options: recipe").click()
    page.get_by_label("deepdream").check()
    page.get_by_role("button", name="Grow", exact=True).click()
    page.locator("#stage .stage-status", has_text="finished in").wait_for()
    page.locator("#stage .stage-slider").focus()
    page.keyboard.press("Home")
    start = picture_at(page, page.locator("#stage img").get_attribute("src"))
    assert len(start.convert("RGB").getcolors(2**24)) > 5000  # a photo, not grey noise
    assert max(high - low for low, high in start.getextrema()) > 200


# What answers in each tab, and what shows that it has been drawn.
ANSWERS = {
    "atlas": (".grown img, .nine img", ".two button"),
    "filters": ("#reads button", "#like button"),
    "maps": ("#canvas .place", "#why .tree li"),
    "maximize": ("#start, #stop, #preview img", "#preview img"),
    "quiz": (".quiz-next", ".quiz-next"),
}
WELCOMED = "localStorage.setItem('cnnvis.welcomed', '1')"


def opened_tabs(page) -> Iterator[tuple[str, str]]:
    """Each tab's name and what answers there, once it is drawn in the page."""
    for tab, (answers, drawn) in ANSWERS.items():
        go(page, f"?tab={tab}&layer=conv4_1&channel=371&row=8&column=8")
        page.locator(drawn).first.wait_for()
        page.evaluate("scrollTo(0, 0)")
        yield tab, answers


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_scrolls_sideways_on_a_phone(visit, scheme: str) -> None:
    page = visit(360, 800, scheme, query="?tab=atlas&layer=conv4_1&channel=371")
    for tab, _ in opened_tabs(page):
        for width in (360, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(SIDEWAYS) <= 0, tab
            # The wall and the line of tabs scroll sideways by themselves.
            within = "!control.closest('#wall, [role=tablist]')"
            beyond = f"(control) => {within} && control.getBoundingClientRect().right > innerWidth + 1"
            controls = page.locator("button:visible, input:visible")
            assert not controls.evaluate_all(f"all => all.filter({beyond}).map((control) => control.outerHTML)")


@pytest.mark.parametrize(("width", "height", "windows"), [(1280, 800, 2), (390, 844, 4)])
def test_what_answers_is_in_the_first_window_and_no_tab_is_tall(visit, width: int, height: int, windows: int) -> None:
    page = visit(width, height, query="?tab=atlas&layer=conv4_1&channel=371", script=WELCOMED)
    for tab, answers in opened_tabs(page):
        parts = page.locator(answers).locator("visible=true")
        boxes = parts.evaluate_all("parts => parts.map((part) => part.getBoundingClientRect().bottom)")
        assert boxes and max(boxes) <= height, tab
        assert page.evaluate("document.documentElement.scrollHeight") <= windows * height, tab
        header = page.locator("#header").bounding_box()
        assert header["height"] <= (60 if width == 1280 else 90)


def test_the_growing_picture_and_the_stop_button_fit_on_a_phone(visit) -> None:
    page = maximize_page(visit, width=390, height=700)
    page.locator("#start").click()
    page.locator("#stage img").wait_for()
    for part in ("#stop", "#stage img"):
        box = page.locator(part).bounding_box()
        assert 88 < box["y"] < box["y"] + box["height"] <= 700, part  # below the header and within the window


def test_another_visitor_does_not_change_my_choice(visit) -> None:
    """After another visitor makes a choice, the server still draws mine for me."""
    mine, theirs = visit(), visit()
    choose_layer(mine, "conv1_2")
    heading(mine, "conv1_2 · filter 0")
    cell(mine, "#wall", 7).click()
    heading(mine, "conv1_2 · filter 7")
    choose_layer(theirs, "conv2_1")
    heading(theirs, "conv2_1 · filter 0")
    cell(theirs, "#wall", 9).click()
    heading(theirs, "conv2_1 · filter 9")
    open_tab(mine, "Feature maps")  # the server draws it only now
    mine.locator("#map-facts", has_text="conv1_2 channel 7").wait_for()
    assert mine.locator("#wall .sheet button").count() == 64
    open_tab(theirs, "Feature maps")
    theirs.locator("#map-facts", has_text="conv2_1 channel 9").wait_for()


def test_a_deleted_photo_stops_only_the_tabs_that_need_it(visit, served, tmp_path) -> None:
    photo = tmp_path / "mine.png"
    Image.linear_gradient("L").convert("RGB").save(photo)
    page = maps_page(visit)
    own_photo(page, photo)
    page.locator("#photo-chip", has_text="Your photo").wait_for()
    page.locator("#share-chip button").click()
    page.locator("#link-photo", has_text="not part of this link").wait_for()  # no one else has that photo
    page.locator("#map-facts", has_text="conv1_1 channel 0").wait_for()
    for stored in (served / FOLDER).rglob(STORED_AS):  # as happens after two hours
        stored.unlink()
    page.get_by_role("button", name="Next").click()
    page.locator("#map-facts", has_text="The photo is no longer on the server").wait_for()
    page.locator("#about-choice", has_text="conv1_1 channel 1").wait_for()
    page.get_by_role("tab", name="Learn").click()
    page.locator("#sums", has_text="The photo is no longer on the server").wait_for()
    open_tab(page, "Filters")
    heading(page, "conv1_1 · filter 1")
    assert page.locator("#wall .sheet button").count() == 64
    open_tab(page, "Feature maps")
    page.locator("#photo-chip button").click()
    page.locator("#examples button").first.click()
    page.locator("#map-facts", has_text="conv1_1 channel 1").wait_for()
    assert page.locator("#photo-chip").inner_text() == "Example: cat"


REFUSED = {
    "empty.jpg": "the file is empty",
    "heic_header.heic": "the file is a HEIC picture",
    "bomb_225MP_1bit.png": "the picture has 225 million pixels",
    "truncated_60.jpg": "the picture is damaged or cut short",
}


def test_an_unreadable_photo_is_refused_once_and_every_tab_still_works(visit) -> None:
    page = maps_page(visit)
    for name, reason in REFUSED.items():
        own_photo(page, CASES / name)
        page.get_by_text(reason).wait_for()
        assert page.get_by_text(reason).count() == 1
        assert page.locator("#photo-chip").inner_text() == "Example: cat"  # the photo there was stays
        page.locator(".toast-close").click()  # it lies over the header for 10 s
        page.keyboard.press("Escape")
    open_filters_and_ascend(page)
    open_tab(page, "Feature maps")
    page.locator("#map-facts", has_text="conv1_1 channel 5").wait_for()


def open_filters_and_ascend(page) -> None:
    """Use the tabs that need no photo."""
    open_tab(page, "Filters")
    cell(page, "#wall", 5).click()
    heading(page, "conv1_1 · filter 5")
    open_tab(page, "Activation maximization")
    heading(page, "conv1_1 · channel 5")
    page.locator("#start").click()
    page.locator("#score-card summary").wait_for()


def test_a_tiff_is_shown_as_the_engine_sees_it(visit) -> None:
    page = maps_page(visit)
    own_photo(page, CASES / "int32_holding_0_255.tif")
    page.locator("#map-facts", has_text="conv1_1 channel 0").wait_for()
    page.locator("#photo-chip", has_text="Your photo").wait_for()
    shown = "document.querySelector('#photo-chip img')"
    page.wait_for_function(f"{shown}?.complete && {shown}.naturalWidth === 64")
    open_filters_and_ascend(page)


def test_an_exemplar_becomes_the_photo_and_its_patch_is_where_the_map_is_largest(visit) -> None:
    page = visit(query="?tab=maps&layer=conv5_3&channel=17")
    page.locator("#exemplars", has_text="9 of 352 photos that excite conv5_3 channel 17 most").wait_for()
    best = page.locator("#exemplars figcaption").first.text_content().split()[0]
    page.locator("#exemplars button").first.click()
    page.locator("#map-before", has_text=f"to {best}").wait_for()
    cell = cnnvis.exemplars("conv5_3", 17).exemplars[0]  # it chooses the place too, and so says why
    page.locator("#why .why-sum", has_text=f"is {cell.value:.3g} here").wait_for()
    page.wait_for_function(f"location.search.includes('row={cell.row}&column={cell.column}')")
    assert page.locator("#patches figcaption").first.text_content() == best
    page.locator("#weaker-button").click()
    page.locator("#weaker", has_text="25th percentile").wait_for()
    assert page.locator("#weaker img").count() == 5
    page.get_by_role("button", name="Next").click()
    page.locator("#exemplars", has_text="channel 18 most").wait_for()
    page.wait_for_function("!document.querySelector('#weaker img')")


def test_visitors_in_line_see_their_position(visit, url: str) -> None:
    with crowd(url, 3):
        page = visit(query="?tab=maximize&layer=conv1_1")
        line = page.locator(".waiting", has_text=re.compile(r"You are number [23] of [23] in line, about \d+ s to go"))
        page.locator("#start").click()
        line.wait_for()
        page.locator("#stop").click()  # leaves the line
        page.wait_for_function("!document.querySelector('#start').disabled")
        page.wait_for_function("!document.querySelector('.waiting').textContent")
        page.locator("#start").click()
        line.wait_for()
    page.locator("#score-card summary").wait_for()


def test_a_visitor_who_finds_the_line_full_reads_when_to_come_back(visit, url: str) -> None:
    with crowd(url, PLACES + 1):
        page = visit(query="?tab=maximize&layer=conv1_1")
        full = re.compile(r"The line for ascents is full, with \d+ waiting: try again in about \d+ min")
        page.locator("#start").click()
        page.locator("#waiting .refused", has_text=full).wait_for()
        page.wait_for_function("!document.querySelector('#start').disabled")
        page.locator("#ladder-box").get_by_text("The ladder").first.click()
        page.locator("#climb").click()
        page.locator("#ladder-waiting .refused", has_text=full).wait_for()
    page.locator("#start").click()
    page.locator("#score-card summary").wait_for()
    assert page.locator("#waiting .refused").text_content() == ""
