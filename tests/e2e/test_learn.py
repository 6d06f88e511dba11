"""The Learn tab, and saved pictures that carry their experiment, in a real browser."""

import json
import re
from pathlib import Path

import pytest
from helpers import EXAMPLES
from helpers.applied import apply_filter, apply_kernel, surroundings
from PIL import Image

import cnnvis
from cnnvis.analysis.arithmetic import GAP_PX, PANEL_PX, map_picture
from cnnvis.network.vgg import VGG16
from cnnvis.ui.serving.photos import STORED_AS
from cnnvis.views.figures import digits

from .conftest import FOLDER, SIDEWAYS, picture_at

CAT = EXAMPLES / "chelsea.jpg"
CELLS = {"conv1_1": [(0, 0), (5, 200), (223, 223), (100, 3), (64, 112)],
         "conv3_2": [(0, 0), (55, 55), (0, 30), (17, 4), (28, 28)]}  # fmt: skip


def move(page, row: int, column: int) -> None:
    for name, number in (("row", row), ("column", column)):
        field = page.locator(f"#{name} input")
        field.fill(str(number))
        field.press("Enter")


def read(shown: str) -> float:
    """A number that the page shows, with a real minus."""
    return float(shown.replace("−", "-"))


@pytest.mark.parametrize("layer", CELLS)
def test_the_arithmetic_agrees_with_the_network(visit, vgg16: VGG16, layer: str) -> None:
    page = visit(query=f"?tab=learn&layer={layer}&channel=7")
    page.locator("#sums h3").wait_for()
    values = cnnvis.feature_maps(vgg16, CAT, layer).values[7]
    applied = apply_filter(vgg16, CAT, layer, 7)
    for row, column in CELLS[layer]:
        move(page, row, column)
        page.locator("#sums h3", has_text=f"row {row}, column {column}").wait_for()
        text, network = page.locator("#sums").inner_text(), float(values[row, column])
        after = float(re.search(r"after ReLU: ([\d.]+\d|0)", text)[1])
        shown = [read(re.search(r"sum: (\S+);", text)[1]), read(page.locator("#network-value").inner_text()), after]
        # The page shows four digits.
        assert shown == pytest.approx([network, network, max(0.0, network)], rel=1.5e-4, abs=1e-4)
        most = float(applied.at(row, column).by_input.abs().max())  # the page singles out this input channel
        inputs = [abs(read(part)) for part in re.findall(r"(?:most here|Red|Green|Blue): (\S+)", text)]
        assert max(inputs) == pytest.approx(most, rel=5e-4, abs=1e-4)  # half a unit of the fourth digit


def test_a_click_on_the_photo_moves_the_window(visit) -> None:
    page = visit(query="?tab=learn&layer=conv2_1")
    page.locator("#sums h3").wait_for()
    photo = page.locator("#window img")
    box = photo.bounding_box()
    photo.click(position={"x": 0.25 * box["width"], "y": 0.75 * box["height"]})  # once it has stopped moving
    page.locator("#sums h3", has_text=re.compile(r"row 8[34], column 2[78]")).wait_for()
    assert page.locator("#row input").input_value() in ("83", "84")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_tab_is_at_most_five_windows_high_and_its_numbers_fit_into_one(visit, width: int, height: int) -> None:
    for query in ("layer=conv1_1&channel=57", "layer=conv5_3&channel=17"):
        page = visit(width, height, query=f"?tab=learn&{query}")
        page.locator("#learn-around h3").first.wait_for()
        page.locator(".kernel-answer h4").first.wait_for()
        assert page.evaluate("document.documentElement.scrollHeight") <= 5 * height
        ends = page.locator(".product td").evaluate_all("all => all.map((cell) => cell.getBoundingClientRect().right)")
        assert max(ends) <= width - 8


# What surrounds the convolution


