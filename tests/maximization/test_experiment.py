"""Saved pictures: each can be read back as the same experiment, and a hostile file breaks nothing."""

import hashlib
import io
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import EXAMPLES
from helpers.pictures import animated, saved
from PIL import Image, PngImagePlugin

from cnnvis.errors import ChannelError, CnnvisError, LayerError, PhotoError, SettingError
from cnnvis.maximization.ascent import maximize
from cnnvis.maximization.experiment import differences, read_experiment
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import encode
from cnnvis.pictures.text_chunks import MAX_TEXT_BYTES


def holding(record: Any) -> io.BytesIO:
    return io.BytesIO(encode(Image.new("RGB", (8, 8)), "png", record))


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
    del record["settings"]["coarse_share"], record["settings"]["blur"]
    again = read_experiment(holding(record), "cpu")
    *_, regrown = maximize(tiny, again.layer, again.channel, again.settings)
    assert regrown.picture.tobytes() == last.picture.tobytes()
    *_, now = maximize(tiny, "conv5_1", 3, steps=4, size=128)
    assert now.picture.tobytes() != last.picture.tobytes()


def test_settings_missing_from_a_record_get_their_defaults() -> None:
    record = {"layer": "features.10", "channel": 5, "settings": {"recipe": "fourier", "seed": 3}}
    again = read_experiment(holding(record), "cpu")
    assert (again.layer, again.channel, again.settings.seed, again.settings.size) == ("conv3_1", 5, 3, 224)


NO_ASCENT = "does not describe an ascent: choose a PNG of an ascent"
ERHAN = {"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan"}}


@pytest.mark.parametrize(("record", "error", "sentence"), [
    ({}, PhotoError, NO_ASCENT),
    ({"layer": "conv3_1", "channel": 5}, PhotoError, NO_ASCENT),
    (ERHAN | {"settings": 7}, PhotoError, NO_ASCENT),
    (ERHAN | {"settings": {}}, PhotoError, NO_ASCENT),
    (ERHAN | {"settings": [["recipe", "erhan"], [1, 2]]}, PhotoError, NO_ASCENT),
    (ERHAN | {"build": 7}, PhotoError, NO_ASCENT),
    (ERHAN | {"layer": "conv9_1"}, LayerError, "conv9_1"),
    (ERHAN | {"channel": 64}, ChannelError, "channel 64"),
    (ERHAN | {"channel": {}}, ChannelError, "no usable weights"),
    (ERHAN | {"settings": {"recipe": "lucid"}}, SettingError, "recipe 'lucid'"),
    (ERHAN | {"settings": {"recipe": ["erhan"]}}, SettingError, "recipe"),
    (ERHAN | {"settings": {"recipe": "erhan", "x": 1}}, SettingError, "setting 'x'"),
    (ERHAN | {"settings": {"recipe": "erhan", "size": 1e9}}, SettingError, "size"),
    (ERHAN | {"settings": {"recipe": "erhan", "seed": {}}}, SettingError, "seed"),
])  # fmt: skip
def test_a_wrong_record_is_refused_with_a_clear_message(record: Any, error: type[CnnvisError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        read_experiment(holding(record), "cpu")


BUILD = {"cnnvis": "0.1.0", "torch": "2.14.1", "python": "3.11.7", "device": "cpu", "precision": "float32",
         "threads": 2, "weights_sha256": "1" * 64, "start_sha256": None}  # fmt: skip


@pytest.mark.parametrize(("changed", "said"), [
    ({"threads": 4}, "threads 4 (now 2): this one may differ from it."),
    ({"torch": "2.8.0", "python": "3.12.1"}, "torch 2.8.0 (now 2.14.1), python 3.12.1 (now 3.11.7): this one may"),
    ({"cnnvis": "0.0.9"}, "cnnvis 0.0.9 (now 0.1.0): this one may differ"),
    ({"device": "NVIDIA H100 80GB HBM3"}, "device NVIDIA H100 80GB HBM3 (now cpu): this one will differ from it."),
    ({"precision": "bfloat16"}, "precision bfloat16 (now float32): this one will differ"),
    ({"weights_sha256": "ab" * 32}, "weights abababababab (now 111111111111): this one will differ"),
    ({"weights_sha256": None}, "weights none (now 111111111111): this one will differ"),
    ({"start_sha256": "cd" * 32}, "the photo cdcdcdcdcdcd (now none): this one will differ"),
    ({"device": "[x](http://x)\n<b>" + "x" * 90}, "device ?x??http:??x???b?"),
])  # fmt: skip
def test_a_sentence_says_what_has_changed_since_the_record(changed: dict[str, Any], said: str) -> None:
    sentence = differences(read_experiment(holding(ERHAN | {"build": BUILD | changed}), "cpu"), BUILD)
    assert sentence.startswith(f"That picture was made with {said}")
    assert len(sentence) < 200 and "\n" not in sentence


def test_an_unchanged_build_and_one_that_was_not_recorded_need_no_sentence() -> None:
    for build in (BUILD, None, {}, {"processor": "other"}):
        assert differences(read_experiment(holding(ERHAN | {"build": build}), "cpu"), BUILD) == ""


@pytest.mark.parametrize("name", ["device", "layer", "settings", "self", "net", "start"])
def test_a_setting_that_is_none_is_refused_by_its_name(name: str) -> None:
    record = {"layer": "conv1_1", "channel": 0, "settings": {"recipe": "erhan", name: "cpu"}}
    with pytest.raises(SettingError, match=f"setting '{name}' is unknown: choose one of recipe, steps, "):
        read_experiment(holding(record), "cpu")


RECORD = {"layer": "conv5_3", "channel": 17, "settings": {"recipe": "fourier", "seed": 3}}


@pytest.mark.parametrize("size", [(4000, 2000, 2000), (13_000, 13_000, 1)], ids=["animation", "many pixels"])
def test_a_record_is_read_without_decoding_the_picture(size: tuple[int, int, int], tmp_path: Path) -> None:
    """Decoded, they cost 40 s and 644 MB."""
    content = animated(*size, json.dumps(RECORD).encode())
    path = tmp_path / "saved.png"
    path.write_bytes(content)
    tracemalloc.start()
    begun = time.process_time()
    for source in (path, str(path), io.BytesIO(content), content):
        again = read_experiment(source, "cpu")
        assert (again.layer, again.channel, again.settings.seed) == ("conv5_3", 17, 3)
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.5 and peak < 1_000_000


def with_text(text: str, zipped: bool = False) -> io.BytesIO:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("cnnvis", text, zip=zipped)
    return saved(Image.new("RGB", (4, 4)), pnginfo=chunks)


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
    record = {"pad": " " * MAX_TEXT_BYTES, **RECORD}
    with pytest.raises(PhotoError, match="carries no record"):
        read_experiment(with_text(json.dumps(record), zipped=True), "cpu")
