"""Shared fixtures: a toy network, the real VGG16, torchvision's VGG16, a photo, and the running page."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # set before anything imports gradio

import httpx
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

import cnnvis
from cnnvis.architecture import Architecture
from cnnvis.vgg import VGG16, _bfloat16_pays, build
from cnnvis.weights import read_weights

EXAMPLES = Path(__file__).parents[1] / "examples"
TOY_WIDTHS = (4, 4, 6, 6, 8)


def toy(seed: int = 4) -> VGG16:
    """Build a network with all 31 layers but only a few channels, for tests that change its weights.

    He initialisation keeps signals from growing or fading. With the default seed, noise activates every channel.
    """
    torch.manual_seed(seed)
    net = build(Architecture(widths=TOY_WIDTHS))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return net


def conv(net: VGG16, layer: str) -> nn.Conv2d:
    """Return the module of the convolution whose maps `layer` holds."""
    module = net.get_submodule(net.architecture.find(layer).convolution)
    assert isinstance(module, nn.Conv2d)
    return module


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

    # Gradio reads this variable when it creates components.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        built = build_page()
        built.launch(**launch_options(), prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
        yield built
        built.close()


@pytest.fixture(scope="session")
def http(page: Any) -> Iterator[httpx.Client]:
    """HTTP to the page's API. One connection for all tests: a new one reads all certificates first."""
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
    """Let the bfloat16 convolutions be timed in this test, and again after it."""
    _bfloat16_pays.cache_clear()
    yield
    _bfloat16_pays.cache_clear()


@pytest.fixture
def equally_fast(monkeypatch: pytest.MonkeyPatch, measured_anew: None) -> None:
    """Give this machine convolutions that take the same time in every precision."""
    monkeypatch.setattr("cnnvis.vgg.conv2d", lambda maps, kernels, padding: maps)
