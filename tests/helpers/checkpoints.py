"""Checkpoints in the real layout of torchvision's networks that take up next to nothing on the disk."""

from typing import Any

import torch
import torchvision
from torch import Tensor, nn


def network(name: str, **options: Any) -> nn.Module:
    """One of torchvision's networks, without memory for its weights."""
    with torch.device("meta"):
        module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return module


def slim(module: nn.Module) -> dict[str, Tensor]:
    """A state with random weights for a network, scaled so that signals neither grow nor fade much.

    A kernel is the same for all its inputs, and `torch.save` keeps it once.
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
    """The state of a VGG whose last layer was replaced for other classes, as the tutorials do."""
    last = {"weight": torch.randn(classes, 1).expand(classes, 4096), "bias": torch.zeros(classes)}
    return state | {f"classifier.6.{part}": tensor for part, tensor in last.items()}
