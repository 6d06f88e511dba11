"""The command line: its output, its files and its error messages. Ctrl-C loses no work."""

import csv
import inspect
import json
import os
import pty
import re
import shlex
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import ROOT
from helpers.checkpoints import headed, network, slim
from PIL import Image

import cnnvis
from cnnvis.__main__ import main
from cnnvis.analysis.filters import VIEWS
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES
from cnnvis.cli import commands
from cnnvis.network import weights

CAT = str(ROOT / "examples" / "chelsea.jpg")
SMALL = ["maximize", "conv1_1", "5", "--size", "64", "--steps", "3", "--seed", "2"]
COMMANDS = ["info", "layers", "filters", "maps", "maximize", "score", "wiring", "why", "page"]

Run = Callable[..., str]


@pytest.fixture(scope="module", autouse=True)
def refused() -> Iterator[subprocess.Popen[str]]:
    """A refused command in a separate process. It starts first, because torch takes seconds to import."""
    command = [sys.executable, "-m", "cnnvis", "score", CAT, "conv1_1", "64"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        yield child


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run every test in its own folder, so that relative file names end up there."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command, checks that it succeeds, and returns its output.

    Stderr stays empty, because it is not a terminal.
    """

    def run(*argv: object) -> str:
        assert main([str(word) for word in argv]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command, checks that it is refused, and returns the error message."""

    def refusal(*argv: object) -> str:
        assert main([str(word) for word in argv]) == 2
        out, err = capsys.readouterr()
        assert out == "" and re.fullmatch(r"cnnvis: [^\n]+[.?)]\n", err), err
        return err

    return refusal


def written() -> list[str]:
    """List the files in the test's folder."""
    return sorted(path.name for path in Path().iterdir())


def record_in(picture: str) -> Any:
    with Image.open(picture) as opened:
        return json.loads(opened.text["cnnvis"])


# info and layers


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
    grown = json.loads(run("maximize", "features_16:7", "--size", "64", "--steps", "2", "-o", "p.png", "--json", "-"))
    assert (grown["layer"], grown["channel"], grown["selectivity"]) == ("conv3_4", 7, None)
    assert run("score", "p.png").startswith("conv3_4 channel 7: ")
    assert run("wiring", "conv5_4:7", "--count", "2").splitlines()[0] == "conv5_4 channel 7 reads"
    assert run("why", CAT, "conv5_4:7", "--depth", "1").startswith("conv5_4 channel 7 says")


def test_what_was_made_for_other_weights_is_absent_and_can_be_made(
    vgg19: Path, run: Run, refusal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "shelf 'cnnvis' was made with other weights: make one" in refusal(
        "shelf", "show", "conv5_4:7", "-o", "s.png"
    )
    assert "sheet of conv3_3 was made with other weights: make it" in refusal("atlas", "show", "conv3_3", "-o", "a.png")
    with pytest.raises(cnnvis.ShelfError, match="was made with other weights"):
        cnnvis.quiz(layer="conv3_4")
    assert "has no sheet of conv3_4: make it with" in refusal("atlas", "show", "conv3_4", "-o", "a.png")
    assert "a photo shelf made with these" in refusal("maps", CAT, "conv3_4", "--order", "unusual", "-o", "m.png")
    photos = vgg19.with_name("photos")
    photos.mkdir()
    (photos / "cat.jpg").symlink_to(CAT)
    run("shelf", "make", photos, "-o", "mine.shelf")
    monkeypatch.setenv("CNNVIS_SHELF", "mine.shelf")
    assert "the best 1 of 1 photos" in run("shelf", "show", "conv5_4:7", "-o", "s.png")


def test_a_class_without_a_name_has_a_number(tmp_path: Path, refusal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ten.pth"
    torch.save(headed(slim(network("vgg16")), 10), path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    assert "channel '10' does not exist in class: choose a whole number from 0 to 9" in refusal("maximize", "class:10")
    assert "channel 'goldfish' does not exist in class" in refusal("maximize", "class", "goldfish")


@pytest.mark.slow
def test_a_class_of_a_fine_tuned_network_is_maximised_by_number(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ten.pth"
    torch.save(headed(slim(network("vgg16")), 10), path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    monkeypatch.setattr(weights, "_loaded", {})  # so that its 500 MB are free again afterwards
    grown = json.loads(run("maximize", "class:3", "--size", "64", "--steps", "1", "--json", "-"))
    assert (grown["layer"], grown["channel"]) == ("class", 3)
    net = cnnvis.load_whole_vgg16("cpu")
    best = cnnvis.top_classes(net, CAT)
    assert len(best) == 5 and {name for name, _ in best} < {f"class {number}" for number in range(10)}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["wiring", "conv4_2"], "no channel was given: name a layer and one of its channels[.]"),
        (["wiring", "conv4_2:1", "2"], "channel '1' stands in the layer's name and '2' beside it: give one of them"),
        (["filters", "conv4_2:1", "-o", "f.png"], "'conv4_2:1' names a channel too: name the layer alone"),
    ],
)
def test_a_channel_in_the_layers_name_is_understood_or_refused(argv: list[str], sentence: str, refusal: Run) -> None:
    assert re.search(sentence, refusal(*argv))


# Sheets


def test_filters_writes_the_engines_sheet(run: Run) -> None:
    line = run("filters", "features.2", "-o", "sheet.png", "--view", "gray", "--input-channel", "7", "--json", "f.json")
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), "conv1_2", "gray", 7)
    with Image.open("sheet.png") as picture:
        assert picture.tobytes() == sheet.picture.tobytes()
    assert json.loads(Path("f.json").read_text()) == sheet.record()
    assert line == "64 filters of conv1_2, gray, input channel 7, in 8 columns: 'sheet.png'\n"


@pytest.mark.parametrize(("name", "form"), [("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP")])
def test_the_suffix_decides_the_picture_format(name: str, form: str, run: Run) -> None:
    run("filters", "conv1_1", "-o", name)
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), "conv1_1").picture
    with Image.open(name) as picture:
        assert picture.format == form
        assert (picture.convert("RGB").tobytes() == sheet.tobytes()) == (form != "JPEG")


