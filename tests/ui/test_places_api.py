"""What the endpoints say of a photo's places is what the engine says; a place's direction can be grown from outside."""

import json

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import EXAMPLES
from PIL import Image

import cnnvis
from cnnvis.maximization.recipes import Settings
from cnnvis.network.vgg import VGG16

CAT = EXAMPLES / "chelsea.jpg"


def test_the_dictionary_of_a_place(client: Client, vgg16: VGG16) -> None:
    record = client.predict(handle_file(CAT), "block5_conv1", row=6, column=4, count=3, api_name="/dictionary")
    assert record == json.loads(json.dumps(cnnvis.dictionary(vgg16, CAT, "conv5_1", 6, 4, 3).record()))
    assert record["channels"][0]["channel"] == 295 and record["direction"].keys() >= {"295", "460"}  # eyes
    anywhere = client.predict(handle_file(CAT), api_name="/dictionary")
    assert (anywhere["layer"], len(anywhere["channels"])) == ("conv5_1", 6)


def test_the_groups_of_a_photo(client: Client, vgg16: VGG16) -> None:
    file, record = client.predict(handle_file(CAT), "conv4_3", 4, api_name="/groups")
    found = cnnvis.groups(vgg16, CAT, "conv4_3", 4)
    assert record == json.loads(json.dumps(found.record()))
    with Image.open(file) as sheet:
        assert sheet.format == "JPEG" and sheet.size == found.picture.size


def test_the_mosaic_of_a_photo(client: Client, vgg16: VGG16) -> None:
    file, record = client.predict(handle_file(CAT), "conv5_1", api_name="/mosaic")
    drawn = cnnvis.mosaic(vgg16, CAT, "conv5_1")
    assert record == json.loads(json.dumps(drawn.record()))
    with Image.open(file) as picture:
        difference = np.asarray(picture, np.float32) - np.asarray(drawn.picture, np.float32)
        assert picture.format == "JPEG" and np.abs(difference).mean() < 6


@pytest.mark.parametrize(
    ("endpoint", "wrong", "sentence"),
    [
        ("/dictionary", {"layer": "relu5_1"}, "choose a convolution, for example 'conv5_1'"),
        ("/dictionary", {"row": 14, "column": 0}, "row 14 is out of range: choose a whole number from 0 to 13"),
        ("/dictionary", {"row": 3}, "column is missing: give both row and column"),
        ("/dictionary", {"count": 17}, "count 17 is out of range: choose a whole number from 1 to 16"),
        ("/groups", {"count": 9}, "count 9 is out of range: choose a whole number from 2 to 8"),
        ("/mosaic", {"layer": "pool5"}, "choose a convolution, for example 'conv5_3'"),
    ],
)
def test_what_is_out_of_bounds_is_refused(
    client: Client, endpoint: str, wrong: dict[str, object], sentence: str
) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(handle_file(CAT), **wrong, api_name=endpoint)
    assert sentence in str(refused.value)


def test_a_places_direction_grows_and_its_picture_can_be_repeated(client: Client, vgg16: VGG16) -> None:
    place = client.predict(handle_file(CAT), "conv2_1", 12, 9, api_name="/dictionary")
    direction = json.dumps(place["direction"])
    job = client.submit("conv2_1", channel=9999, steps=3, size=64, direction=direction, api_name="/maximize")
    *_, (file, record) = list(job)
    assert record["channel"] == place["direction"] and record["selectivity"] is None
    with Image.open(file) as picture:
        assert json.loads(picture.text["cnnvis"]) == record  # type: ignore[attr-defined]
        made = cnnvis.read_experiment(file, "cpu")
        *_, again = cnnvis.maximize(vgg16, made.layer, made.channel, made.settings)
        assert again.picture.tobytes() == picture.convert("RGB").tobytes()
    assert made.settings == Settings(**record["settings"])
    assert record["saved_activation"] == pytest.approx(
        cnnvis.score(vgg16, again.picture, "conv2_1", made.channel).saved_activation, rel=1e-5
    )
    assert "direction" in file


@pytest.mark.parametrize(
    ("direction", "sentence"),
    [
        ("17", "direction '17' cannot be read: give channels and their weights"),
        ("[" * 10_000, "cannot be read"),
        ('{"512": 1}', "channel '512' does not exist in conv5_1: choose a whole number from 0 to 511"),
        ('{"17": "much"}', "of conv5_1 have no usable weights"),
        ('{"17": 1e300}', "of conv5_1 have no usable weights"),
        ('{"17": NaN}', "of conv5_1 have no usable weights"),
        ("{}", "of conv5_1 have no usable weights"),
    ],
)
def test_a_direction_that_makes_no_sense_is_refused(client: Client, direction: str, sentence: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict("conv5_1", direction=direction, steps=1, size=64, api_name="/maximize")
    assert sentence in str(refused.value)
