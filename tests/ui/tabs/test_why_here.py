"""Why here, without a browser: what the section says, and what it shows if something is missing."""

import re
from pathlib import Path

import pytest

import cnnvis
from cnnvis.analysis.interventions import ColourSensitivity
from cnnvis.analysis.why import why
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.ui.parts.subject import Subject, filter_of
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.maps.why_here import reasons_here
from cnnvis.views.figures import colour_words
from cnnvis.views.why import in_short, sum_in_words, why_tree

CAT = DEFAULT_PHOTO.path


def subject(layer: str, channel: int) -> Subject:
    return filter_of(ARCHITECTURE.target(layer, channel))


def tree_of(net: VGG16, layer: str, count: int, depth: int) -> str:
    """The tree of the largest value of channel 5 on the photo of the cat."""
    return why_tree(
        net,
        why(net, CAT, layer, 5, count=count, depth=depth),
        cnnvis.open_photo(CAT).resize((224, 224)),
        cache.tile,
    )


def test_the_sentence_adds_up(vgg16: VGG16) -> None:
    explanation = why(vgg16, CAT, "conv4_1", 12, 9, 25, count=3)
    words = sum_in_words(vgg16, explanation)
    assert words.startswith("conv4_1 channel 12 is <b>20.5</b> here: <b>+") and "253 others" in words
    numbers = [float(number.replace("−", "-")) for number in re.findall(r"[+−]\d+(?:\.\d+)?", words)]
    assert sum(numbers) == pytest.approx(explanation.value, rel=1e-2)
    colours = sum_in_words(vgg16, why(vgg16, CAT, "conv1_1", 3, count=3))
    assert all(name in colours for name in ("red", "green", "blue")) and "others" not in colours


def test_a_tree_has_a_button_for_every_channel_and_none_for_a_colour(vgg16: VGG16) -> None:
    deep = tree_of(vgg16, "conv3_1", 2, 2)
    assert deep.count("<button") == 2 + 4 and deep.count("<img") == 2 * 6
    shallow = tree_of(vgg16, "conv1_1", 3, 3)
    assert shallow.count("<button") == 0 and shallow.count("<li>") == 3


def test_without_an_atlas_the_tree_has_only_patches(
    vgg16: VGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    tree = tree_of(vgg16, "conv3_1", 2, 1)
    assert tree.count("<button") == tree.count("<img") == 2


@pytest.mark.parametrize("at", [(None, None), (3, None), (28, 3), (3, 28), (-1, 3)])
def test_no_tree_without_a_cell_inside_the_map(at: tuple[float | None, float | None]) -> None:
    shown, *rest, key = reasons_here(subject("conv4_1", 12), DEFAULT_PHOTO, "network", at)
    assert '"places": 28, "side": 1, "row": null' in shown and rest == ["", "", ""]
    assert key == f"conv4_1 {DEFAULT_PHOTO.digest} network"


def test_a_pool_is_explained_by_its_convolution_and_the_chain_not_at_all() -> None:
    shown, tree, *_ = reasons_here(subject("pool3", 12), DEFAULT_PHOTO, "network", (3.0, 4.0))
    assert "conv3_3 channel 12 is" in tree and '"row": 3, "column": 4' in shown
    shown, said, *rest = reasons_here(subject("conv3_3", 12), DEFAULT_PHOTO, "conv_chain", (3, 4))
    assert '"places": 0, "side": 1, "row": null' in shown and "has no reasons" in said and rest[:2] == ["", ""]
    assert "Mosaic" not in shown


@pytest.mark.parametrize(("layer", "channel"), [("conv1_1", 5), ("conv3_1", 5), ("conv4_1", 371), ("conv5_3", 9)])
def test_the_answer_in_short_is_the_share_of_the_parts_that_add(vgg16: VGG16, layer: str, channel: int) -> None:
    explanation = why(vgg16, CAT, layer, channel, count=3)
    adding = [part for part in explanation.contributions if part.adds > 0]
    share = 100 * sum(part.adds for part in adding) / explanation.value
    said = in_short(vgg16, explanation)
    assert f"make {share:.0f} % of that" in said.replace("makes", "make")
    assert all((str(part.channel) if layer != "conv1_1" else "") in said for part in adding)
    tree = why_tree(vgg16, explanation, cnnvis.open_photo(CAT).resize((224, 224)), cache.tile)
    shares = [100 * part.adds / explanation.value for part in explanation.contributions]
    assert all(f"<b>{value:+.0f} %</b>".replace("-", "−") in tree for value in shares)


def test_a_value_below_zero_is_said_to_be_cut(vgg16: VGG16) -> None:
    lowest = cnnvis.feature_maps(vgg16, CAT, "conv4_1").values[371].flatten().argmin().item()
    said = in_short(vgg16, why(vgg16, CAT, "conv4_1", 371, lowest // 28, lowest % 28, count=3))
    assert "so the ReLU makes it zero" in said and "%" not in said


def test_other_colours_in_words() -> None:
    assert colour_words(ColourSensitivity(10, 9, -2.5, 4, "mean")).startswith("90 % in grey; −25 and 40 %")
    assert "not active" in colour_words(ColourSensitivity(-1, 2, 3, 4, "mean"))