def test_atlas_show_writes_the_sheet_of_a_layer(run: Run) -> None:
    text = run("atlas", "show", "block1_conv2", "-o", "x.png", "--json", "x.json")
    assert text == "64 pictures of conv1_2, in 8 columns: 'x.png'\n"
    sheet = cnnvis.atlas_sheet("conv1_2")
    with Image.open("x.png") as saved:
        assert saved.tobytes() == sheet.picture.tobytes()
    assert json.loads(Path("x.json").read_text()) == json.loads(json.dumps(sheet.record()))


@pytest.mark.slow
def test_atlas_make_grows_a_layer_and_leaves_it_the_next_time(run: Run) -> None:
    assert run("atlas", "make", "-o", "mine", "--layers", "conv1_1") == "conv1_1: 'mine'\n"
    made = {path.name: path.stat().st_mtime_ns for path in Path("mine").iterdir()}
    assert made.keys() == {"conv1_1.webp", "conv1_1.json"}
    assert run("atlas", "make", "-o", "mine", "--layers", "conv1_1", "--json", "-") == (
        '{"folder": "mine", "layers": ["conv1_1"]}\n'
    )
    assert {path.name: path.stat().st_mtime_ns for path in Path("mine").iterdir()} == made


def test_wiring_lists_both_sides(run: Run) -> None:
    lines = run("wiring", "conv3_1", "7", "--count", "3").splitlines()
    assert lines[0] == "conv3_1 channel 7 reads" and lines[5] == "and is read by" and len(lines) == 9
    found = cnnvis.wiring(cnnvis.load_vgg16(), "conv3_1", 7, 3)
    assert lines[2].split()[:3] == ["conv2_2", str(found.reads[0].channel), f"{found.reads[0].norm:.4f}"]
    assert json.loads(run("wiring", "conv3_1", "7", "--count", "3", "--json", "-")) == found.record()
    assert "is read by the classifier" in run("wiring", "conv5_3", "7")


def test_why_prints_a_tree_whose_numbers_add_up(run: Run) -> None:
    lines = run("why", CAT, "conv2_1", "3", "--depth", "2", "--count", "2").splitlines()
    assert re.fullmatch(r"conv2_1 channel 3 says \S+ at row \d+, column \d+:", lines[0])
    numbers = [float(line.split()[0]) for line in lines[1:] if not line.startswith("    ")]
    bias = float(lines[-1].split()[-2])
    assert sum(numbers) + bias == pytest.approx(float(lines[0].split()[4]), rel=2e-2)
    assert sum(line.startswith("    ") for line in lines) == 6
    found = cnnvis.why(cnnvis.load_vgg16(), CAT, "conv2_1", 3, 4, 5, depth=1)
    asked = ["why", CAT, "conv2_1", "3", "--row", "4", "--column", "5", "--depth", "1", "--json", "-"]
    assert json.loads(run(*asked)) == found.record()


