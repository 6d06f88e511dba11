"""Anything that a stranger may send: whatever the bytes and values, a result or one readable sentence."""

import io
import math
from itertools import product
from typing import Any

import pytest
from helpers import CASES
from helpers.pictures import saved
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnvis.errors import CnnvisError, PhotoError
from cnnvis.maximization.experiment import read_experiment
from cnnvis.maximization.recipes import Settings, limits, settle
from cnnvis.network.architecture import ARCHITECTURE, find_layer
from cnnvis.pictures.images import encode
from cnnvis.pictures.photo import MAX_PHOTO_PIXELS, open_photo
from cnnvis.ui.links import read_query

ODD: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2), st.binary(max_size=8),
)  # fmt: skip
SEARCH = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.data_too_large])


# Small files of every format, to be damaged.
PICTURE = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
FILES = [saved(PICTURE, kind).getvalue() for kind in KINDS]
FILES += [path.read_bytes()[:20_000] for path in sorted(CASES.iterdir())]


def readable(error: CnnvisError) -> None:
    """Check that an error is one short line, ends as a sentence and says nothing about the server."""
    sentence = str(error)
    assert len(sentence) < 400 and "\n" not in sentence
    assert sentence.endswith((".", "?", ".)"))
    assert "Traceback" not in sentence and "/work" not in sentence


def open_or_refuse(content: bytes) -> None:
    """Check that bytes open as a picture within the limits, or are refused in a sentence."""
    try:
        picture = open_photo(io.BytesIO(content))
    except PhotoError as error:
        readable(error)
    else:
        assert picture.mode == "RGB"
        assert 0 < picture.width * picture.height <= MAX_PHOTO_PIXELS


@SEARCH
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x89PNG\r\n\x1a\n")
def test_any_bytes_are_a_photo_or_a_sentence(content: bytes) -> None:
    open_or_refuse(content)


@SEARCH
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    st.floats(0, 1),
)
def test_a_damaged_file_is_a_photo_or_a_sentence(content: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    damaged = bytearray(content)
    for position, value in changes if content else []:
        damaged[int(position * len(damaged))] = value
    open_or_refuse(bytes(damaged[: math.ceil(kept * len(damaged))]))


@SEARCH
@given(st.dictionaries(st.sampled_from([*vars(Settings()), "stepz"]), ODD, max_size=4))
def test_any_settings_are_settled_within_the_limits_or_refused_in_a_sentence(overrides: dict[str, Any]) -> None:
    try:
        settled = settle("fourier", find_layer("conv3_1"), "cpu", **overrides)
    except CnnvisError as error:
        readable(error)
    else:
        for name, (low, high) in limits("cpu").items():
            assert low <= getattr(settled, name) <= high


@SEARCH
@given(ODD, ODD)
def test_any_layer_and_channel_are_found_or_refused_in_a_sentence(layer: Any, channel: Any) -> None:
    names = ((layer, channel), ("conv1_1", channel), (f"{layer}:{channel}", None), (f"0:{layer}", None))
    for find, name in product((ARCHITECTURE.target, ARCHITECTURE.weighted_target), names):
        try:
            target = find(*name)
        except CnnvisError as error:
            readable(error)
        else:
            assert all(0 <= number < target.layer.channels for number in target.direction)


@SEARCH
@given(st.dictionaries(st.sampled_from(["tab", "layer", "channel", "seed", "size", "steps", "photo", "recipe", "x"]),
                       st.text(max_size=30)))  # fmt: skip
def test_any_address_leads_to_a_view(query: dict[str, str]) -> None:
    address, wrong = read_query(query)
    assert read_query(dict(pair.split("=") for pair in address.query().split("&") if pair)) == (address, [])
    assert len(wrong) <= len(query)


@SEARCH
@given(st.recursive(ODD.filter(lambda value: not isinstance(value, bytes)),
                    lambda parts: st.dictionaries(st.sampled_from(["layer", "channel", "settings", "recipe", "seed"]),
                                                  parts, max_size=5), max_leaves=8))  # fmt: skip
def test_any_record_in_a_png_is_an_experiment_or_a_sentence(record: Any) -> None:
    file = io.BytesIO(encode(Image.new("RGB", (2, 2)), "png", record))
    try:
        experiment = read_experiment(file, "cpu")
    except CnnvisError as error:
        readable(error)
    else:
        assert experiment.settings.steps >= 1


@pytest.mark.parametrize("name", ["bomb_225MP_1bit.png", "empty.jpg", "heic_header.heic", "truncated_60.jpg"])
def test_the_files_that_took_the_page_down_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(PhotoError) as refused:
        open_photo(CASES / name)
    readable(refused.value)
