"""What the command line refuses, and in which words; its help; its exit code."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT
from helpers.ascents import CAT

import cnnvis
from cnnvis.__main__ import main
from cnnvis.analysis.filters import VIEWS
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES
from cnnvis.cli import commands

Run = Callable[..., str]
COMMANDS = [
    "info", "layers", "filters", "maps", "maximize", "score", "wiring", "why", "sees", "shelf make", "shelf show",
    "shelf info", "atlas make", "atlas show", "concepts make",
    "concepts show", "page",
]  # fmt: skip


# Wrong arguments

REFUSED = {  # CAT is an example photo, PROJECT a file that is no picture
    "wiring conv1_1 64": "channel '64' does not exist in conv1_1",
    "wiring conv1_1 3 --count 0": "count '0' is out of range: choose a whole number from 1 to 64",
    "wiring conv4_2": r"no channel was given: name a layer and one of its channels\.",
    "wiring conv4_2:1 2": "channel '1' is in the layer's name and '2' was given too: give only one",
    "why CAT conv1_1 3 --row 4": "column is missing: give both row and column",
    "why CAT conv1_1 3 --row 224 --column 0": "row '224' is out of range",
    "why CAT conv1_1 3 --depth deep": "depth 'deep' is out of range: choose a whole number from 1 to 4",
    "why missing.jpg conv1_1 3": "'missing.jpg' cannot be read",
    "sees CAT pool5": "choose a convolution, for example 'conv5_3'",
    "sees CAT conv5_1 --row 14 --column 0": "row '14' is out of range: choose a whole number from 0 to 13",
    "sees CAT conv3_1 --column 3": "row is missing: give both row and column",
    "sees CAT conv5_1 --groups 9": "groups '9' is out of range: choose a whole number from 2 to 8",
    "sees CAT conv5_1 --grow place.jpg": r"suffix '\.jpg' is unknown: choose one of \.png",
    "sees CAT conv5_1 --mosaic m.gif": r"suffix '\.gif' is unknown: choose one of \.png",
    "sees missing.jpg conv5_1": "'missing.jpg' cannot be read",
    "shelf make . -o x --top few": "top 'few' is out of range: choose a whole number from 1 to 1024",
    "atlas show relu1_1 -o x.png": "choose a convolution, for example 'conv1_1'",
    "atlas make -o x --layers pool1": "choose a convolution, for example 'conv1_2'",
    "site -o x --layers conv1_1,pool1 conv1_2": "choose a convolution, for example 'conv1_2'",
    "atlas make -o x --layers conv1_1 --seed -1": "seed '-1' is out of range",
    "atlas make -o x --layers conv1_1 --workers many": "workers 'many' is out of range: choose a whole number from 0",
    "concepts make -o x --layers conv3_1": "layer 'conv3_1' has no concepts",
    "concepts make -o x --workers many": "workers 'many' is out of range: choose a whole number from 0",
    "concepts show conv3_1 -o x.png": "layer 'conv3_1' has no concepts, its channels are the units: choose one of",
    "concepts show conv5_1 -o x.gif": r"suffix '\.gif' is unknown: choose one of \.png",
    "atlas make -o x --device tpu": "device 'tpu' is unknown",
    "filters conv9_9 -o x.png": "layer 'conv9_9' does not exist. Did you mean",
    "filters pool1 -o x.png": "layer 'pool1' has no filters",
    "filters conv4_2:1 -o f.png": "'conv4_2:1' includes a channel: give only the layer here",
    "filters conv1_2 -o x.png --input-channel 64": "input_channel '64' .* from 0 to 63",
    "filters conv1_2 -o x.png --view red": "view 'red' is unknown: .* rgb",
    "maps CAT conv1_1 -o x.png --channel -1": "channel '-1' .* from 0 to 63",
    "maps CAT conv1_1 -o x.png --channel 1 --order index": "leave out --order",
    "maps CAT relu1_1 -o x.png --pipeline conv_chain": "choose a conv layer",
    "maps CAT conv1_1 -o x.png --order size": "order 'size' is unknown",
    "maps CAT conv1_1 -o x.png --contrast 3": "contrast '3' is unknown",
    "maps missing.jpg conv1_1 -o x.png": "'missing.jpg' cannot be read",
    "maximize conv1_1 three": "channel 'three'",
    "maximize conv1_1 3 --steps 100000": "steps '100000' is out of range: .* 0 to 512",
    "maximize conv1_1 3 --seconds soon": "seconds 'soon'",
    "maximize conv1_1 3 --recipe cake": "recipe 'cake' is unknown: .* fourier, erhan",
    "maximize conv1_1 3 --objective max": "objective 'max' is unknown",
    "maximize conv1_1 3 --start missing.jpg": "'missing.jpg' cannot be read",
    "maximize": "name a layer and one of its channels, or a PNG made by cnnvis",
    "maximize conv1_1": "name a layer and one of its channels",
    "maximize --like CAT": "not a readable PNG",
    "maximize --like missing.png": "'missing.png' cannot be read",
    "score PROJECT conv1_1 3": "not a readable picture",
    "score CAT conv1_1 64": "channel '64' does not exist in conv1_1",
    "score CAT": "not a readable PNG: choose one saved by cnnvis. Or name a layer and a channel",
    "score CAT conv1_1": "name a layer and one of its channels",
}


@pytest.mark.parametrize("command", REFUSED)
def test_wrong_arguments_get_the_engines_error_message(command: str, refusal: Run) -> None:
    files = {"CAT": CAT, "PROJECT": ROOT / "pyproject.toml"}
    assert re.search(REFUSED[command], refusal(*(files.get(word, word) for word in command.split())))
    assert os.listdir() == []


def test_a_missing_weights_file_is_reported(refusal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_WEIGHTS", "missing.safetensors")
    message = refusal("info")
    assert "weights file 'missing.safetensors' does not exist" in message
    assert message.endswith(f" (the file is {Path('missing.safetensors').absolute()})\n")


@pytest.mark.parametrize("argv", [[], ["paint"], ["score"], ["filters", "conv1_1"], ["info", "--js", "-"]])
def test_a_malformed_command_prints_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert capsys.readouterr().err.startswith("usage: python -m cnnvis")


# Files


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command fail if it begins to work."""
    monkeypatch.setattr(commands, "load_for", None)


