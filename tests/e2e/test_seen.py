"""What VGG16 sees in the photo: pointing without the server, keeping a place, groups, growing, links."""

import json

import pytest
from playwright.sync_api import expect

import cnnvis
from cnnvis.pictures.images import encode
from cnnvis.ui.serving.photos import DEFAULT_PHOTO

from .conftest import SIDEWAYS, picture_at

CAT = DEFAULT_PHOTO.path


def seeing(visit, query: str, **window):
    """The Feature maps tab, once there is a dictionary."""
    page = visit(query=f"?tab=maps&{query}", **window)
    page.locator("#dictionary .entry").nth(5).wait_for()
    page.locator("#groups [data-group]").nth(5).wait_for()
    return page


def named(page) -> list[int]:
    """The channels that the dictionary shows."""
    return page.locator("#dictionary .entry").evaluate_all("all => all.map((entry) => +entry.dataset.channel)")


def expected(vgg16, layer: str, row: int | None = None, column: int | None = None) -> list[int]:
    return [entry.channel for entry in cnnvis.dictionary(vgg16, CAT, layer, row, column).channels]


@pytest.mark.parametrize("layer", ["conv3_1", "conv5_1"])
def test_pointing_follows_the_mouse_and_asks_the_server_nothing(visit, vgg16, layer: str) -> None:
    page = seeing(visit, f"layer={layer}&channel=3")
    places = cnnvis.dictionary(vgg16, CAT, layer).rows
    assert named(page) == expected(vgg16, layer)  # at first, where a channel is most unusual
    loaded = page.evaluate("""() => Promise.all([...document.querySelectorAll('#dictionary .entry:first-child *')]
        .map((tile) => tile.style.backgroundImage).filter(Boolean)
        .map((url) => Object.assign(new Image(), {src: url.slice(5, -2)}).decode()))""")
    assert len(loaded) == 2  # the sheets of pictures and of best photos
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**", lambda route: route.abort())
    box = page.locator("#canvas .place-map").bounding_box()
    for i in range(10):
        row, column = 5 * i % places, 3 * i % places
        page.mouse.move(*(box[edge] + box[side] * (at + 0.5) / places
                          for edge, side, at in (("x", "width", column), ("y", "height", row))))  # fmt: skip
        assert named(page) == expected(vgg16, layer, row, column)
    page.mouse.move(0, 0)
    assert named(page) == expected(vgg16, layer)
    assert not asked


def test_a_place_is_kept_and_its_channels_lead_on(visit, vgg16) -> None:
    page = seeing(visit, "layer=conv5_1&channel=260")
    box = page.locator("#canvas .place-map").bounding_box()
    page.locator("#canvas .place").click(position={"x": box["width"] * 4.5 / 14, "y": box["height"] * 5.5 / 14})
    page.wait_for_function("location.search.includes('row=5&column=4')")
    page.locator("#why .why-sum", has_text="conv5_1 channel 260 is").wait_for()
    wanted = expected(vgg16, "conv5_1", 5, 4)
    assert named(page) == wanted
    page.get_by_role("button", name=f"Why channel {wanted[0]} here?").click()
    page.locator("#why .why-sum", has_text=f"conv5_1 channel {wanted[0]} is").wait_for()
    page.locator("#dictionary .entry").nth(2).click()
    page.locator("#why .why-sum", has_text=f"conv5_1 channel {wanted[2]} is").wait_for()
    page.get_by_role("button", name=f"Why channel {wanted[2]} here?").wait_for()
    # The same place in another layer.
    deeper = page.locator('#depths button[data-layer="conv4_3"]')
    channel = int(deeper.get_attribute("data-channel"))
    row, column = (deeper.get_attribute(f"data-{name}") for name in ("row", "column"))
    deeper.click()
    page.locator("#why .why-sum", has_text=f"conv4_3 channel {channel} is").wait_for()
    page.wait_for_function("at => location.search.includes(at)", arg=f"row={row}&column={column}")
    page.wait_for_function(
        "wanted => document.querySelector('#dictionary .entry').dataset.layer === 'conv4_3'"
        " && +document.querySelector('#dictionary .entry').dataset.channel === wanted", arg=channel)  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_a_place_by_keyboard_and_from_a_link(visit, vgg16, width: int, height: int) -> None:
    script = "localStorage.setItem('cnnvis.welcomed', '1')"
    page = seeing(visit, "layer=conv4_3&channel=3&row=10&column=8", width=width, height=height, script=script)
    assert named(page) == expected(vgg16, "conv4_3", 10, 8)
    for part in ("#canvas .place", "#dictionary .entry >> nth=0"):  # photo and dictionary are in the first window
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= height
    page.locator("#canvas .place").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert named(page) == expected(vgg16, "conv4_3", 11, 9)
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('row=11&column=9')")
    assert page.evaluate(SIDEWAYS) <= 0


