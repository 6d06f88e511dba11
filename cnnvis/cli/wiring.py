"""What `python -m cnnvis wiring` and `why` do; the docstrings are their help."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict

import cnnvis
from cnnvis.cli.commands import given, named, report
from cnnvis.cli.exports import encode_rows
from cnnvis.network.weights import load_for


def wiring(options: argparse.Namespace) -> None:
    """List what a filter reads and which filters read it.

    For each kernel: its L2 norm, the sum of its weights, its share of the reading
    filter's squared norm, and `usual`, its norm times the mean of what it reads on
    the shelf's photos. The list is sorted by `usual`, because a large weight on a
    silent channel does nothing.

      python -m cnnvis wiring conv4_2 384
      python -m cnnvis wiring conv5_3 17 --count 20 --json wiring.json
      python -m cnnvis wiring conv4_2 384 --count 64 -o wiring.csv
    """
    target = named(options)
    wires = cnnvis.wiring(load_for(target.layer), target.layer.name, target.number, **given(options, "count"))
    head = f"{'':2}{'channel':16} {'norm':>8} {'sum':>8} {'share':>8} {'usual':>8}"
    lines = [f"{target} reads", head, *map(_line, wires.reads)]
    lines += [f"and is read by{'' if wires.readers else ' the classifier'}", *map(_line, wires.readers)]
    rows = [{"end": end, **asdict(wire)} for end in ("reads", "readers") for wire in getattr(wires, end)]
    files = [(options.output, encode_rows(rows))] if options.output else []
    report(options, wires.record(), "\n".join(lines), *files)


def why(options: argparse.Namespace) -> None:
    """Explain one value of a feature map: what each input channel adds.

    By default this is the map's largest value before ReLU, traced three layers back.
    A value is the sum of what its inputs add, plus the bias; each input is such a
    value itself.

      python -m cnnvis why examples/chelsea.jpg conv4_1 12
      python -m cnnvis why examples/chelsea.jpg conv4_1 12 --row 3 --column 20
    """
    target, asked = named(options), given(options, "row", "column", "count", "depth")
    explained = cnnvis.why(load_for(target.layer), options.photo, target.layer.name, target.number, **asked)
    head = f"{target} is {explained.value:.3g} at row {explained.row}, column {explained.column}:"
    report(options, explained.record(), "\n".join([head, *_tree(explained, 1)]))


def _line(wire: cnnvis.Wire) -> str:
    usual = "" if wire.usual is None else f"{wire.usual:.3f}"
    name = f"{wire.layer} {wire.channel}"
    return f"  {name:16} {wire.norm:8.4f} {wire.sum:+8.4f} {wire.share:8.2%} {usual:>8}"


def _tree(value: cnnvis.Why | cnnvis.Contribution, depth: int) -> Iterator[str]:
    """A line for each input, with its own inputs indented below it; then the rest and the bias."""
    indent = "  " * depth
    for part in value.contributions:
        cell = f"{part.value:.3g} at {part.row}, {part.column}"
        yield f"{indent}{part.adds:+.3g} from {part.layer} channel {part.channel}, {cell}"
        if part.contributions:
            yield from _tree(part, depth + 1)
    yield f"{indent}{value.rest:+.3g} from all others, {value.bias:+.3g} bias"
