"""Shared fixtures: a toy network, the real VGG16, torchvision's VGG16, a photo, and the running page."""

import os
import socket
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # set before anything imports gradio
# Workers share the cores, so each gets one thread; torch reads this when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import pytest
import torchvision
from helpers import EXAMPLES
from helpers.toys import toy
from PIL import Image
from torch import nn

import cnnvis
from cnnvis.network.precision import _bfloat16_pays
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import read_weights


@pytest.fixture(scope="session")
def tiny() -> VGG16:
    """One toy network for all tests: never change its weights."""
    return toy()


@pytest.fixture(scope="session")
def vgg16() -> VGG16:
    """The real network, on the CPU."""
    return cnnvis.load_vgg16("cpu")


@pytest.fixture(scope="session")
def features() -> nn.Sequential:
    """Torchvision's own `vgg16().features` with the same weights."""
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    layers.load_state_dict({key.removeprefix("features."): tensor for key, tensor in read_weights()[0].items()})
    return layers.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """Chelsea the cat, 451 × 300 px."""
    with Image.open(EXAMPLES / "chelsea.jpg") as picture:
        return picture.convert("RGB")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page, served on its own port. Gradio takes seconds to import, so only this fixture imports it."""
    from cnnvis.ui import build_page, launch_options
    from cnnvis.ui.page import show_first_wall

    # Gradio reads this variable when it creates components.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        built = build_page()
        show_first_wall(built)
        with socket.socket() as free:  # of two processes that look for a port from 7860 on, one may come too late
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = {**launch_options(), "server_name": "127.0.0.1", "server_port": port}
        built.launch(**options, prevent_thread_lock=True, quiet=True)
        yield built
        built.close()


@pytest.fixture(scope="session")
def http(page: Any) -> Iterator[httpx.Client]:
    """HTTP to the page's API. All tests share a client: a new one first reads all certificates."""
    with httpx.Client(base_url=f"{page.local_url}gradio_api", timeout=60) as connected:
        yield connected


@pytest.fixture(scope="session")
def client(page: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gradio_client that is connected to the page."""
    from gradio_client import Client

    connected = Client(page.local_url, verbose=False, download_files=str(tmp_path_factory.mktemp("client")))
    yield connected
    connected.close()


@pytest.fixture
def measured_anew() -> Iterator[None]:
    """Have the bfloat16 convolutions timed again in this test, and after it."""
    _bfloat16_pays.cache_clear()
    yield
    _bfloat16_pays.cache_clear()


@pytest.fixture
def equally_fast(monkeypatch: pytest.MonkeyPatch, measured_anew: None) -> None:
    """Make convolutions take the same time in every precision."""
    monkeypatch.setattr("cnnvis.network.precision.conv2d", lambda maps, kernels, padding: maps)
