"""The Learn tab, and saved pictures that carry their experiment, in a real browser."""

import io
import json
import re
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

import cnnvis
from cnnvis.arithmetic import GAP_PX, PANEL_PX, apply_filter, map_picture
from cnnvis.vgg import VGG16

ROOT = Path(__file__).parents[2]
PLACES = {"conv1_1": [(0, 0), (5, 200), (223, 223), (100, 3), (64, 112)],
          "conv3_2": [(0, 0), (55, 55), (0, 30), (17, 4), (28, 28)]}  # fmt: skip


def move(page, row: int, column: int) -> None:
    for name, number in (("row", row), ("column", column)):
        field = page.locator(f"#{name} input")
        field.fill(str(number))
        field.press("Enter")


@pytest.mark.parametrize("layer", PLACES)
def test_the_arithmetic_agrees_with_the_network(visit, vgg16: VGG16, layer: str) -> None:
    page = visit(query=f"?tab=learn&layer={layer}&channel=7")
    page.locator("#sums h3").wait_for()
    values = cnnvis.feature_maps(vgg16, ROOT / "examples" / "chelsea.jpg", layer).values[7]
    applied = apply_filter(vgg16, ROOT / "examples" / "chelsea.jpg", layer, 7)
    for row, column in PLACES[layer]:
        move(page, row, column)
        page.locator("#sums h3", has_text=f"row {row}, column {column}").wait_for()
        text = page.locator("#sums").inner_text()
        network = float(values[row, column])
        same = pytest.approx(network, rel=1.5e-4, abs=1e-4)  # the page shows four digits
        assert float(re.search(r"sum: (\S+);", text)[1]) == same
        assert float(page.locator("#network-value").inner_text()) == same
        assert float(re.search(r"after ReLU: ([\d.]+\d|0)", text)[1]) == pytest.approx(
            max(0.0, network), rel=1.5e-4, abs=1e-4
        )
        most = float(applied.at(row, column).by_input.abs().max())  # the page singles out this input channel
        shown = [abs(float(part)) for part in re.findall(r"(?:most here|Red|Green|Blue): (\S+)", text)]
        assert max(shown) == pytest.approx(most, rel=5e-4, abs=1e-4)  # half a unit of the fourth digit


def test_a_click_on_the_photo_moves_the_window(visit) -> None:
    page = visit(query="?tab=learn&layer=conv2_1")
    page.locator("#sums h3").wait_for()
    photo = page.locator("#window img")
    box = photo.bounding_box()
    photo.click(position={"x": 0.25 * box["width"], "y": 0.75 * box["height"]})  # once it has stopped moving
    page.locator("#sums h3", has_text=re.compile(r"row 8[34], column 2[78]")).wait_for()
    assert page.locator("#row input").input_value() in ("83", "84")


def test_the_sliding_filter_ends_with_the_map(visit, vgg16: VGG16) -> None:
    page = visit(query="?tab=learn&layer=conv3_1&channel=20")
    page.locator("#sums h3").wait_for()
    page.locator("#slide").click()
    source = page.locator("#sliding img").get_attribute("src")
    with urllib.request.urlopen(source, timeout=20) as answer:
        gif = Image.open(io.BytesIO(answer.read()))
    assert gif.format == "GIF"
    gif.seek(gif.n_frames - 1)
    right = gif.convert("RGB").crop((PANEL_PX + GAP_PX, 0, 2 * PANEL_PX + GAP_PX, PANEL_PX))
    whole = map_picture(apply_filter(vgg16, ROOT / "examples" / "chelsea.jpg", "conv3_1", 20))
    difference = [abs(a - b) for a, b in zip(right.tobytes(), whole.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 6  # a GIF has few colours


def test_a_saved_picture_restores_its_experiment(visit, vgg16: VGG16, tmp_path: Path) -> None:
    *_, last = cnnvis.maximize(vgg16, "conv2_2", 9, "erhan", steps=5, size=80, seed=11)
    file = tmp_path / "mine.png"
    file.write_bytes(cnnvis.encode(last.picture, "png", last.record()))
    page = visit(query="?tab=maximize")
    page.get_by_role("button", name="Repeat a saved picture").click()
    page.locator("#saved input[type=file]").set_input_files(file)
    page.get_by_text("This is conv2_2 channel 9, recipe erhan, seed 11").wait_for()
    page.get_by_role("heading", name="conv2_2 · channel 9").wait_for()
    page.get_by_role("button", name="Start").click()
    page.locator("#stage .stage-status", has_text="finished in").wait_for()
    address = page.locator("#stage a", has_text="PNG").evaluate("link => link.href")
    with urllib.request.urlopen(address, timeout=20) as answer:
        again = Image.open(io.BytesIO(answer.read()))
    assert json.loads(again.text["cnnvis"])["settings"] == last.record()["settings"]
    assert again.convert("RGB").tobytes() == last.picture.tobytes()


def test_a_file_without_an_experiment_is_refused_with_a_clear_message(visit, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    page = visit(query="?tab=maximize")
    page.get_by_role("button", name="Repeat a saved picture").click()
    page.locator("#saved input[type=file]").set_input_files(plain)
    page.get_by_text("carries no record").wait_for()