def test_relu_pool_and_field_agree_with_the_network(visit, vgg16: VGG16) -> None:
    page = visit(query="?tab=learn&layer=conv3_2&channel=7")
    sections = page.locator("#learn-around")
    sections.locator("h3").first.wait_for()
    assert sections.locator("h3").all_inner_texts() == ["ReLU", "Pooling", "What a layer sees"]
    for row, column in CELLS["conv3_2"]:
        move(page, row, column)
        page.locator("#learn-around", has_text=f"At row {row}, column {column}:").wait_for()
        around = surroundings(vgg16, CAT, "conv3_2", 7, row, column)
        shown = [float(page.locator(part).inner_text()) for part in ("#relu-after", "#pooled")]
        assert shown == pytest.approx([around.rectified.after, around.pooled.value], rel=5e-4, abs=1e-4)
        text = sections.inner_text()
        assert f"cuts {100 * around.rectified.cut:.1f} %" in text
        won = f"won by row {around.pooled.winner[0]}, column {around.pooled.winner[1]}."
        assert (won if around.pooled.value else "since all four are 0.") in text
        assert "conv3_2 is not the last convolution" in text and "These are values of conv3_3" in text
        assert sections.locator(".fields rect:not(.under)").count() == len(around.seen) == 6
        largest = sections.locator(".fields rect.under").first
        left, top = (int(largest.get_attribute(name)) for name in ("x", "y"))
        assert (left, top) == around.seen[-1].box[:2]
        assert ("beyond the photo" in text) == (around.seen[-1].beyond > 0)


def test_the_last_convolution_of_a_block_is_read_by_its_pool_without_a_word(visit) -> None:
    page = visit(query="?tab=learn&layer=conv2_2&channel=3")
    page.locator("#learn-around", has_text="conv2_2 after ReLU").filter(has_not_text="not the last").wait_for()


def test_every_layer_of_the_network_is_a_click_away(visit) -> None:
    page = visit(width=390, height=800, query="?tab=learn&layer=relu2_1&channel=100")
    page.locator("#network-map [aria-current][aria-label='conv2_1, 112 × 112 × 128']").wait_for()
    assert page.locator("#network-map button").count() == 18
    for layer, channel in (("conv5_3", 100), ("pool1", 63)):  # conv1_2 has no channel 100
        page.locator(f"#network-map [data-layer={layer}]").click()
        page.locator("#about-choice", has_text=f"{layer} channel {channel}").wait_for()
        assert page.locator("#network-map [aria-current]").get_attribute("data-layer") == layer
    assert page.evaluate(SIDEWAYS) <= 0


# Your own kernel


def numbers(page, caption: str) -> list[float]:
    """Smallest, largest and mean of the visitor's own map, before or after ReLU."""
    text = page.locator(".kernel-answer figcaption", has_text=caption).first.inner_text()
    return [read(number) for number in re.findall(r"−?\d+\.?\d*", text)]


def test_an_edited_kernel_is_answered_with_its_map_and_the_most_similar_filter(visit, vgg16: VGG16) -> None:
    page = visit(query="?tab=learn&layer=conv3_2&channel=7")
    page.locator(".kernel-answer h4").first.wait_for()
    page.locator(".kernel-preset").select_option("Sobel down")
    page.locator(".kernel-weights input").nth(4).fill("0.5")
    page.locator(".kernel-bias").fill("-1.5")
    rows = [[-1, -2, -1], [0, 0.5, 0], [1, 2, 1]]
    own = apply_kernel(vgg16, CAT, rows, -1.5)
    channel, cosine = own.nearest
    page.locator(".kernel-answer", has_text=f"mean {digits(float(own.values.mean()))}").wait_for()
    for caption, values in (("before ReLU", own.values), ("after ReLU", own.rectified)):
        expected = [float(value) for value in (values.min(), values.max(), values.mean())]
        assert numbers(page, caption) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert page.locator(".kernel-preset").input_value() == "your own"
    page.locator(".kernel-answer h4", has_text=f"conv1_1 channel {channel}, cosine {cosine:.2f}").wait_for()
    page.get_by_role("button", name=f"Go to conv1_1 channel {channel}").click()
    page.locator("#about-choice", has_text=f"conv1_1 channel {channel}").wait_for()
    assert page.locator(".kernel-weights input").nth(4).input_value() == "0.5"  # the editor keeps what was typed


def test_a_filter_of_conv1_1_can_be_taken_over_and_changed(visit, vgg16: VGG16) -> None:
    page = visit(query="?tab=learn&layer=conv1_1&channel=12")
    page.locator(".kernel-answer h4").first.wait_for()
    page.locator(".kernel-preset").select_option("conv1_1 channel")
    page.locator(".kernel-answer", has_text="conv1_1 channel 12, cosine 1.00").wait_for()
    assert page.locator(".kernel-channel").input_value() == "12"
    shown = [float(cell.input_value()) for cell in page.locator(".kernel-weights input").all()]
    assert shown == pytest.approx(vgg16.conv1_1.weight[12].flatten().tolist(), abs=6e-5)
    page.locator(".kernel-channel").fill("64")
    page.locator(".kernel-wrong", has_text="choose a whole number from 0 to 63").wait_for()
    assert not page.locator(".kernel-answer").is_visible()
    page.locator(".kernel-channel").fill("3")
    page.locator(".kernel-answer", has_text="conv1_1 channel 3, cosine 1.00").wait_for()
    page.locator(".kernel-each").uncheck()
    page.wait_for_function("document.querySelectorAll('.kernel-weights input').length === 9")
    assert page.locator(".kernel-preset").input_value() == "your own"