@pytest.mark.usefixtures("no_work")
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
def test_a_bad_output_file_is_refused_before_any_work(argv: list[str], sentence: str, refusal: Run) -> None:
    Path("folder.png").mkdir()
    Path("file.txt").touch()
    Path("photo.png").write_bytes(b"mine")
    before = sorted(os.listdir())
    assert sentence in refusal("maximize", "conv1_1", "5", *argv)
    assert sorted(os.listdir()) == before and Path("photo.png").read_bytes() == b"mine"


@pytest.mark.usefixtures("no_work")
def test_a_bad_overlay_file_is_refused_before_any_work(refusal: Run) -> None:
    Path("map-overlay.png").mkdir()
    assert "'map-overlay.png'" in refusal("maps", CAT, "conv1_1", "--channel", "1", "-o", "map.png")
    Path("cat-overlay.jpg").write_bytes(b"mine")
    assert "twice" in refusal("maps", "cat-overlay.jpg", "conv1_1", "--channel", "1", "-o", "cat.jpg")


def test_a_refused_command_keeps_existing_files(refusal: Run) -> None:
    Path("up.png").write_bytes(b"mine")
    assert "steps" in refusal("maximize", "conv1_1", "5", "-o", "up.png", "--steps", "-1")
    assert Path("up.png").read_bytes() == b"mine"


# Help


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_in_the_help_can_be_parsed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(command, capsys)
    assert max(map(len, text.splitlines())) <= 82
    examples = re.findall(r"^  (?:\w+=\S+ )?python -m cnnvis (.*)", text, re.MULTILINE)
    assert examples
    monkeypatch.setattr("cnnvis.__main__.check_files", lambda options: sys.exit(7))  # only parsed
    for example in examples:
        with pytest.raises(SystemExit, match="7"):
            main(shlex.split(example))


def test_the_help_of_maximize_states_the_engines_limits(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(help_of("maximize", capsys).split())
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


# Ends


def test_a_closed_output_pipe_is_not_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["layers"]) == 0
    assert capsys.readouterr().err == ""


def test_a_refused_command_exits_with_code_2() -> None:
    command = [sys.executable, "-m", "cnnvis", "score", CAT, "conv1_1", "64"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2 and refused.stdout == ""
    assert re.fullmatch(r"cnnvis: channel [^\n]+\n", refused.stderr)
