"""The wiring in a real browser: the walk down and back up, and why a value is what it is."""

import pytest

from .conftest import SIDEWAYS


def heading(page, layer: str, channel: int) -> None:
    page.get_by_role("heading", name=f"{layer} · filter {channel}", exact=True).wait_for()
    page.locator(f"#relations [data-of='{layer} channel {channel}']").wait_for()


# Whether the address is of a layer and a channel, whose defaults it leaves out.
AT = """([layer, channel]) => {
  const address = new URLSearchParams(location.search);
  return (address.get('layer') ?? 'conv1_1') === layer && (address.get('channel') ?? '0') === String(channel); }"""


def test_the_walk_from_conv3_3_to_conv1_1_and_back_by_keyboard(visit) -> None:
    page = visit(query="?layer=conv3_3&channel=17")
    walked = [("conv3_3", 17)]
    heading(page, "conv3_3", 17)
    while walked[-1][0] != "conv1_1":
        first = page.locator("#reads button").first
        layer, channel = first.get_attribute("data-layer"), int(first.get_attribute("data-channel"))
        first.focus()
        page.keyboard.press("Enter")
        heading(page, layer, channel)
        page.wait_for_function(AT, arg=[layer, channel])
        walked.append((layer, channel))
    assert len(walked) == 7
    assert page.locator("#reads button").count() == 0 and "red" in page.locator("#reads").inner_text()
    for layer, channel in reversed(walked[:-1]):
        page.go_back()
        heading(page, layer, channel)
    page.go_forward()
    heading(page, *walked[1])
    page.locator("#readers button").first.click()
    page.wait_for_function("document.documentElement.dataset.layer === 'conv3_3'")


def test_the_last_layer_has_no_readers(visit) -> None:
    page = visit(query="?layer=conv5_3&channel=17")
    page.locator("#readers", has_text="Only the classifier reads it").wait_for()


def test_back_returns_to_a_tab_and_to_the_atlas(visit) -> None:
    page = visit(query="")
    page.locator("#atlas-filter .next").wait_for()
    page.get_by_role("button", name="Its weights").click()
    page.locator("#filter-heading").wait_for()
    page.wait_for_function("location.search !== ''")
    page.go_back()
    page.locator("#wall").wait_for()
    assert page.evaluate("location.search") == ""


def tree(page) -> str:
    page.locator("#why .tree li").first.wait_for()
    return page.locator("#why .why-sum").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_why_here_by_mouse_and_by_keyboard(visit, width: int, scheme: str) -> None:
    page = visit(width=width, scheme=scheme, query="?tab=maps&layer=conv4_1&channel=12")
    chooser = page.locator("#canvas .place")
    chooser.wait_for()
    box = page.locator("#canvas .place-map").bounding_box()
    chooser.click(position={"x": box["width"] * 20.5 / 28, "y": box["height"] * 8.5 / 28})
    assert "conv4_1 channel 12 is" in tree(page)
    page.wait_for_function("location.search.includes('row=8&column=20')")
    assert page.locator("#why .tree > ul > li").count() == 3
    assert page.locator("#why .tree li").count() == 3 + 9 + 27
    assert page.evaluate(SIDEWAYS) <= 0
    chooser.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator(".place-at").inner_text() == "row 9, column 21"
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('row=9&column=21')")
    page.locator("#silence").click()
    page.locator("#silenced", has_text="mean of 16 draws").wait_for()


def test_a_link_restores_an_open_tree_and_a_node_leads_to_its_channel(visit) -> None:
    page = visit(query="?tab=maps&layer=conv3_2&channel=7&row=5&column=6")
    assert "conv3_2 channel 7 is" in tree(page)
    assert page.locator(".place-at").inner_text() == "row 5, column 6"
    node = page.locator("#why button.node").first
    layer, channel = node.get_attribute("data-layer"), node.get_attribute("data-channel")
    node.click()
    page.locator("#map-facts", has_text=f"{layer} channel {channel}").wait_for()


def test_colour_or_shape_of_a_photo_and_of_a_picture(visit) -> None:
    page = visit(query="?tab=maps&layer=conv2_1&channel=4&steps=20&size=64&row=3&column=3")
    page.locator("#recolour").click()
    page.locator("#recoloured", has_text="% in grey").wait_for()
    page.get_by_role("tab", name="Activation maximization").click()
    page.locator("#start").click()
    page.locator("#score-card td", has_text="in grey").wait_for(state="attached")


def test_a_shallow_filter_is_expanded_onto_the_picture(visit) -> None:
    page = visit(query="?layer=conv2_1&channel=4")
    picture = page.locator("#expanded img")
    assert picture.get_attribute("alt") == "the expanded weights of conv2_1 channel 4, 10 × 10 px in colour"
    page.get_by_label("Layer", exact=True).select_option("conv2_2")
    picture.wait_for(state="detached")


def test_learns_arithmetic_leads_to_the_tree(visit) -> None:
    page = visit(query="?tab=learn&layer=conv3_1&channel=4")
    page.get_by_role("button", name="Why here?").click()
    assert "conv3_1 channel 4 is" in tree(page)
    page.wait_for_function("location.search.includes('tab=maps')")
    assert page.locator(".place-at").inner_text() == "row 28, column 28"