def test_maps_writes_the_engines_sheet(run: Run) -> None:
    asked = {"pipeline": "conv_chain", "order": "strength", "contrast": "layer"}
    options = [word for name, value in asked.items() for word in (f"--{name}", value)]
    record = json.loads(run("maps", CAT, "conv1_1", "-o", "maps.jpg", *options, "--json", "-"))
    sheet = cnnvis.map_sheet(cnnvis.load_vgg16(), CAT, "conv1_1", **asked)
    assert record == sheet.record()
    assert Path("maps.jpg").read_bytes() == cnnvis.encode(sheet.picture, "jpeg")
    assert written() == ["maps.jpg"]


def test_maps_with_a_channel_writes_one_map_and_its_overlay(run: Run) -> None:
    line = run("maps", CAT, "relu1_1", "--channel", "3", "-o", "one.png")
    one = cnnvis.feature_map(cnnvis.load_vgg16(), CAT, "relu1_1", 3)
    assert written() == ["one-overlay.png", "one.png"]
    for name, expected in (("one.png", one.picture), ("one-overlay.png", one.overlay)):
        assert Path(name).read_bytes() == cnnvis.encode(expected)
        assert repr(name) in line


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_maps_writes_numbers(suffix: str, run: Run, refusal: Run) -> None:
    values = cnnvis.feature_maps(cnnvis.load_vgg16(), CAT, "relu1_2").values.numpy()
    line = run("maps", CAT, "relu1_2", "-o", f"all{suffix}", "--json", "all.json")
    assert line == f"64 maps of relu1_2, 224 × 224, float32: 'all{suffix}'\n"
    run("maps", CAT, "block1_conv1", "--channel", "7", "-o", f"one{suffix}", "--pipeline", "conv_chain")
    chain = cnnvis.feature_maps(cnnvis.load_vgg16(), CAT, "conv1_1", "conv_chain").values.numpy()
    every, one = np.load(f"all{suffix}"), np.load(f"one{suffix}")
    if suffix == ".npz":
        assert (every["layer"], every["pipeline"], one["layer"], one["pipeline"]) == (
            "relu1_2", "network", "conv1_1", "conv_chain",
        )  # fmt: skip
        assert (every["channels"].tolist(), one["channels"].tolist()) == (list(range(64)), [7])
        every, one = every["maps"], one["maps"]
    assert every.dtype == one.dtype == np.float32
    assert np.array_equal(every, values) and np.array_equal(one, chain[[7]])
    about = {"layer": "relu1_2", "pipeline": "network", "channels": list(range(64)), "size": [224, 224]}
    assert json.loads(Path("all.json").read_text()) == {**about, "cnnvis": cnnvis.__version__}
    assert written() == sorted([f"all{suffix}", "all.json", f"one{suffix}"])
    assert "leave out --order" in refusal("maps", CAT, "conv1_1", "-o", f"x{suffix}", "--order", "strength")
    assert "channel '64' does not exist" in refusal("maps", CAT, "conv1_1", "--channel", "64", "-o", f"x{suffix}")


def rows_in(table: str) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_exemplars_and_wiring_are_written_as_tables(run: Run, refusal: Run) -> None:
    run("shelf", "show", "conv5_1", "170", "--count", "12", "-o", "legs.csv", "--json", "legs.json")
    expected = json.loads(Path("legs.json").read_text())["exemplars"]
    text = [{**one, "box": " ".join(map(str, one["box"]))} for one in expected]
    assert rows_in("legs.csv") == [{name: str(value) for name, value in one.items()} for one in text]
    found = cnnvis.wiring(cnnvis.load_vgg16(), "conv3_1", 7, 3).record()
    assert run("wiring", "conv3_1", "7", "--count", "3", "-o", "wires.csv").endswith(": 'wires.csv'\n")
    wires = [{"end": end, **wire} for end in ("reads", "readers") for wire in found[end]]
    assert rows_in("wires.csv") == [{name: str(value) for name, value in wire.items()} for wire in wires]
    assert "choose one of .csv." in refusal("wiring", "conv3_1", "7", "-o", "wires.png")
    assert ".webp, .csv." in refusal("shelf", "show", "conv5_1", "170", "-o", "x.npy")


