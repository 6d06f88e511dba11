"""What each command prints and writes is what the engine returns; maximize and score have a file of their own."""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.ascents import CAT
from helpers.checkpoints import headed, network, slim
from PIL import Image

import cnnvis
from cnnvis.network import weights

Run = Callable[..., str]
WIRING = ["wiring", "conv3_1", "7", "--count", "3"]


def rows_in(table: str) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_text(row: dict[str, Any]) -> dict[str, str]:
    return {name: " ".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in row.items()}


def test_info_shows_the_weights_and_the_build(run: Run) -> None:
    origin = cnnvis.load_vgg16().origin
    record = json.loads(run("info", "--json", "-"))
    assert record["weights"] == origin.as_dict()
    assert record["build"]["weights_sha256"] == origin.sha256
    assert record["build"].keys() >= {"torch", "python", "device", "precision", "threads"}
    lines = [line.split(maxsplit=1) for line in run("info").replace("weights sha256", "weights_sha256").splitlines()]
    build = {name: str(value) for name, value in record["build"].items()}
    assert dict(lines) == {"network": "VGG16", "weights": str(origin), "file": str(origin.path), **build}
    assert (record["network"], record["doubt"]) == ("VGG16", None)


def test_layers_prints_the_table_of_layers(run: Run) -> None:
    assert json.loads(run("layers", "--json", "-")) == [layer.as_dict() for layer in cnnvis.LAYERS]
    heading, *rows = run("layers").splitlines()
    assert heading.split() == ["name", "kind", "index", "channels", "stride", "receptive", "field"]
    assert [row.split() for row in rows] == [[str(x) for x in layer.as_dict().values()] for layer in cnnvis.LAYERS]
    assert len({len(row) for row in (heading, *rows)}) == 1


# Other weights


@pytest.fixture
def vgg19(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a VGG19 with random weights, chosen with CNNVIS_WEIGHTS."""
    path = tmp_path / "vgg19.pth"
    torch.save(slim(network("vgg19")), path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    return path


@pytest.mark.slow
def test_the_commands_follow_the_network_in_use(vgg19: Path, run: Run) -> None:
    about = json.loads(run("info", "--json", "-"))
    assert (about["network"], about["weights"]["classes"]) == ("VGG19", 1000)
    assert f"\nfile            {vgg19}\n" in run("info")
    layers = json.loads(run("layers", "--json", "-"))
    assert [layer["name"] for layer in layers if layer["index"] in (16, 34)] == ["conv3_4", "conv5_4"]
    assert json.loads(run("filters", "block3_conv4", "-o", "f.png", "--json", "-"))["layer"] == "conv3_4"
    assert json.loads(run("maps", CAT, "conv5_4", "-o", "m.png", "--json", "-"))["size"] == [14, 14]
    record = json.loads(run("maximize", "features_16:7", "--size", "64", "--steps", "2", "-o", "p.png", "--json", "-"))
    assert (record["layer"], record["channel"], record["selectivity"]) == ("conv3_4", 7, None)
    assert run("score", "p.png").startswith("conv3_4 channel 7: ")
    assert run("wiring", "conv5_4:7", "--count", "2").splitlines()[0] == "conv5_4 channel 7 reads"
    assert run("why", CAT, "conv5_4:7", "--depth", "1").startswith("conv5_4 channel 7 is ")


def test_what_was_made_for_other_weights_is_absent_and_can_be_made(
    vgg19: Path, run: Run, refusal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, atlas = ["shelf", "show", "conv5_4:7", "-o", "s.png"], ["atlas", "show", "-o", "a.png"]
    assert "shelf 'cnnvis' was made with different weights: make one" in refusal(*show)
    assert "sheet of conv3_3 was made with different weights: make it" in refusal(*atlas, "conv3_3")
    with pytest.raises(cnnvis.ShelfError, match="was made with different weights"):
        cnnvis.quiz(layer="conv3_4")
    assert "has no sheet of conv3_4: make it with" in refusal(*atlas, "conv3_4")
    assert "a photo shelf made with these" in refusal("maps", CAT, "conv3_4", "--order", "unusual", "-o", "m.png")
    photos = vgg19.with_name("photos")
    photos.mkdir()
    (photos / "cat.jpg").symlink_to(CAT)
    run("shelf", "make", photos, "-o", "mine.shelf")
    monkeypatch.setenv("CNNVIS_SHELF", "mine.shelf")
    assert "the top 1 of 1 photos" in run(*show)


@pytest.fixture
def ten_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose a VGG16 with random weights that was fine-tuned for ten classes of its own."""
    torch.save(headed(slim(network("vgg16")), 10), tmp_path / "ten.pth")
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(tmp_path / "ten.pth"))


@pytest.mark.usefixtures("ten_classes")
def test_a_class_without_a_name_has_a_number(refusal: Run) -> None:
    assert "channel '10' does not exist in class: choose a whole number from 0 to 9" in refusal("maximize", "class:10")
    assert "channel 'goldfish' does not exist in class" in refusal("maximize", "class", "goldfish")


