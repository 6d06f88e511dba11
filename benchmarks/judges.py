"""Judges: they look at pictures without VGG16, and decide which of two patches a reference resembles more.

Borowski et al., "Exemplary Natural Images Explain CNN Activations Better than State-of-the-Art Feature Visualization",
ICLR 2021, put this question to people; Zimmermann et al., "Measuring Mechanistic Interpretability at Scale Without
Humans", NeurIPS 2024, put it to a network, as `alexnet` does here. `histograms` answers it without a network, so what
both agree on is not a quirk of convolutional networks.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from torchvision.models import alexnet as torchvision_alexnet

from benchmarks.archive import convolutions, kept_archive, read_network
from cnnvis.analysis.histograms import at_size, histograms
from cnnvis.network.vgg import Normalize
from cnnvis.pictures.images import to_tensor

Judge = Callable[[Sequence[Image.Image]], Tensor]  # pictures to features (N, D); a large inner product means alike

JUDGE_PX = 128
CONVOLUTIONS = (0, 3, 6, 8, 10)  # of torchvision's alexnet().features
HEARD = (7, 9, 11)  # its third, fourth and fifth ReLU


def alexnet(pictures: Sequence[Image.Image]) -> Tensor:
    """The means over space of AlexNet's 3rd, 4th and 5th ReLU, each normalised to length 1, side by side: (N, 896).

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014; torchvision's weights. Pictures
    are shown at 128 px.
    """
    network, heard = _alexnet(), []
    with torch.inference_mode():
        values = network[0](torch.cat([to_tensor(at_size(picture, JUDGE_PX)) for picture in pictures]))
        for index, module in enumerate(network[1:]):
            values = module(values)
            if index in HEARD:
                heard.append(normalize(values.mean((2, 3))))
    return torch.cat(heard, 1)


@cache
def _alexnet() -> torch.nn.Sequential:
    network = torchvision_alexnet(weights=None).features
    state = convolutions(read_network(kept_archive(), "alexnet")["AlexNet_0"], list(CONVOLUTIONS))
    network.load_state_dict({key.removeprefix("features."): tensor for key, tensor in state.items()})
    return torch.nn.Sequential(Normalize(), *network).eval().requires_grad_(False)


JUDGES: Mapping[str, Judge] = {"alexnet": alexnet, "histograms": histograms}


def decided(reference: Tensor, high: Tensor, low: Tensor) -> float:
    """The share of pairs of a high and a low patch in which the high one is more like the reference; a tie counts half.

    All are features (N, D); the reference is the mean of its pieces.
    """
    direction = reference.mean(0)
    difference = (high @ direction)[:, None] - (low @ direction)[None]
    return float((difference > 0).float().mean() + (difference == 0).float().mean() / 2)


def crops(picture: Image.Image, side: int) -> list[Image.Image]:
    """Nine crops of `side` px, three by three, edge to edge; a picture that is not larger stays uncut.

    A reference is thus seen at the scale of the patches it is compared with.
    """
    if picture.width <= side:
        return [picture]
    edges = [round(part * (picture.width - side) / 2) for part in range(3)]
    return [picture.crop((left, top, left + side, top + side)) for top in edges for left in edges]
