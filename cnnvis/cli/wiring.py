"""What `python -m cnnvis wiring` and `why` do; the docstrings are their help."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import cnnvis
from cnnvis.cli.commands import given, named, report, whole_numbers
from cnnvis.cli.exports import encode_rows
from cnnvis.network.weights import load_for


def wiring(options: argparse.Namespace) -> None:
    """List what a filter reads, and which filters read it.

    For each kernel: its L2 norm, the sum of its weights, its share of the reading
    filter's squared norm, and norm times the mean of what it reads on the shelf's
    photos, which orders the list: a large weight on a silent channel does nothing.

      python -m cnnvis wiring conv4_2 384
      python -m cnnvis wiring conv5_3 17 --count 20 --json wiring.json
      python -m cnnvis wiring conv4_2 384 --count 64 -o wiring.csv
    """
    target = named(options)
    found = cnnvis.wiring(load_for(target.layer), target.layer.name, target.number, **whole_numbers(options, "count"))
    head = f"{'':2}{'channel':16} {'norm':>8} {'sum':>8} {'share':>8} {'usual':>8}"
    lines = [f"{found.layer} channel {found.channel} reads", head, *map(_line, found.reads)]
    lines += [f"and is read by{'' if found.readers else ' the classifier'}", *map(_line, found.readers)]
    rows = [{"end": end, **asdict(wire)} for end in ("reads", "readers") for wire in getattr(found, end)]
    files = [(options.output, encode_rows(rows))] if options.output else []
    report(options, found.record(), "\n".join(lines), *files)


def why(options: argparse.Namespace) -> None:
    """Explain one value of a feature map: what each input channel adds.

    By default the map's largest value before ReLU, three layers back. A value is
    the sum of what its inputs add, and the bias; each input is such a value again.

      python -m cnnvis why examples/chelsea.jpg conv4_1 12
      python -m cnnvis why examples/chelsea.jpg conv4_1 12 --row 3 --column 20
    """
    target, asked = named(options), given(options, "row", "column") | whole_numbers(options, "count", "depth")
    found = cnnvis.why(load_for(target.layer), options.photo, target.layer.name, target.number, **asked)
    head = f"{found.layer} channel {found.channel} says {found.value:.3g} at row {found.row}, column {found.column}:"
    report(options, found.record(), "\n".join([head, *_tree(found.contributions, found.rest, found.bias, 1)]))


def _line(wire: cnnvis.Wire) -> str:
    usual = "" if wire.usual is None else f"{wire.usual:8.3f}"
    name = f"{wire.layer} {wire.channel}"
    return f"  {name:16} {wire.norm:8.4f} {wire.sum:+8.4f} {100 * wire.share:7.2f}% {usual:>8}"


def _tree(inputs: Sequence[cnnvis.Contribution], rest: float, bias: float, depth: int) -> Iterator[str]:
    """A line for each input, those below it further right; then the rest and the bias."""
    space = "  " * depth
    for one in inputs:
        place = f"{one.value:.3g} at {one.row}, {one.column}"
        yield f"{space}{one.adds:+.3g} from {one.layer} channel {one.channel}, {place}"
        if one.contributions:
            yield from _tree(one.contributions, one.rest, one.bias, depth + 1)
    yield f"{space}{rest:+.3g} from all others, {bias:+.3g} bias"
