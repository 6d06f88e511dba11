"""What new visitors ask, in how many actions: a click, a touch, a text typed with Enter, or a file chosen is one."""

import pytest
from helpers import EXAMPLES
from PIL import Image

import cnnvis


class Visitor:
    """Somebody at the page who counts what they do."""

    def __init__(self, page) -> None:
        self.page, self.actions = page, 0

    def click(self, locator, **where) -> None:
        locator.click(**where)
        self.actions += 1


@pytest.fixture(params=[(1280, 800), (390, 844)], ids=["laptop", "phone"])
def visitor(request, visit) -> Visitor:
    width, height = request.param
    return Visitor(visit(width=width, height=height, query=""))


def test_what_a_given_filter_looks_for(visitor) -> None:
    page = visitor.page
    if page.locator('[data-step="conv4_3"]').is_visible():
        visitor.click(page.locator('[data-step="conv4_3"]'))
    else:
        page.locator("#layer").select_option("conv4_3")
        visitor.actions += 2  # open the menu, choose
    page.locator("#channel").fill("307")
    page.locator("#channel").press("Enter")
    visitor.actions += 1
    page.locator("#atlas-filter h3", has_text="conv4_3 channel 307").wait_for(state="attached")
    assert page.locator(".grown img").is_visible() and visitor.actions <= 4


def test_which_filter_stands_out_at_a_place_of_my_photo_and_why(visitor, vgg16, tmp_path) -> None:
    page, photo = visitor.page, tmp_path / "mine.jpg"
    Image.open(EXAMPLES / "astronaut.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photo)
    visitor.click(page.locator("#photo-chip button"))
    page.locator("#photo-panel input[type=file]").set_input_files(photo)
    visitor.actions += 2  # Upload, and the file
    page.wait_for_function("document.querySelector('#photo-chip').textContent.includes('Your photo')")
    visitor.click(page.get_by_role("tab", name="Feature maps"))
    page.locator("#dictionary .entry").nth(5).wait_for()
    box = page.locator("#canvas .place-map").bounding_box()
    face = {"x": box["width"] * 7.5 / 14, "y": box["height"] * 3.5 / 14}
    visitor.click(page.locator("#canvas .place"), position=face)
    strongest = cnnvis.dictionary(vgg16, photo, "conv5_1", 3, 7).channels[0].channel
    first = page.locator(f'#dictionary .entry:first-child[data-channel="{strongest}"]')
    first.wait_for()
    page.locator("#why .why-sum").wait_for()
    assert visitor.actions <= 8
    visitor.actions = 0
    visitor.click(first)
    page.locator("#why .why-sum", has_text=f"conv5_1 channel {strongest} is").wait_for()
    assert visitor.actions <= 3


def test_grow_and_save_a_picture_and_embed_the_view(visitor) -> None:
    page = visitor.page
    visitor.click(page.get_by_role("button", name="Grow it live"))
    save = page.locator('#stage a[href$=".png"]')
    save.wait_for()
    with page.expect_download() as download:
        visitor.click(save)
    assert download.value.suggested_filename.endswith(".png") and visitor.actions <= 4
    page.locator('#stage a[href$=".gif"]').wait_for()
    assert save.inner_text() == "Saved"  # still, when the animation is offered too
    visitor.actions = 0
    visitor.click(page.locator("#share-chip button"))
    visitor.click(page.get_by_role("button", name="Copy embed code"))
    assert visitor.actions <= 3