def test_a_bad_weight_is_answered_in_one_sentence_and_the_maps_come_back(visit) -> None:
    page = visit(query="?tab=learn&layer=conv1_1")
    page.locator(".kernel-answer h4").first.wait_for()
    cell, wrong = page.locator(".kernel-weights input").nth(5), page.locator(".kernel-wrong")
    for typed, came in (("", "empty"), ("NaN", "'NaN'"), ("1e9", "'1e9'"), ("<b>", "'<b>'")):
        cell.fill(typed)
        wrong.get_by_text(f"The weight in row 2, column 3 is {came}: give a number from −100 to 100.").wait_for()
        assert not page.locator(".kernel-answer").is_visible()
    page.get_by_role("tab", name="Filters").click()
    page.get_by_role("tab", name="Learn").click()
    assert cell.input_value() == "<b>"
    cell.fill("2")
    page.locator(".kernel-answer h4").first.wait_for()
    assert wrong.inner_text() == ""


def test_without_its_photo_the_kernel_says_so_and_follows_the_next_one(visit, served: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    Image.linear_gradient("L").convert("RGB").save(mine)
    page = visit(query="?tab=learn")
    page.locator(".kernel-answer h4").first.wait_for()
    page.locator("#photo-panel input[type=file]").set_input_files(mine)
    page.locator("#photo-chip", has_text="Your photo").wait_for()
    for stored in (served / FOLDER).rglob(STORED_AS):  # as happens after two hours
        stored.unlink()
    page.locator(".kernel-weights input").first.fill("3")
    page.locator(".kernel-wrong", has_text="The photo is no longer on the server").wait_for()
    page.locator("#photo-chip button").click()
    page.locator("#examples button").nth(2).click()
    page.locator(".kernel-answer h4").first.wait_for()
    assert page.locator(".kernel-wrong").inner_text() == ""


def test_the_sliding_filter_ends_with_the_map(visit, vgg16: VGG16) -> None:
    page = visit(query="?tab=learn&layer=conv3_1&channel=20")
    page.locator("#sums h3").wait_for()
    page.locator("#slide").click()
    gif = picture_at(page, page.locator("#sliding img").get_attribute("src"))
    assert gif.format == "GIF"
    gif.seek(gif.n_frames - 1)
    right = gif.convert("RGB").crop((PANEL_PX + GAP_PX, 0, 2 * PANEL_PX + GAP_PX, PANEL_PX))
    finished = map_picture(apply_filter(vgg16, CAT, "conv3_1", 20))
    difference = [abs(a - b) for a, b in zip(right.tobytes(), finished.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 6  # a GIF has few colours


def repeating(visit, file: Path):
    page = visit(query="?tab=maximize")
    page.get_by_role("button", name="Repeat a saved picture").click()
    page.locator("#saved input[type=file]").set_input_files(file)
    return page


def test_a_saved_picture_restores_its_experiment(visit, vgg16: VGG16, tmp_path: Path) -> None:
    *_, last = cnnvis.maximize(vgg16, "conv2_2", 9, "erhan", steps=5, size=80, seed=11)
    file = tmp_path / "mine.png"
    file.write_bytes(cnnvis.encode(last.picture, "png", last.record()))
    page = repeating(visit, file)
    page.get_by_text("This is conv2_2 channel 9, recipe erhan, seed 11").wait_for()
    page.get_by_role("heading", name="conv2_2 · channel 9").wait_for()
    page.get_by_role("button", name="Grow", exact=True).click()
    page.locator("#stage .stage-status", has_text="finished in").wait_for()
    again = picture_at(page, page.locator('#stage a[href$=".png"]').get_attribute("href"))
    assert json.loads(again.text["cnnvis"])["settings"] == last.record()["settings"]
    assert again.convert("RGB").tobytes() == last.picture.tobytes()


def test_a_file_without_an_experiment_is_refused_with_a_clear_message(visit, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    page = repeating(visit, plain)
    page.get_by_text("carries no record").wait_for()
