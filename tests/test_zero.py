"""ZeroGPU, as far as it can be had without one: a stand-in for Hugging Face's `spaces` that pickles what crosses."""

import os
import subprocess
import sys
from pathlib import Path

from cnnvis.ui.zero import ZERO, light_network, on_gpu
from cnnvis.weights import load_vgg16

ROOT = Path(__file__).parents[1]
# What the real one does at its border (spaces 0.51): arguments and results are pickled; a generator stays one.
STAND_IN = """
import functools, inspect, pickle
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
"""
USE = """
import inspect, json, spaces
from cnnvis.ui import api, maximize_tab
for function in (api.maximize, maximize_tab._grow, maximize_tab._climb_ladder):
    assert inspect.isgeneratorfunction(function), function
last = list(api.maximize("conv1_1", 3, "fourier", 2, 64, 0, 0, "channel"))[-1]
assert last[1]["robust"] is not None
choice = {"layer": "conv1_1", "channel": 0}
*_, (shown, climb) = maximize_tab._grow(choice, None, "fourier", "5", "", False, 0, 2, 64, 0, "channel")
assert json.loads(shown)["names"] == ["conv1_1 channel 0", "conv1_1 channel 5"]
assert climb.snapshots[0].step == 2
try:
    list(api.maximize("conv9_9", 3, "fourier", 2, 64, 0, 0, "channel"))
except Exception as error:
    assert type(error).__name__ == "Error" and "conv9_9" in str(error), error
assert spaces.calls == ["maximize", "_grow", "maximize"], spaces.calls
"""


def test_elsewhere_nothing_changes() -> None:
    def function() -> None: ...

    assert on_gpu(function) is function
    assert not ZERO
    assert light_network() is load_vgg16()


def test_only_what_pickles_crosses_to_the_gpu(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(STAND_IN)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", USE], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
