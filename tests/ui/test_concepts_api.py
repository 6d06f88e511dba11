"""What the endpoint says of concepts is what the engine says; a layer without any says so."""

import json

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

import cnnvis


def test_the_concepts_of_a_layer_and_one_of_them(client: Client) -> None:
    found = cnnvis.concepts("conv5_1")
    file, record = client.predict("block5_conv1", api_name="/concepts")
    assert record == json.loads(json.dumps(found.record()))
    with Image.open(file) as sheet:
        assert sheet.format == "PNG" and sheet.size == found.picture.size
    file, record = client.predict("conv5_1", 2, api_name="/concepts")
    assert record == json.loads(json.dumps(found.record([found[2]])))
    with Image.open(file) as picture:
        assert picture.tobytes() == found.tile(2).tobytes()


def test_a_concept_that_does_not_exist_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="concept 999 is out of range: choose a whole number from 0 to"):
        client.predict("conv5_3", 999, api_name="/concepts")


def test_a_layer_without_concepts_says_so(client: Client) -> None:
    with pytest.raises(AppError, match="has no concepts, its channels are the units: choose one of conv4_3, conv5_1"):
        client.predict("conv3_1", api_name="/concepts")
