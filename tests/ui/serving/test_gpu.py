"""ZeroGPU, tested without its hardware: Hugging Face's real package `spaces` meets a stand-in for its scheduler."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from packaging.requirements import Requirement

from cnnvis.maximization.recipes import RECIPES, settle
from cnnvis.network.architecture import ARCHITECTURE, CLASS, CONVOLUTIONS
from cnnvis.ui.serving.gpu import MOST_SECONDS, SHEET_DEVICE, ZERO, ascent_seconds, ladder_seconds, on_gpu

ON_CPU = "on the CPU: ZeroGPU gave no GPU time"
ANONYMOUS = 120  # seconds of GPU time that a visitor has a day who is not signed in
# Milliseconds a step on an H100, from benchmarks/README.md: the layer, pictures at once, milliseconds.
MEASURED = [
    ("conv1_2", 1, 7.2), ("conv3_3", 1, 9.2), ("conv5_3", 1, 10.1),
    ("conv1_2", 16, 9.1), ("conv3_3", 16, 10.5), ("conv5_3", 16, 12.1),
    ("conv1_2", 64, 17.7), ("conv3_3", 64, 21.2), ("conv5_3", 64, 24.3),
]  # fmt: skip


def reserved(layer: str = "conv5_3", recipe: str = "fourier", pictures: int = 1, **settings: Any) -> int:
    target = ARCHITECTURE.target(layer, 0)
    return ascent_seconds([target] * pictures, settle(recipe, target.layer, "cuda", **settings))


@pytest.mark.parametrize(("layer", "pictures", "milliseconds"), MEASURED)
def test_an_ascent_reserves_what_it_takes(layer: str, pictures: int, milliseconds: float) -> None:
    takes = 512 * milliseconds / 1000
    assert 3 + 1.5 * takes <= reserved(layer, pictures=pictures, steps=512, size=224) <= 4 + 3 * takes


def test_a_day_without_an_account_has_room_for_many_ascents() -> None:
    for layer in CONVOLUTIONS:
        for recipe in RECIPES:
            assert 3 <= reserved(layer, recipe) <= ANONYMOUS / 20, (layer, recipe)
    assert ladder_seconds(ARCHITECTURE.target("conv5_3", 0)) <= ANONYMOUS / 8


def test_more_work_reserves_more_and_a_time_limit_less() -> None:
    usual = reserved(steps=200)
    assert reserved(steps=400) > usual and reserved(steps=200, size=512, pictures=4) > usual
    assert reserved(CLASS, steps=200) > usual  # the classifier is read first
    assert reserved(steps=512, seconds=2) <= 5
    assert reserved(recipe="erhan", steps=512, size=512, pictures=16) == MOST_SECONDS


def test_nothing_changes_outside_zerogpu() -> None:
    def function() -> None: ...

    assert on_gpu(lambda: 1)(function) is function
    assert not ZERO and SHEET_DEVICE is None


def test_a_space_may_install_every_torch_that_zerogpu_offers() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    allowed = {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}
    offered = {"2.8.0": "0.23.0", "2.9.1": "0.24.1", "2.10.0": "0.25.0", "2.11.0": "0.26.0"}  # see docs/deploy.md
    for torch, torchvision in offered.items():
        assert torch in allowed["torch"] and torchvision in allowed["torchvision"], torch


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What visitors got from the page on a Space with ZeroGPU; see zero_space.py."""
    folder: Path = tmp_path_factory.mktemp("space")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "cgroup").write_text("0::/\n", encoding="utf-8")
    settings = {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{port}",
        "ZEROGPU_OFFLOAD_DIR": str(folder / "tensors"),
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(folder / "cgroup"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "HF_HOME": str(folder),  # so that the bundled weights are used, which have no classifier
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(Path(__file__).with_name("zero_space.py")), str(port)]
    done = subprocess.run(command, env=os.environ | settings, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_an_ascent_borrows_a_gpu_and_reserves_a_few_seconds(space: dict[str, Any]) -> None:
    assert space["at start"] == ["/startup-report"] and "Computing on cuda" in space["about"]
    assert space["workers"] == ["/schedule", "/allow", "/release"] and space["granted"]["step"] == 12
    assert space["borrower"] != [space["pid"]]
    assert space["reserved"] == [reserved("conv1_1", steps=12, size=64)] == [4]


@pytest.mark.slow
def test_sheets_and_refusals_borrow_none(space: dict[str, Any]) -> None:
    assert space["reserved for a sheet"] == space["reserved for refusals"] == []
    size, recipe, layer, photo = space["refusals"]
    assert "size 9999 is out of range" in size and "choose a whole number from 64 to 512 px" in size
    assert "recipe deepdream starts from a photo" in recipe
    assert "has no classifier" in layer
    assert "not a readable picture" in photo


@pytest.mark.slow
def test_without_quota_an_ascent_grows_on_the_cpu_and_says_so(space: dict[str, Any]) -> None:
    assert space["gone"]["build"]["device"] == "cpu" and space["gone"]["step"] == 12
    shown = space["gone on the tab"]
    assert shown["ascents"] == 1 and shown["notes"] == [ON_CPU] and shown["end"].endswith(ON_CPU)
    assert shown["pixels"] == space["expected"]["12"]
    assert "ZeroGPU gave no GPU time, and on the CPU size 512 is out of range" in space["too large"]
    assert len(space["ladder"]) == 5 and all(caption.endswith(ON_CPU) for caption in space["ladder"])
    assert max(space["reserved in vain"]) < MOST_SECONDS
    assert space["missing"] == [ON_CPU, ""]  # on the CPU, and on a GPU


@pytest.mark.slow
def test_an_ascent_whose_gpu_is_taken_away_starts_again_on_the_cpu(space: dict[str, Any]) -> None:
    shown = space["taken"]
    assert shown["steps"].count(0) == 2 and shown["ascents"] == 2 and shown["steps"][-1] == 200
    assert shown["kept"] == sorted(set(shown["kept"])) and shown["kept"][0] == 0  # to wind back: the second one alone
    assert shown["pixels"] == space["expected"]["200"] and shown["end"].endswith(ON_CPU)


@pytest.mark.slow
def test_a_ladder_whose_gpu_is_taken_away_starts_again_on_the_cpu(space: dict[str, Any]) -> None:
    assert space["ladder taken"] == ["erhan", "erhan", "+ jitter", "+ Fourier"]