# Maximize and score


def test_an_ascent_can_be_a_webp_animation(run: Run) -> None:
    run(*SMALL, "--animation", "up.webp")
    *_, last = cnnvis.maximize(cnnvis.load_vgg16(), "conv1_1", 5, size=64, steps=3, seed=2)
    with Image.open("up.webp") as read:
        assert (read.format, read.size) == ("WEBP", (64, 64)) and read.n_frames >= 2
        read.seek(read.n_frames - 1)
        difference = np.asarray(read.convert("RGB")).astype(int) - np.asarray(last.picture)
    assert np.abs(difference).mean() < 8


def test_the_png_and_the_json_file_hold_the_same_record(run: Run) -> None:
    line = run(*SMALL, "--recipe", "erhan", "-o", "up.png", "--animation", "up.gif", "--json", "up.json")
    record = json.loads(Path("up.json").read_text())
    assert record == record_in("up.png")
    *_, last = cnnvis.maximize(cnnvis.load_vgg16(), "conv1_1", 5, "erhan", size=64, steps=3, seed=2)
    expected = cnnvis.scored_record(cnnvis.load_vgg16(), last)
    assert record | {"seconds": 0} == expected | {"seconds": 0}
    with Image.open("up.png") as picture, Image.open("up.gif") as animation:
        assert picture.tobytes() == last.picture.tobytes()
        assert animation.size == (64, 64) and animation.n_frames >= 2  # the first and the last step are always included
    assert line.startswith("conv1_1 channel 5, erhan, 3 of 3 steps: activation ")
    assert f"saved activation {record['saved_activation']:.4g}, robust {record['robust']:.4g}" in line
    assert written() == ["up.gif", "up.json", "up.png"]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_score_measures_the_saved_file(suffix: str, run: Run) -> None:
    record = json.loads(run(*SMALL, "--json", "-", "-o", f"up{suffix}"))
    scored = json.loads(run("score", f"up{suffix}", "features.0", "5", "--json", "-"))
    names = ["saved_activation", "robust", "fires", "saturation", "naturalness", "selectivity"]
    asked = {"layer": "conv1_1", "channel": 5, "cnnvis": cnnvis.__version__}
    assert scored == asked | {name: record[name] for name in names}


def test_score_reads_the_layer_and_channel_from_a_png(run: Run) -> None:
    record = json.loads(run(*SMALL, "--json", "-", "-o", "up.png"))
    scored = json.loads(run("score", "up.png", "--json", "-"))
    assert scored.pop("cnnvis") == record["build"]["cnnvis"]
    assert record.items() >= scored.items() and scored["channel"] == 5


def test_like_repeats_the_experiment_of_a_png(run: Run) -> None:
    run(*SMALL, "--recipe", "erhan", "--objective", "centre", "-o", "up.png")
    run("maximize", "--like", "up.png", "-o", "again.png")
    again, up = record_in("again.png"), record_in("up.png")
    assert again | {"seconds": 0} == up | {"seconds": 0}
    with Image.open("up.png") as first, Image.open("again.png") as second:
        assert first.tobytes() == second.tobytes()
    other = json.loads(run("maximize", "conv1_2", "9", "--like", "up.png", "--seed", "3", "--json", "-"))
    assert (other["layer"], other["channel"], other["seed"], other["recipe"]) == ("conv1_2", 9, 3, "erhan")
    assert other["settings"] == up["settings"] | {"seed": 3}


def test_like_says_in_one_line_what_is_not_as_it_was(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SMALL, "-o", "up.png")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert main(["maximize", "--like", "up.png", "--precision", "bfloat16", "--json", "-"]) == 0
    finally:
        torch.set_num_threads(threads)
    out, err = capsys.readouterr()
    then = record_in("up.png")["build"]["precision"]
    changed = [] if then == "bfloat16" else [f"precision {then} (here bfloat16)"]
    changed += [f"threads {threads} (here {threads + 1})"]
    assert err.startswith(f"cnnvis: That picture was made with {', '.join(changed)}: this one ")
    assert err.count("\n") == 1
    assert json.loads(out)["build"]["threads"] == threads + 1


