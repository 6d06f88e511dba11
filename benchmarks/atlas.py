"""Measure how fast an atlas's pictures are grown and scored, layer by layer, by one process and by two.

    python -m benchmarks.atlas [--batch 8] [--json FILE]

Each process first grows a small batch, so that its start is not measured. The time for the whole atlas is channels
divided by rate, summed over the layers.
"""

import time
from typing import Any

from benchmarks.report import machine, parser_of, write
from cnnvis import load_vgg16
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas_growing import Batch, canvas_px, grow_batch
from cnnvis.prepared.shelf_indexing import convolutions
from cnnvis.prepared.workers import run


def pieces(net: VGG16, layer: Layer, size: int, count: int) -> list[Batch]:
    """The first `count` batches of a layer."""
    weights = tensors_sha256(net)
    return [
        Batch(layer.name, number, tuple(range(number * size, (number + 1) * size)), 0, canvas_px(layer), "cpu", weights)
        for number in range(count)
    ]


def rates(net: VGG16, size: int, workers: int) -> dict[str, float]:
    """Pictures per second at each convolution, by so many processes of one thread each."""
    layers = convolutions(net)
    warm_up = pieces(net, layers[0], 1, workers)
    work = [piece for layer in layers for piece in pieces(net, layer, size, workers)]
    done: dict[str, list[float]] = {}
    for piece, _ in run(grow_batch, [*warm_up, *work], workers):
        done.setdefault("start" if len(piece.channels) == 1 else piece.layer, []).append(time.perf_counter())
    by_layer, begun = {}, max(done["start"])
    for layer in layers:  # a layer's batches begin when all but the last of the layer before are done
        ended = max(done[layer.name])
        by_layer[layer.name] = size * workers / (ended - begun)
        begun = ended
    return by_layer


def main() -> None:
    """Measure, print, and write the figures as JSON if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    net = load_vgg16("cpu")
    figures: dict[str, Any] = {"machine": machine(net), "batch": options.batch}
    for workers in (1, 2):
        by_layer = rates(net, options.batch, workers)
        minutes = sum(layer.channels / by_layer[layer.name] for layer in convolutions(net)) / 60
        figures[f"{workers} processes"] = {"pictures a second": by_layer, "whole atlas in minutes": minutes}
        print(f"{workers} processes of one thread:", ", ".join(f"{name} {rate:.2f}" for name, rate in by_layer.items()))
        print(f"the whole atlas would take {minutes:.0f} minutes", flush=True)
    write(options.json, figures)


if __name__ == "__main__":
    main()
