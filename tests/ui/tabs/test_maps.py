"""The Feature maps tab without a browser: one channel number in every convolution that has it."""

import re

import numpy as np
import pytest
from helpers import EXAMPLES
from PIL import Image

import cnnvis
from cnnvis.network.vgg import VGG16
from cnnvis.ui.serving.files import file_at
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.maps.tab import _path
from cnnvis.ui.texts import CHOOSE_PHOTO


@pytest.mark.parametrize(("channel", "first", "count"), [(63, "conv1_1", 13), (64, "conv2_1", 11), (300, "conv4_1", 6)])
def test_a_channel_number_is_shown_in_every_convolution_that_has_it(
    vgg16: VGG16, channel: int, first: str, count: int
) -> None:
    shown = _path({"layer": "conv5_1", "channel": channel}, DEFAULT_PHOTO.digest, "network")
    layers = re.findall("<figcaption>(.*?)</figcaption>", shown)
    assert layers[0] == first and len(layers) == count and layers[-1] == "conv5_3"
    file = file_at(re.findall('<img src="(.*?)"', shown)[0])
    assert file is not None
    expected = cnnvis.feature_map(vgg16, EXAMPLES / "chelsea.jpg", first, channel).picture
    with Image.open(file) as drawn:
        assert np.array_equal(np.asarray(drawn.convert("RGB")), np.asarray(expected.convert("RGB")))


def test_without_a_photo_it_asks_for_one() -> None:
    assert _path({"layer": "conv5_1", "channel": 3}, "", "network") == CHOOSE_PHOTO