def test_like_says_that_the_photo_is_another_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SMALL, "--start", CAT, "-o", "up.png")
    other = str(ROOT / "examples" / "coffee.jpg")
    assert main(["maximize", "--like", "up.png", "--start", other, "-o", "other.png"]) == 0
    assert re.fullmatch(
        r"cnnvis: [^\n]* the photo \w{12} \(here \w{12}\): this one will [^\n]*\n", capsys.readouterr().err
    )


def test_like_asks_for_the_photo_that_the_picture_grew_from(run: Run, refusal: Run) -> None:
    run(*SMALL, "--start", CAT, "-o", "up.png")
    assert "grew from a photo, which it does not contain: give the photo with --start" in refusal(
        "maximize", "--like", "up.png"
    )
    run("maximize", "--like", "up.png", "--start", CAT, "-o", "again.png")
    with Image.open("up.png") as first, Image.open("again.png") as second:
        assert first.tobytes() == second.tobytes()
    assert "leave out --recipe or --like" in refusal("maximize", "--like", "up.png", "--recipe", "maco")


def test_no_file_is_written_unless_it_is_asked_for(run: Run) -> None:
    assert json.loads(run(*SMALL, "--json", "-"))["recipe"] == cnnvis.Settings().recipe
    assert written() == []


def test_every_option_reaches_the_settings(run: Run) -> None:
    options = ["--seconds", "9.5", "--objective", "negative", "--start", CAT]
    record = json.loads(run(*SMALL, *options, "--json", "-"))
    wanted = {"size": 64, "steps": 3, "seed": 2, "seconds": 9.5, "objective": "negative"}
    assert record["settings"].items() >= wanted.items()
    assert record["activation"] != json.loads(run(*SMALL, *options[:-2], "--json", "-"))["activation"]


def test_score_prints_a_sentence(run: Run) -> None:
    Image.new("RGB", (64, 64)).save("black.png")
    strength = cnnvis.feature_maps(cnnvis.load_vgg16(), "black.png", "relu1_1").strength
    silent, loud = int(strength.argmin()), int(strength.argmax())
    assert strength[silent] == 0
    assert run("score", "black.png", "relu1_1", silent).endswith("never fires\n")
    line = run("score", "black.png", "relu1_1", loud)
    assert line.startswith(f"relu1_1 channel {loud}: saved activation {strength[loud]:.4g}, robust ")
    assert "never" not in line


