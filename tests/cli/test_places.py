"""What `sees` prints and writes is what the engine says; what it grows can be grown again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import EXAMPLES, ROOT
from helpers.ascents import CAT
from PIL import Image

import cnnvis
from cnnvis.network.vgg import VGG16

Run = Callable[..., str]


def test_a_place_its_groups_and_the_mosaic(run: Run, vgg16: VGG16) -> None:
    asked = ["sees", CAT, "conv5_1", "--row", "6", "--column", "4"]
    place, found = cnnvis.dictionary(vgg16, CAT, "conv5_1", 6, 4), cnnvis.groups(vgg16, CAT, "conv5_1", 3)
    record = json.loads(run(*asked, "--groups", "3", "--mosaic", "m.png", "--json", "-"))
    assert record == json.loads(
        json.dumps(
            {
                **place.record(),
                "groups": found.record(),
                "mosaic": cnnvis.mosaic(vgg16, CAT, "conv5_1").record(),
            }
        )
    )
    with Image.open("m.png") as drawn:
        assert np.array_equal(np.asarray(drawn), np.asarray(cnnvis.mosaic(vgg16, CAT, "conv5_1").picture))
    head, *lines = run(*asked).splitlines()
    assert head == "conv5_1, row 6 of 14, column 4 of 14 (px 64 to 80 across, 96 to 112 down)"
    assert [int(line.split()[1]) for line in lines] == [entry.channel for entry in place.channels]
    assert run(*asked, "--groups", "3").splitlines()[-3].startswith("  group 1   ")
    anywhere = json.loads(run("sees", CAT, "conv5_1", "--json", "-"))
    assert anywhere == json.loads(json.dumps(cnnvis.dictionary(vgg16, CAT, "conv5_1").record()))


@pytest.mark.slow
def test_a_grown_place_is_repeated_from_its_picture(run: Run, vgg16: VGG16) -> None:
    record = json.loads(run("sees", CAT, "conv1_1", "--grow", "place.png", "--json", "-"))
    grown = record["grown"]
    assert grown["channel"] == record["direction"] and grown["layer"] == "conv1_1" and grown["selectivity"] is None
    line = run("maximize", "--like", "place.png", "-o", "again.png")
    assert line.startswith("conv1_1 direction, fourier, ")
    with Image.open("place.png") as first, Image.open("again.png") as second:
        assert first.tobytes() == second.tobytes()
        assert json.loads(first.text["cnnvis"]) == grown
        assert json.loads(second.text["cnnvis"])["channel"] == grown["channel"]
    scored = json.loads(run("score", "place.png", "--json", "-"))
    assert scored["channel"] == record["direction"] and scored["robust"] == pytest.approx(grown["robust"])
    assert run("score", "place.png").startswith("conv1_1 direction: saved activation ")


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "sees.py", CAT, tmp_path]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "channel 295, " in done.stdout and "group 6, " in done.stdout and "robust activation" in done.stdout
    assert {"groups.png", "mosaic.jpg", "place.png", "photos-295.png"} <= {path.name for path in tmp_path.iterdir()}
