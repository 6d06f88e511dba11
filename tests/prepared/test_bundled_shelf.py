"""The shelf that comes with cnnvis: every photo free and credited, every exemplar as torchvision's network has it."""

import io
import json
import random
import re

import numpy as np
import pytest
import torch
import torchvision
from helpers import ROOT
from PIL import Image

import cnnvis
from cnnvis.prepared.shelf import BUNDLED, load_shelf

FREE = re.compile(r"public domain|CC0-1\.0|CC-BY(-SA)?-(1\.0|2\.0|2\.5|3\.0|4\.0)")
LISTED = json.loads((ROOT / "benchmarks" / "shelf_photos.json").read_text())
PHOTOS = json.loads((BUNDLED / "photos.json").read_text())


def test_every_photo_is_free_and_credited() -> None:
    """Against the list that quotes where each record was found."""
    listed = {photo["file"]: photo for photo in LISTED["photos"]}
    assert len(PHOTOS) == len(listed) >= 250
    credits = (ROOT / "docs" / "CREDITS.md").read_text()
    for photo in PHOTOS:
        source = listed[photo["file"]]
        assert FREE.fullmatch(photo["licence"]), photo
        assert photo["title"] and photo["author"] and photo["source"].startswith("http"), photo
        assert {name: source[name] for name in photo} == photo
        assert source["evidence"] and source["package"] in LISTED["packages"]
        assert f"| {photo['title']} | {photo['author']} | {photo['licence']} | {photo['source']} |" in credits


def test_the_photos_are_upright_srgb_of_256_px_with_nothing_beside_the_pixels() -> None:
    files = {path.name for path in (BUNDLED / "photos").iterdir()}
    assert files == {photo["file"] for photo in PHOTOS}
    for name in files:
        with Image.open(BUNDLED / "photos" / name) as photo:
            assert photo.format == "WEBP" and photo.mode == "RGB" and min(photo.size) == 256
            assert not photo.getexif() and "icc_profile" not in photo.info
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) < 15_000_000


def test_no_two_photos_are_nearly_the_same() -> None:
    """By a hash of their coarse brightness."""
    hashes = {}
    for photo in PHOTOS:
        with Image.open(BUNDLED / "photos" / photo["file"]) as opened:
            small = np.asarray(opened.convert("L").resize((9, 8)))
        hashes[photo["file"]] = (small[:, 1:] > small[:, :-1]).flatten()
    names = list(hashes)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert int((hashes[one] != hashes[other]).sum()) > 4, (one, other)


@pytest.mark.slow
def test_exemplars_are_those_of_torchvision(features: torch.nn.Sequential) -> None:
    """50 random channels of 5 layers, asked of all photos by brute force: values to four digits, places, order."""
    layers = {"conv1_2": 2, "conv2_2": 7, "conv3_3": 14, "conv4_3": 21, "conv5_3": 28}
    transform = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
    maxima: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    places: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    with torch.inference_mode():
        for photo in PHOTOS:
            with Image.open(io.BytesIO((BUNDLED / "photos" / photo["file"]).read_bytes())) as opened:
                values = transform(opened.convert("RGB"))[None]
            for index, step in enumerate(features[:29]):
                values = step(values)
                for layer, wanted in layers.items():
                    if index == wanted:
                        best = values[0].flatten(1).max(1)
                        maxima[layer].append(best.values)
                        places[layer].append(best.indices)
    choose = random.Random(1)
    for layer in layers:
        all_maxima, all_places = torch.stack(maxima[layer]), torch.stack(places[layer])
        side = 224 // cnnvis.find_layer(layer).stride
        for channel in choose.sample(range(all_maxima.shape[1]), 50):
            found = cnnvis.exemplars(layer, channel, 16).exemplars
            photos = [one.photo for one in found]
            assert len(set(photos)) == 16
            assert [one.row * side + one.column for one in found] == all_places[photos, channel].tolist()
            values = pytest.approx(all_maxima[:, channel].sort(descending=True).values[:16].tolist(), rel=1e-4)
            assert [one.value for one in found] == values  # the order, but for what rounding makes equal
            assert all_maxima[photos, channel].tolist() == values


def test_the_shelf_says_what_it_is() -> None:
    about = load_shelf().about
    assert (about["name"], about["count"], about["k"], about["precision"]) == ("cnnvis", len(PHOTOS), 16, "float32")