def test_the_picture_is_kept_if_scoring_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(cnnvis, "scored_record", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        main([*SMALL, "-o", "up.png", "--animation", "up.gif"])
    assert cnnvis.open_photo("up.png").size == (64, 64)
    assert written() == ["up.gif", "up.png"]


def test_a_full_disk_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    assert main([*SMALL, "-o", "up.png", "--json", "/dev/full"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert record_in("up.png")["step"] == 3


# Error messages


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["wiring", "conv1_1", "64"], "channel '64' does not exist in conv1_1"),
        (["wiring", "conv1_1", "3", "--count", "0"], "count 0 is out of range: choose 1 to 64"),
        (["why", CAT, "conv1_1", "3", "--row", "4"], "column is missing: give both row and column"),
        (["why", CAT, "conv1_1", "3", "--row", "224", "--column", "0"], "row '224' is out of range"),
        (["why", "missing.jpg", "conv1_1", "3"], "'missing.jpg' cannot be read"),
        (["atlas", "show", "relu1_1", "-o", "x.png"], "choose a convolution, for example 'conv1_1'"),
        (["atlas", "make", "-o", "x", "--layers", "pool1"], "choose a convolution, for example 'conv1_2'"),
        (["atlas", "make", "-o", "x", "--layers", "conv1_1", "--seed", "-1"], "seed '-1' is out of range"),
        (["atlas", "make", "-o", "x", "--layers", "conv1_1", "--workers", "many"], "workers 'many' is no whole number"),
        (["atlas", "make", "-o", "x", "--device", "tpu"], "device 'tpu' is unknown"),
        (["filters", "conv9_9", "-o", "x.png"], r"layer 'conv9_9' does not exist. Did you mean"),
        (["filters", "pool1", "-o", "x.png"], "layer 'pool1' has no filters"),
        (["filters", "conv1_2", "-o", "x.png", "--input-channel", "64"], "input_channel '64' .* from 0 to 63"),
        (["filters", "conv1_2", "-o", "x.png", "--view", "red"], "view 'red' is unknown: .* rgb"),
        (["maps", CAT, "conv1_1", "-o", "x.png", "--channel", "-1"], "channel '-1' .* from 0 to 63"),
        (["maps", CAT, "conv1_1", "-o", "x.png", "--channel", "1", "--order", "index"], "leave out --order"),
        (["maps", CAT, "relu1_1", "-o", "x.png", "--pipeline", "conv_chain"], "choose a conv layer"),
        (["maps", CAT, "conv1_1", "-o", "x.png", "--order", "size"], "order 'size' is unknown"),
        (["maps", CAT, "conv1_1", "-o", "x.png", "--contrast", "3"], "contrast '3' is unknown"),
        (["maps", "missing.jpg", "conv1_1", "-o", "x.png"], "'missing.jpg' cannot be read"),
        (["maximize", "conv1_1", "three"], "channel 'three'"),
        (["maximize", "conv1_1", "3", "--steps", "100000"], "steps '100000' is out of range: .* 0 to 512"),
        (["maximize", "conv1_1", "3", "--seconds", "soon"], "seconds 'soon'"),
        (["maximize", "conv1_1", "3", "--recipe", "cake"], "recipe 'cake' is unknown: .* fourier, erhan"),
        (["maximize", "conv1_1", "3", "--objective", "max"], "objective 'max' is unknown"),
        (["maximize", "conv1_1", "3", "--start", "missing.jpg"], "'missing.jpg' cannot be read"),
        (["score", str(ROOT / "pyproject.toml"), "conv1_1", "3"], "not a readable picture"),
        (["score", CAT, "conv1_1", "64"], "channel '64' does not exist in conv1_1"),
        (["score", CAT], "not a readable PNG: choose one saved by cnnvis. Or name a layer and a channel"),
        (["score", CAT, "conv1_1"], "name a layer and one of its channels"),
        (["maximize"], "name a layer and one of its channels, or a PNG made by cnnvis"),
        (["maximize", "conv1_1"], "name a layer and one of its channels"),
        (["maximize", "--like", CAT], "not a readable PNG"),
        (["maximize", "--like", "missing.png"], "'missing.png' cannot be read"),
    ],
)
def test_wrong_arguments_get_the_engines_error_message(argv: list[str], sentence: str, refusal: Run) -> None:
    assert re.search(sentence, refusal(*argv))
    assert written() == []


def test_a_missing_weights_file_is_reported(refusal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_WEIGHTS", "missing.safetensors")
    said = refusal("info")
    assert "weights file 'missing.safetensors' does not exist" in said
    assert said.endswith(f" (the file is {Path('missing.safetensors').absolute()})\n")


@pytest.mark.parametrize("argv", [[], ["paint"], ["score"], ["filters", "conv1_1"], ["info", "--js", "-"]])
def test_a_malformed_command_prints_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m cnnvis")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["-o", "missing/x.png"], "'missing/x.png' cannot be written (No such file or directory): choose another."),
        (["-o", "folder.png"], "'folder.png' cannot be written (Is a directory)"),
        (["-o", "file.txt/x.png"], "(Not a directory)"),
        (["-o", "x" * 300 + ".png"], "(File name too long)"),
        (["--json", "folder.png/"], "(Is a directory)"),
        (["--animation", "missing/x.gif"], "(No such file or directory)"),
        (["-o", "x.bmp"], "suffix '.bmp' is unknown: choose one of .png, .jpg, .jpeg, .webp."),
        (["-o", "x"], "suffix '' is unknown"),
        (["--animation", "x.png"], "suffix '.png' is unknown: choose one of .gif, .webp."),
        (["-o", "x.png", "--json", "./x.png"], "file 'x.png' is named twice"),
        (["-o", "photo.png", "--start", "photo.png"], "file 'photo.png' is named twice"),
    ],
)
def test_a_bad_output_file_is_refused_before_any_work(
    argv: list[str], sentence: str, refusal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnnvis, "load_vgg16", None)  # so calling it would fail
    Path("folder.png").mkdir()
    Path("file.txt").touch()
    Path("photo.png").write_bytes(b"mine")
    before = written()
    assert sentence in refusal(*SMALL, *argv)
    assert written() == before and Path("photo.png").read_bytes() == b"mine"


