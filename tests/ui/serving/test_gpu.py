"""ZeroGPU, tested without the hardware: a stand-in replaces Hugging Face's package `spaces`.

Like the real package (0.51), the stand-in pickles everything that crosses to the GPU's process. It also makes torch
believe that there is a GPU: in the main process `to("cuda")` succeeds and moves nothing.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from cnnvis.ui.serving.gpu import SHEET_DEVICE, ZERO, on_gpu

STAND_IN = """
import functools, inspect, os, pickle
import torch

calls = []

def GPU(task=None, *, duration=None):
    def wrap(function):
        across = lambda value: pickle.loads(pickle.dumps(value))
        @functools.wraps(function)
        def stream(*args, **kwargs):
            calls.append(function.__name__)
            for value in function(*across(args), **across(kwargs)):
                yield across(value)
        assert inspect.isgeneratorfunction(function)
        return stream
    return wrap(task) if task else wrap

if os.environ.get("SPACES_ZERO_GPU"):
    moved = []
    really_to = torch.nn.Module.to
    def to(module, *args, **kwargs):
        if args and str(args[0]).startswith("cuda"):
            moved.append(module)
            return module
        return really_to(module, *args, **kwargs)
    torch.nn.Module.to = to
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
"""
USE = """
import inspect, json, spaces
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.ui import api
from cnnvis.ui.serving.gpu import grow, grow_ladder
from cnnvis.ui.tabs.maximize import tab as maximize
for function in (grow, grow_ladder):
    assert inspect.isgeneratorfunction(function), function
*_, (_, record) = api.maximize("conv1_1", 3, "fourier", 2, 64, 0, 0, "channel")
assert record["robust"] is not None
choice = {"layer": "conv1_1", "channel": 0}
*_, (shown, run) = maximize._grow(choice, "", "fourier", "5", "", False, 0, 2, 64, 0, "channel")
assert json.loads(shown)["names"] == ["conv1_1 channel 0", "conv1_1 channel 5"]
assert run.snapshots[0].step == 2 and len(run.pictures) == len(run.moments) > 1
*_, rungs = maximize._run_ladder(choice, 1)
assert [caption.partition(":")[0] for _, caption in rungs][0] == "erhan" and len(rungs) == 5
refused = ""
try:
    list(api.maximize("conv1_1", 3, "fourier", 2, 9999, 0, 0, "channel"))
except Exception as error:
    assert type(error).__name__ == "Error", type(error)
    refused = str(error)
assert "size 9999 is out of range" in refused, refused
assert spaces.calls == ["grow", "grow", "grow_ladder", "grow"], spaces.calls
"""
BRANCH = """
import spaces
from cnnvis.ui.serving.gpu import LIGHT_DEVICE, ZERO, place_network
from cnnvis.network.weights import load_vgg16
assert ZERO and LIGHT_DEVICE == "cpu"
place_network()
assert len(spaces.moved) == 1, "the network must be on the GPU before the first call"
borrowed, light = load_vgg16(), load_vgg16(LIGHT_DEVICE)
assert spaces.moved == [borrowed] and light is not borrowed
from cnnvis.ui import api
before = len(spaces.calls)
picture, record = api.filters("conv1_1", "auto", 0)
assert record["channels"] == 64 and len(spaces.calls) == before, "sheets must not cost a visitor's quota"
"""


def run(code: str, tmp_path: Path, **settings: str) -> None:
    """Run code in a separate process, where `import spaces` finds the stand-in."""
    (tmp_path / "spaces.py").write_text(STAND_IN)
    own = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "GRADIO_TEMP_DIR": str(tmp_path)}
    environment = {**os.environ, **own, "GRADIO_ANALYTICS_ENABLED": "False", **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_changes_outside_zerogpu() -> None:
    def function() -> None: ...

    assert on_gpu(function) is function
    assert not ZERO
    assert SHEET_DEVICE is None


@pytest.mark.slow
def test_everything_that_crosses_to_the_gpu_can_be_pickled(tmp_path: Path) -> None:
    run(USE, tmp_path)


@pytest.mark.slow
def test_on_zerogpu_ascents_use_a_gpu_and_sheets_do_not(tmp_path: Path) -> None:
    run(BRANCH, tmp_path, SPACES_ZERO_GPU="true")