def test_the_mosaic_is_drawn_from_the_pictures(visit, vgg16) -> None:
    page = seeing(visit, "layer=conv5_1&channel=260")
    page.get_by_role("button", name="Mosaic").click()
    at = """(place) => { const canvas = document.querySelector('.place-mosaic'), size = canvas.width / 14;
        const [across, down] = [place % 14, Math.floor(place / 14)].map((n) => (n + 0.5) * size);
        return [...canvas.getContext('2d').getImageData(across, down, 1, 1).data]; }"""
    page.wait_for_function(
        "document.querySelector('.place-mosaic').getContext('2d').getImageData(224, 224, 1, 1).data[3]"
    )
    drawn = cnnvis.mosaic(vgg16, CAT, "conv5_1")
    bright = sorted(value for row in drawn.above for value in row)[int(0.9 * 195)]
    for place in (0, 60, 100, 195):
        opacity = min(1, max(0, drawn.above[place // 14][place % 14] / bright))
        assert page.evaluate(at, place)[3] / 255 == pytest.approx(opacity, abs=0.05)


def test_what_is_seen_grows_on_the_spot_and_can_be_stopped(visit, vgg16) -> None:
    page = seeing(visit, "layer=conv4_1&channel=2&row=10&column=8")
    page.locator("#place-start").click()
    page.locator("#place-stage img").wait_for()
    page.locator("#place-stop:not([disabled])").click()
    page.locator('#place-stage a[href$=".gif"]').wait_for()
    expect(page.locator("#place-stage figcaption")).to_contain_text("conv4_1 place-10-8")
    record = json.loads(
        picture_at(page, page.locator('#place-stage a[href$=".png"]').get_attribute("href")).text["cnnvis"]
    )
    direction = cnnvis.dictionary(vgg16, CAT, "conv4_1", 10, 8).direction
    assert {int(channel): weight for channel, weight in record["channel"].items()} == pytest.approx(direction)
    page.locator("#place-start:not([disabled])").wait_for()
    page.locator("[data-group=group2]").click()
    lit = page.locator("[data-group=group2] img").get_attribute("src")
    expect(page.locator("#canvas .place-map")).to_have_attribute("src", lit)
    page.locator("#place-stage figcaption", has_text="group-2").wait_for()
    page.locator("#place-stop:not([disabled])").click()
    page.locator('#place-stage a[href$=".gif"]').wait_for()


def test_a_place_is_grown_in_the_maximize_tab_until_a_channel_is_chosen(visit) -> None:
    page = seeing(visit, "layer=conv4_1&channel=2&row=10&column=8")
    page.get_by_role("button", name="Grow it large").click()
    page.locator("#target", has_text="What conv4_1 sees here").wait_for()
    page.wait_for_function("['of=place', 'row=10', 'tab=maximize'].every((part) => location.search.includes(part))")
    linked = visit(query=page.evaluate("location.search") + "&steps=2&size=64")
    linked.locator("#target", has_text="What conv4_1 sees here").wait_for()
    linked.locator("#start").click()
    linked.locator("#stage figcaption", has_text="conv4_1 place-10-8").wait_for()
    linked.locator("#score-card summary").wait_for()
    assert linked.locator("#score-card p").first.inner_text().startswith("conv4_1 place-10-8: mean activation")
    linked.locator('#wall button[data-channel="5"]').click()
    linked.locator("#target", has_text="conv4_1 · channel 5").wait_for()
    linked.wait_for_function("!location.search.includes('of=')")


def test_a_saved_direction_is_repeated(visit, vgg16, tmp_path) -> None:
    direction = cnnvis.dictionary(vgg16, CAT, "conv2_1", 10, 8).direction
    *_, last = cnnvis.maximize(vgg16, "conv2_1", direction, size=64, steps=3, seed=4)
    saved = tmp_path / "seen.png"
    saved.write_bytes(encode(last.picture, "png", cnnvis.scored_record(vgg16, last)))
    page = visit(query="?tab=maximize")
    page.locator("#repeat > button").click()
    page.locator("#saved input").set_input_files(saved)
    page.locator("#target", has_text="A direction of conv2_1, from a saved picture").wait_for()
    page.locator("#start").click()
    page.locator("#score-card summary").wait_for()
    again = picture_at(page, page.locator('#stage a[href$=".png"]').get_attribute("href"))
    record = json.loads(again.text["cnnvis"])
    assert (record["layer"], record["seed"], record["steps"], record["size"]) == ("conv2_1", 4, 3, 64)
    assert {int(channel): weight for channel, weight in record["channel"].items()} == pytest.approx(direction)


def test_who_leaves_the_tab_at_once_sees_the_dictionary_on_their_return(visit, vgg16) -> None:
    page = seeing(visit, "layer=conv5_1&channel=3")
    tabs = [page.get_by_role("tab", name=name) for name in ("Atlas", "Feature maps")]
    page.evaluate("""() => { const list = document.querySelector('.choice-layer');
        list.value = 'conv4_2';
        list.dispatchEvent(new Event('change')); }""")
    page.wait_for_function("document.querySelector('#map-facts').textContent.includes('conv4_2')")
    tabs[0].click()
    page.wait_for_function("window.cnnvis.unseen || window.cnnvis.places.layer === 'conv4_2'")
    tabs[1].click()
    page.wait_for_function("window.cnnvis.places?.layer === 'conv4_2'")
    assert named(page) == expected(vgg16, "conv4_2")