def test_a_bad_overlay_file_is_refused_before_any_work(refusal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnnvis, "load_vgg16", None)
    Path("map-overlay.png").mkdir()
    assert "'map-overlay.png'" in refusal("maps", CAT, "conv1_1", "--channel", "1", "-o", "map.png")
    Path("cat-overlay.jpg").write_bytes(b"mine")
    assert "twice" in refusal("maps", "cat-overlay.jpg", "conv1_1", "--channel", "1", "-o", "cat.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(refusal: Run) -> None:
    Path("locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    assert "(Permission denied)" in refusal(*SMALL, "-o", "locked/x.png")


def test_a_refused_command_keeps_existing_files(refusal: Run) -> None:
    Path("up.png").write_bytes(b"mine")
    assert "steps" in refusal(*SMALL, "-o", "up.png", "--steps", "-1")
    assert Path("up.png").read_bytes() == b"mine"


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_in_the_help_can_be_parsed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 82
    examples = re.findall(r"^  (python -m cnnvis .*)", text, re.MULTILINE)
    assert examples
    for example in examples:
        with pytest.MonkeyPatch.context() as only_parsed:
            only_parsed.setattr("cnnvis.__main__.check_files", lambda options: sys.exit(7))
            with pytest.raises(SystemExit, match="7"):
                main(shlex.split(example)[3:])


def test_the_help_of_maximize_states_the_engines_limits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["maximize", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in ("steps", "size", "seed", "seconds"):
        low, high = cnnvis.limits(next(cnnvis.load_vgg16().parameters()).device)[name]
        assert f"({low} to {high}; default {getattr(cnnvis.Settings(), name)})" in text
    assert all(recipe in text for recipe in cnnvis.RECIPES)


def test_the_first_choice_is_the_engines_default() -> None:
    """The output of --help says so."""
    sheet, maps = inspect.signature(cnnvis.filter_sheet).parameters, inspect.signature(cnnvis.map_sheet).parameters
    assert (sheet["view"].default, sheet["input_channel"].default) == (VIEWS[0], 0)
    firsts = {"pipeline": PIPELINES[0], "order": ORDERS[0], "contrast": CONTRASTS[0]}
    assert {name: maps[name].default for name in firsts} == firsts
    assert inspect.signature(cnnvis.maximize).parameters["settings"].default == cnnvis.Settings().recipe


# In a separate process, or interrupted


@pytest.mark.slow
def test_ctrl_c_keeps_the_last_picture(tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 100))
    files = ["-o", "up.png", "--animation", "up.gif", "--json", "up.json"]
    ascent = [sys.executable, "-m", "cnnvis", "maximize", "conv1_2", "5", "--recipe", "erhan", "--size", "64"]
    child = subprocess.Popen(
        [*ascent, "--steps", "512", *files],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # CI may ignore SIGINT
    )
    os.close(stderr)
    with child:
        seen = b""
        while b"activation" not in seen:  # the progress bar, which appears only on a terminal
            seen += os.read(terminal, 1000)
        child.send_signal(signal.SIGINT)
        line, _ = child.communicate(timeout=60)
    os.close(terminal)
    assert child.returncode == 130
    record = json.loads(Path("up.json").read_text())
    assert record == record_in("up.png") and 0 <= record["step"] < 512
    assert f"{record['step']} of 512 steps" in line
    score = cnnvis.score(cnnvis.load_vgg16(), cnnvis.open_photo("up.png"), "conv1_2", 5)
    assert record.items() >= score.record().items()
    assert written() == ["up.gif", "up.json", "up.png"]


def test_ctrl_c_during_scoring_loses_only_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cnnvis, "scored_record", impatient)
    assert main([*SMALL, "-o", "up.png", "--json", "up.json"]) == 130
    assert json.loads(Path("up.json").read_text()) == record_in("up.png")
    assert "activation" in record_in("up.png") and "robust" not in record_in("up.png")


def test_ctrl_c_before_the_first_picture_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(layer: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "load_for", impatient)
    assert main([*SMALL, "-o", "up.png"]) == 130
    assert written() == []


def test_a_closed_output_pipe_is_not_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["layers"]) == 0
    assert capsys.readouterr().err == ""


def test_a_refused_command_exits_with_code_2(refused: subprocess.Popen[str]) -> None:
    out, err = refused.communicate(timeout=60)
    assert refused.returncode == 2 and out == ""
    assert re.fullmatch(r"cnnvis: channel [^\n]+\n", err)
