"""Saved pictures: each one can be read back as the same experiment, and a hostile file breaks nothing."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import EXAMPLES
from PIL import Image, PngImagePlugin

from cnnvis.errors import ChannelError, CnnvisError, LayerError, PhotoError, SettingError
from cnnvis.maximization.ascent import maximize
from cnnvis.maximization.experiment import differences, read_experiment
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import encode


def holding(record: Any, size: int = 8) -> io.BytesIO:
    return io.BytesIO(encode(Image.new("RGB", (size, size)), "png", record))


@pytest.mark.parametrize("channel", [3, {1: 2.0, 4: -0.5}])
@pytest.mark.parametrize("recipe", ["erhan", "fourier", "maco"])
def test_a_saved_picture_can_be_grown_again(tiny: VGG16, tmp_path: Path, recipe: str, channel: Any) -> None:
    *_, last = maximize(tiny, "conv3_1", channel, recipe, steps=4, size=64, seed=7, zoom=0.05, objective="centre")
    file = tmp_path / "mine.png"
    file.write_bytes(encode(last.picture, "png", last.record()))
    again = read_experiment(file, "cpu")
    assert (again.layer, again.channel, again.settings) == ("conv3_1", channel, last.settings)
    assert again.start_sha256 is None
    *_, regrown = maximize(tiny, again.layer, again.channel, again.settings)
    assert regrown.picture.tobytes() == last.picture.tobytes()


def test_a_picture_grown_from_a_photo_records_which_photo(tiny: VGG16, photo: Image.Image) -> None:
    *_, last = maximize(tiny, "conv1_1", 0, steps=1, size=64, start=photo)
    again = read_experiment(holding(last.record()), "cpu")
    assert again.start_sha256 == hashlib.sha256(np.asarray(photo).tobytes()).hexdigest()


def test_a_picture_saved_before_pictures_started_small_grows_as_it_did(tiny: VGG16) -> None:
    *_, last = maximize(tiny, "conv5_1", 3, steps=4, size=128, coarse_share=0.0, blur=0.0)
    record = last.record()
    record["settings"] = {
        name: value for name, value in record["settings"].items() if name not in ("coarse_share", "blur")
    }
    again = read_experiment(holding(record), "cpu")
    *_, regrown = maximize(tiny, again.layer, again.channel, again.settings)
    assert regrown.picture.tobytes() == last.picture.tobytes()
    *_, now = maximize(tiny, "conv5_1", 3, steps=4, size=128)
    assert now.picture.tobytes() != last.picture.tobytes()


def test_settings_missing_from_a_record_get_their_defaults() -> None:
    record = {"layer": "features.10", "channel": 5, "settings": {"recipe": "fourier", "seed": 3}}
    again = read_experiment(holding(record), "cpu")
    assert (again.layer, again.channel, again.settings.seed, again.settings.size) == ("conv3_1", 5, 3, 224)


@pytest.mark.parametrize(
    ("record", "error", "found"),
    [
        ({}, PhotoError, "not of an ascent"),
        ({"layer": "conv3_1", "channel": 5}, PhotoError, "not of an ascent"),
        ({"layer": "conv3_1", "channel": 5, "settings": 7}, PhotoError, "not of an ascent"),
        ({"layer": "conv3_1", "channel": 5, "settings": {}}, PhotoError, "not of an ascent"),
        ({"layer": "conv9_1", "channel": 5, "settings": {"recipe": "erhan"}}, LayerError, "conv9_1"),
        ({"layer": "conv1_1", "channel": 64, "settings": {"recipe": "erhan"}}, ChannelError, "channel 64"),
        ({"layer": "conv1_1", "channel": {}, "settings": {"recipe": "erhan"}}, ChannelError, "no usable weights"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan"}, "build": 7}, PhotoError, "not of an"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": "lucid"}}, SettingError, "recipe 'lucid'"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": ["erhan"]}}, SettingError, "recipe"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan", "x": 1}}, SettingError, "setting 'x'"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan", "size": 1e9}}, SettingError, "size"),
        ({"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan", "seed": {}}}, SettingError, "seed"),
    ],
)
def test_a_wrong_record_is_refused_with_a_clear_message(record: Any, error: type[CnnvisError], found: str) -> None:
    with pytest.raises(error, match=found):
        read_experiment(holding(record), "cpu")


BUILD = {"cnnvis": "0.1.0", "torch": "2.14.1", "python": "3.11.7", "device": "cpu", "precision": "float32",
         "threads": 2, "weights_sha256": "1" * 64, "start_sha256": None}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"threads": 4}, "threads 4 (here 2): this one may differ from it."),
        ({"torch": "2.8.0", "python": "3.12.1"}, "torch 2.8.0 (here 2.14.1), python 3.12.1 (here 3.11.7): this one"),
        ({"cnnvis": "0.0.9"}, "cnnvis 0.0.9 (here 0.1.0): this one may differ"),
        ({"device": "NVIDIA H100 80GB HBM3"}, "device NVIDIA H100 80GB HBM3 (here cpu): this one will differ from it."),
        ({"precision": "bfloat16"}, "precision bfloat16 (here float32): this one will differ"),
        ({"weights_sha256": "ab" * 32}, "weights abababababab (here 111111111111): this one will differ"),
        ({"weights_sha256": None}, "weights none (here 111111111111): this one will differ"),
        ({"start_sha256": "cd" * 32}, "the photo cdcdcdcdcdcd (here none): this one will differ"),
        ({"device": "[x](http://x)\n<b>" + "x" * 90}, "device ?x??http:??x???b?"),
    ],
)  # fmt: skip
def test_what_a_record_names_and_is_not_as_it_was_is_said(changed: dict[str, Any], said: str | None) -> None:
    record = {"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan"}, "build": BUILD | changed}
    sentence = differences(read_experiment(holding(record), "cpu"), BUILD)
    assert sentence.startswith(f"That picture was made with {said}") if said else sentence == ""
    assert len(sentence) < 200 and "\n" not in sentence


def test_a_record_without_a_build_is_not_compared() -> None:
    for build in (None, {}, {"processor": "other"}):
        record = {"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan"}, "build": build}
        assert differences(read_experiment(holding(record), "cpu"), BUILD) == ""


def with_text(text: str) -> io.BytesIO:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("cnnvis", text)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=chunks)
    file.seek(0)
    return file


@pytest.mark.parametrize("text", ["", "{", "[1]", '"conv"', "[" * 100_000, "null"])
def test_text_that_is_not_a_record_is_refused(text: str) -> None:
    with pytest.raises(PhotoError, match="carries no record"):
        read_experiment(with_text(text), "cpu")


def test_files_that_cnnvis_did_not_save_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="not a readable PNG"):
        read_experiment(EXAMPLES / "chelsea.jpg", "cpu")
    with pytest.raises(PhotoError, match="carries no record"):
        read_experiment(holding(None), "cpu")
    broken = tmp_path / "broken.png"
    broken.write_bytes(holding({"layer": "conv1_1"}).getvalue()[:60])
    with pytest.raises(PhotoError):
        read_experiment(broken, "cpu")
    with pytest.raises(PhotoError, match="is the path right"):
        read_experiment(tmp_path / "missing.png", "cpu")


def test_a_text_chunk_that_unpacks_to_a_huge_size_is_refused() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("cnnvis", json.dumps({"layer": " " * 80_000_000}), zip=True)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=chunks)
    file.seek(0)
    with pytest.raises(PhotoError):
        read_experiment(file, "cpu")
