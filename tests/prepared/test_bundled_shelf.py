"""The shelf that comes with cnnvis: every photo is free and credited, every exemplar is torchvision's own."""

import json
import random
import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from helpers import ROOT
from PIL import Image

import cnnvis
from cnnvis.prepared.shelf import BUNDLED, load_shelf

FREE = re.compile(r"public domain|CC0-1\.0|CC-BY(-SA)?-(1\.0|2\.0|2\.5|3\.0|4\.0)")
LISTED = json.loads((ROOT / "benchmarks" / "shelf_photos.json").read_text(encoding="utf-8"))
PHOTOS = json.loads((BUNDLED / "photos.json").read_text(encoding="utf-8"))


def test_every_photo_is_free_and_credited() -> None:
    """Checked against the list that quotes the source of each record."""
    listed = {photo["file"]: photo for photo in LISTED["photos"]}
    assert len(PHOTOS) == len(listed) >= 250
    credits = (ROOT / "docs" / "CREDITS.md").read_text(encoding="utf-8")
    for photo in PHOTOS:
        source = listed[photo["file"]]
        assert FREE.fullmatch(photo["licence"]), photo
        assert photo["title"] and photo["author"] and photo["source"].startswith("http"), photo
        assert {name: source[name] for name in photo} == photo
        assert source["evidence"] and source["package"] in LISTED["packages"]
        assert f"| {photo['title']} | {photo['author']} | {photo['licence']} | {photo['source']} |" in credits


def test_the_photos_are_upright_srgb_of_256_px_with_nothing_but_pixels() -> None:
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
        hashes[photo["file"]] = small[:, 1:] > small[:, :-1]
    for first, second in combinations(hashes, 2):
        assert int((hashes[first] != hashes[second]).sum()) > 4, (first, second)


@pytest.mark.slow
def test_exemplars_are_those_of_torchvision(features: torch.nn.Sequential) -> None:
    """50 random channels of 5 layers, by brute force over 40 photos: their values to four digits, and their cells.

    What of these photos is among the strongest 16 is an exemplar, and nothing else of them is.
    """
    layers = {2: "conv1_2", 7: "conv2_2", 14: "conv3_3", 21: "conv4_3", 28: "conv5_3"}
    transform = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
    choose = random.Random(1)
    sample = choose.sample(range(len(PHOTOS)), 40)
    strongest: dict[str, dict[int, Any]] = {layer: {} for layer in layers.values()}
    with torch.inference_mode():
        for number in sample:
            with Image.open(BUNDLED / "photos" / PHOTOS[number]["file"]) as opened:
                values = transform(opened.convert("RGB"))[None]
            for index, module in enumerate(features[:29]):
                values = module(values)
                if index in layers:
                    strongest[layers[index]][number] = values[0].flatten(1).max(1)
    for layer, of_photos in strongest.items():
        side, met = 224 // cnnvis.find_layer(layer).stride, 0
        for channel in choose.sample(range(cnnvis.find_layer(layer).channels), 50):
            exemplars = cnnvis.exemplars(layer, channel, 16).exemplars
            values, photos = [exemplar.value for exemplar in exemplars], {exemplar.photo for exemplar in exemplars}
            assert values == sorted(values, reverse=True) and len(photos) == 16
            for exemplar in exemplars:
                if exemplar.photo in of_photos:
                    met, best = met + 1, of_photos[exemplar.photo]
                    assert exemplar.value == pytest.approx(float(best.values[channel]), rel=1e-4)
                    assert exemplar.row * side + exemplar.column == int(best.indices[channel])
            weaker = [float(best.values[channel]) for number, best in of_photos.items() if number not in photos]
            assert max(weaker) <= values[-1] + 1e-4 * abs(values[-1])
        assert met > 40  # of 16 × 40 / 352 expected for each channel


def test_the_shelf_describes_itself() -> None:
    about = load_shelf().about
    assert (about["version"], about["name"], about["count"], about["k"]) == (2, "cnnvis", len(PHOTOS), 16)
    assert about["precision"] == "float32"