@pytest.mark.slow
@pytest.mark.usefixtures("ten_classes")
def test_a_class_of_a_fine_tuned_network_is_maximised_by_number(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_loaded", {})  # so that its 500 MB are free again afterwards
    record = json.loads(run("maximize", "class:3", "--size", "64", "--steps", "1", "--json", "-"))
    assert (record["layer"], record["channel"]) == ("class", 3)
    best = cnnvis.top_classes(cnnvis.load_whole_vgg16("cpu"), CAT)
    assert len(best) == 5 and {name for name, _ in best} < {f"class {number}" for number in range(10)}


# Sheets and maps


def test_filters_writes_the_engines_sheet(run: Run) -> None:
    line = run("filters", "features.2", "-o", "sheet.png", "--view", "gray", "--input-channel", "7", "--json", "f.json")
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), "conv1_2", "gray", 7)
    with Image.open("sheet.png") as picture:
        assert picture.tobytes() == sheet.picture.tobytes()
    assert json.loads(Path("f.json").read_text(encoding="utf-8")) == sheet.record()
    assert line == "64 filters of conv1_2, gray, input channel 7, in 8 columns: 'sheet.png'\n"


@pytest.mark.parametrize(("name", "form"), [("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP")])
def test_the_suffix_decides_the_picture_format(name: str, form: str, run: Run) -> None:
    run("filters", "conv1_1", "-o", name)
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), "conv1_1").picture
    with Image.open(name) as picture:
        assert picture.format == form
        assert (picture.convert("RGB").tobytes() == sheet.tobytes()) == (form != "JPEG")


def test_maps_writes_the_engines_sheet(run: Run) -> None:
    asked = {"pipeline": "conv_chain", "order": "strength", "contrast": "layer"}
    options = [word for name, value in asked.items() for word in (f"--{name}", value)]
    record = json.loads(run("maps", CAT, "conv1_1", "-o", "maps.jpg", *options, "--json", "-"))
    sheet = cnnvis.map_sheet(cnnvis.load_vgg16(), CAT, "conv1_1", **asked)
    assert record == sheet.record()
    assert Path("maps.jpg").read_bytes() == cnnvis.encode(sheet.picture, "jpeg")
    assert os.listdir() == ["maps.jpg"]


def test_maps_with_a_channel_writes_one_map_and_its_overlay(run: Run) -> None:
    line = run("maps", CAT, "relu1_1", "--channel", "3", "-o", "map.png")
    drawn = cnnvis.feature_map(cnnvis.load_vgg16(), CAT, "relu1_1", 3)
    assert sorted(os.listdir()) == ["map-overlay.png", "map.png"]
    for name, picture in (("map.png", drawn.picture), ("map-overlay.png", drawn.overlay)):
        assert Path(name).read_bytes() == cnnvis.encode(picture)
        assert repr(name) in line


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_maps_writes_numbers(suffix: str, run: Run, refusal: Run) -> None:
    line = run("maps", CAT, "relu1_2", "-o", f"all{suffix}", "--json", "all.json")
    assert line == f"64 maps of relu1_2, 224 × 224, float32: 'all{suffix}'\n"
    run("maps", CAT, "block1_conv1", "--channel", "7", "-o", f"7{suffix}", "--pipeline", "conv_chain")
    network_maps = cnnvis.feature_maps(cnnvis.load_vgg16(), CAT, "relu1_2").values.numpy()
    chain_maps = cnnvis.feature_maps(cnnvis.load_vgg16(), CAT, "conv1_1", "conv_chain").values.numpy()
    every, single = np.load(f"all{suffix}"), np.load(f"7{suffix}")
    if suffix == ".npz":
        assert [str(every[name]) for name in ("layer", "pipeline")] == ["relu1_2", "network"]
        assert [str(single[name]) for name in ("layer", "pipeline")] == ["conv1_1", "conv_chain"]
        assert (every["channels"].tolist(), single["channels"].tolist()) == (list(range(64)), [7])
        every, single = every["maps"], single["maps"]
    assert every.dtype == single.dtype == np.float32
    assert np.array_equal(every, network_maps) and np.array_equal(single, chain_maps[[7]])
    about = {"layer": "relu1_2", "pipeline": "network", "channels": list(range(64)), "size": [224, 224]}
    assert json.loads(Path("all.json").read_text(encoding="utf-8")) == {**about, "cnnvis": cnnvis.__version__}
    assert sorted(os.listdir()) == sorted([f"all{suffix}", "all.json", f"7{suffix}"])
    assert "leave out --order" in refusal("maps", CAT, "conv1_1", "-o", f"x{suffix}", "--order", "strength")
    assert "channel '64' does not exist" in refusal("maps", CAT, "conv1_1", "--channel", "64", "-o", f"x{suffix}")


# Shelf and atlas


