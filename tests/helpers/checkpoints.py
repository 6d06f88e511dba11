"""Checkpoints in the layout of torchvision's networks that take up next to no space on the disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from cnnvis.errors import WeightsError
from cnnvis.network.weights import read_weights


def network(name: str, **options: Any) -> nn.Module:
    """One of torchvision's networks, with no memory for its weights."""
    with torch.device("meta"):
        module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return module


def slim(module: nn.Module) -> dict[str, Tensor]:
    """A state with random weights for a network, scaled so that signals neither grow nor fade much.

    A filter has the same kernel for all its inputs, and `torch.save` stores it once.
    """
    torch.manual_seed(5)
    state = {}
    for key, tensor in module.state_dict().items():
        if tensor.ndim >= 2:
            few = torch.randn(len(tensor), 1, *tensor.shape[2:])
            state[key] = few.mul(2 / tensor[0].numel()).expand(tensor.shape)
        elif key.endswith("running_var"):
            state[key] = torch.rand(tensor.shape) + 0.5
        else:
            state[key] = torch.rand(tensor.shape) if tensor.ndim else torch.zeros(())
    return state


def headed(state: dict[str, Tensor], classes: int) -> dict[str, Tensor]:
    """The state of a VGG whose last layer is replaced for other classes, as in tutorials."""
    last = {"weight": torch.randn(classes, 1).expand(classes, 4096), "bias": torch.zeros(classes)}
    return state | {f"classifier.6.{part}": tensor for part, tensor in last.items()}


def refusal(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The error for a file that CNNVIS_WEIGHTS names: one plain sentence; only a terminal shows the whole path."""
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    with pytest.raises(WeightsError) as refused:
        read_weights()
    sentence = str(refused.value)
    assert sentence.startswith(f"weights file {path.name!r} ") and sentence.endswith(".") and len(sentence) < 300
    assert "/" not in sentence and "!" not in sentence and "\n" not in sentence
    assert str(path) in refused.value.in_terminal()
    return sentence