def test_atlas_show_writes_the_sheet_of_a_layer(run: Run) -> None:
    text = run("atlas", "show", "block1_conv2", "-o", "x.png", "--json", "x.json")
    assert text == "64 pictures of conv1_2, in 8 columns: 'x.png'\n"
    sheet = cnnvis.atlas_sheet("conv1_2")
    with Image.open("x.png") as saved:
        assert saved.tobytes() == sheet.picture.tobytes()
    assert json.loads(Path("x.json").read_text(encoding="utf-8")) == json.loads(json.dumps(sheet.record()))


def test_concepts_show_writes_all_of_a_layer_or_one(run: Run) -> None:
    found = cnnvis.concepts("conv5_1")
    first, *lines = run("concepts", "show", "conv5_1", "-o", "x.png", "--json", "x.json").splitlines()
    assert first == f"{len(found.concepts)} concepts of conv5_1, in {found.columns} columns"
    assert len(lines) == len(found.concepts) and lines[6].startswith("  concept  6")
    for line, concept in zip(lines, found.concepts, strict=True):
        assert f"stability {concept.stability:.2f}" in line and (", vague" in line) == concept.vague
    assert json.loads(Path("x.json").read_text(encoding="utf-8")) == json.loads(json.dumps(found.record()))
    said = run("concepts", "show", "conv5_1", "6", "-o", "one.png")
    assert lines[6].partition(":")[0] in said
    with Image.open("x.png") as sheet, Image.open("one.png") as one:
        assert sheet.tobytes() == found.picture.tobytes() and one.tobytes() == found.tile(6).tobytes()


@pytest.mark.slow
def test_atlas_make_grows_a_layer_and_leaves_it_the_next_time(run: Run) -> None:
    make = ["atlas", "make", "-o", "mine", "--layers", "conv1_1"]
    assert run(*make) == "conv1_1: 'mine'\n"
    made = {path.name: path.stat().st_mtime_ns for path in Path("mine").iterdir()}
    assert made.keys() == {"conv1_1.webp", "conv1_1.json"}
    assert run(*make, "--json", "-") == '{"folder": "mine", "layers": ["conv1_1"]}\n'
    assert {path.name: path.stat().st_mtime_ns for path in Path("mine").iterdir()} == made


def test_shelf_show_writes_a_table(run: Run, refusal: Run) -> None:
    show = ["shelf", "show", "conv5_1", "170"]
    line = run(*show, "--count", "12", "-o", "legs.csv", "--json", "legs.json")
    expected = json.loads(Path("legs.json").read_text(encoding="utf-8"))["exemplars"]
    assert line.startswith(f"conv5_1 channel 170, the top 12 of 352 photos, largest value {expected[0]['value']:.4g}: ")
    assert rows_in("legs.csv") == [as_text(row) for row in expected]
    assert ".webp, .csv." in refusal(*show, "-o", "x.npy")


# Wiring and why


def test_wiring_lists_both_sides(run: Run) -> None:
    wires = cnnvis.wiring(cnnvis.load_vgg16(), "conv3_1", 7, 3)
    lines, strongest = run(*WIRING).splitlines(), wires.reads[0]
    assert lines[0] == "conv3_1 channel 7 reads" and lines[5] == "and is read by" and len(lines) == 9
    numbers = [f"{strongest.norm:.4f}", f"{strongest.sum:+.4f}", f"{100 * strongest.share:.2f}%"]
    assert lines[2].split()[:5] == ["conv2_2", str(strongest.channel), *numbers]
    assert json.loads(run(*WIRING, "--json", "-")) == wires.record()
    assert "is read by the classifier" in run("wiring", "conv5_3", "7")


def test_wiring_writes_a_table(run: Run, refusal: Run) -> None:
    assert run(*WIRING, "-o", "wires.csv").endswith(": 'wires.csv'\n")
    record = cnnvis.wiring(cnnvis.load_vgg16(), "conv3_1", 7, 3).record()
    wires = [{"end": end, **wire} for end in ("reads", "readers") for wire in record[end]]
    assert rows_in("wires.csv") == [as_text(wire) for wire in wires]
    assert "choose one of .csv." in refusal(*WIRING, "-o", "wires.png")


def test_why_prints_a_tree_whose_numbers_add_up(run: Run) -> None:
    lines = run("why", CAT, "conv2_1", "3", "--depth", "2", "--count", "2").splitlines()
    assert re.fullmatch(r"conv2_1 channel 3 is \S+ at row \d+, column \d+:", lines[0])
    numbers = [float(line.split()[0]) for line in lines[1:] if not line.startswith("    ")]
    bias = float(lines[-1].split()[-2])
    assert sum(numbers) + bias == pytest.approx(float(lines[0].split()[4]), rel=2e-2)
    assert sum(line.startswith("    ") for line in lines) == 6
    asked = ["why", CAT, "conv2_1", "3", "--row", "4", "--column", "5", "--depth", "1", "--json", "-"]
    assert json.loads(run(*asked)) == cnnvis.why(cnnvis.load_vgg16(), CAT, "conv2_1", 3, 4, 5, depth=1).record()
