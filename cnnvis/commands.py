"""What each command of `python -m cnnvis` does; the docstrings are its help."""

import argparse
import io
import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

import cnnvis
from cnnvis.ascent import build_record
from cnnvis.errors import PhotoError, SettingError
from cnnvis.vgg import check_channel, fast_dtype
from cnnvis.weights import load_for, pick_device

SETTINGS = {  # what `maximize` can be told, in words; defaults, limits and choices are the engine's
    "steps": "steps at most; 0: the recipe's own number at that depth",
    "size": "side of the picture in px",
    "seed": "of the noise to start from: same seed, same picture",
    "seconds": "end the ascent after so many; 0: no limit",
    "objective": "drive up the channel's mean, drive up the centre of its map, or drive its mean down",
}


def info(options: argparse.Namespace) -> None:
    """Say which weights, device and versions are in use.

    Every picture's record has the same in it, as `build`.

      python -m cnnvis info
    """
    net = cnnvis.load_vgg16()
    build = build_record(net, fast_dtype(pick_device()))
    lines = [f"{name.replace('_', ' '):15} {value}" for name, value in {"weights": net.origin, **build}.items()]
    _report(options, {"weights": net.origin.as_dict(), "build": build}, "\n".join(lines))


def layers(options: argparse.Namespace) -> None:
    """List the 31 layers.

    Stride: px of the picture between neighbouring values of a feature map.
    Receptive field: px of the picture, along a side, that one value sees.

      python -m cnnvis layers
    """
    records = [layer.as_dict() for layer in cnnvis.LAYERS]
    rows = [[name.replace("_", " ") for name in records[0]], *(record.values() for record in records)]
    _report(options, records, "\n".join("{:8} {:5} {:>5} {:>9} {:>7} {:>16}".format(*row) for row in rows))


def filters(options: argparse.Namespace) -> None:
    """Draw all filters of a convolution on one sheet.

    A filter of conv1_1 is shown in colour (rgb). A deeper one has a kernel for each
    channel of the layer before: the sheet shows those for one input channel, blue
    below zero and orange above (signed), or each in its own range of grey (gray).

      python -m cnnvis filters conv1_1 -o filters.png
      python -m cnnvis filters conv4_3 --view gray --input-channel 17 -o filters.png
    """
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), options.layer, **_given(options, "view", "input_channel"))
    shown = "in colour" if sheet.view == "rgb" else f"{sheet.view}, input channel {sheet.input_channel}"
    text = f"{sheet.channels} filters of {sheet.layer}, {shown}, in {sheet.columns} columns"
    _report(options, sheet.record(), text, (options.output, sheet.picture))


def maps(options: argparse.Namespace) -> None:
    """Draw what a layer answers to a photo: all its feature maps, or one.

    All: in the order of their numbers or strongest first; the colours of each map
    span its own values, or those of the whole layer.
    One: with --channel there are two pictures, the map where -o says, and beside it
    the map laid over the photo (map-overlay.png for -o map.png).
    The conv_chain pipeline has the convolutions alone, as the notebooks of 2020.

      python -m cnnvis maps examples/chelsea.jpg conv3_1 --order strength -o maps.jpg
      python -m cnnvis maps examples/chelsea.jpg relu4_3 --channel 17 -o map.png
    """
    asked = _given(options, "pipeline", "order", "contrast")
    if options.channel is None:
        sheet = cnnvis.map_sheet(cnnvis.load_vgg16(), options.photo, options.layer, **asked)
        text = f"{sheet.channels} maps of {sheet.layer}, in {sheet.columns} columns"
        return _report(options, sheet.record(), text, (options.output, sheet.picture))
    for name in asked.keys() - {"pipeline"}:
        raise SettingError(f"{name} is for the sheet of all maps: leave out --{name} or --channel.")
    one = cnnvis.feature_map(cnnvis.load_vgg16(), options.photo, options.layer, options.channel, **asked)
    text = f"{one.layer} channel {one.channel}, {one.min:.4g} to {one.max:.4g}, mean {one.mean:.4g}"
    pictures = (options.output, one.picture), (overlay_path(options.output), one.overlay)
    return _report(options, one.record(), text, *pictures)


def maximize(options: argparse.Namespace) -> None:
    """Grow the picture that excites one channel of a layer most.

    Prints how far it got: `activation` as the ascent saw it last, `saved activation`
    of the picture as a file, and `robust`, what is left of that after compressing,
    turning, scaling and cropping the picture. Nothing is written unless -o,
    --animation or --json ask for it. A PNG carries the record that --json gives, in
    its text chunk "cnnvis". Ctrl-C ends the ascent and keeps the last picture.

    The recipe fourier makes clear pictures, erhan those of the notebooks of 2020.
    With --like a PNG made here gives layer, channel and settings; what is given
    besides takes their place.

      python -m cnnvis maximize conv5_3 165 -o channel.png --animation growing.gif
      python -m cnnvis maximize pool3 28 --recipe erhan --steps 50 --seed 0 --json -
      python -m cnnvis maximize --like channel.png --seed 2 -o another.png
      CNNVIS_WEIGHTS=hub python -m cnnvis maximize class goldfish -o goldfish.png
    """
    layer, channel, settings = _target(options)
    net = load_for(layer)
    ascent = cnnvis.maximize(net, layer, channel, settings, **_given(options, *SETTINGS, "start"))
    snapshots = _watch(ascent, keep=None if options.animation else 1)
    if not snapshots:
        raise KeyboardInterrupt
    last = saved = snapshots[-1]
    # The pictures before the score: nothing that fails later can lose them.
    if options.output:
        options.output.write_bytes(_encode(last.picture, options.output))
        saved = replace(last, picture=cnnvis.open_photo(options.output))  # a JPEG is not quite what went into it
    if options.animation:
        options.animation.write_bytes(cnnvis.animation([snapshot.picture for snapshot in snapshots]))
    interrupted = not last.last
    try:
        record = cnnvis.scored_record(net, saved)
    except KeyboardInterrupt:  # no patience for the score
        record, interrupted = last.record(), True
    if options.output and options.output.suffix.lower() == ".png":
        target = Path(os.path.realpath(options.output))
        part = target.with_name(f".cnnvis-{os.getpid()}.png")  # a full disk must not cost the picture there is
        part.write_bytes(_encode(last.picture, part, record))
        part.replace(target)
    text = f"{last.layer} channel {last.channel}, {last.settings.recipe}, {last.step} of {last.steps} steps"
    _report(options, record, f"{text}: {_measures(record)}")
    if interrupted:
        raise KeyboardInterrupt


def score(options: argparse.Namespace) -> None:
    """Say what a picture does to one channel, and what is left of that.

    `saved activation` is the channel's mean on the picture at 224 px, `robust` the
    mean of that over 16 compressed, turned, scaled and cropped copies.

    A PNG made here knows its layer and channel.

      python -m cnnvis score examples/chelsea.jpg conv5_3 165
      python -m cnnvis score channel.png
    """
    layer, channel = options.layer, options.channel
    if layer is None:
        try:
            made = cnnvis.read_experiment(options.picture, pick_device())
        except PhotoError as error:
            raise PhotoError(f"{error} Or name a layer and a channel.") from error
        layer, channel = made.layer, made.channel
    _check_pair(layer, channel)
    result = cnnvis.score(load_for(layer), cnnvis.open_photo(options.picture), layer, channel)
    found = cnnvis.find_layer(layer)
    number = channel if isinstance(channel, dict) else check_channel(channel, found.channels, found.name)
    asked = {"layer": found.name, "channel": number}
    record = asked | result.record()
    _report(options, record, f"{asked['layer']} channel {asked['channel']}: {_measures(record)}")


def _target(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Layer, channel and settings, as given or as they stand in the picture that --like names."""
    layer, channel, settings = options.layer, options.channel, options.recipe or cnnvis.Ascent()
    if options.like:
        made = cnnvis.read_experiment(options.like, pick_device())
        if options.recipe:
            raise SettingError("the recipe stands in the picture: leave out --recipe or --like.")
        if made.start_sha256 and not options.start:
            raise SettingError("that picture grew out of a photo, which it does not carry: give one with --start.")
        if layer is None:
            layer, channel = made.layer, made.channel
        settings = made.settings
    _check_pair(layer, channel)
    return layer, channel, settings


def _check_pair(layer: object, channel: object) -> None:
    if layer is None or channel is None:
        raise SettingError("no channel was given: name a layer and one of its channels, or a PNG made by cnnvis.")


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; what is left out is the engine's to choose."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _watch(ascent: Iterator[cnnvis.Snapshot], keep: int | None) -> Sequence[cnnvis.Snapshot]:
    """The last `keep` snapshots (None: all), up to the end or Ctrl-C; a terminal sees how far the ascent is."""
    snapshots: deque[cnnvis.Snapshot] = deque(maxlen=keep)
    with tqdm(unit="step", disable=None) as bar, suppress(KeyboardInterrupt):  # None: silent without a terminal
        for snapshot in ascent:
            snapshots.append(snapshot)
            bar.total = snapshot.steps
            bar.set_postfix(activation=snapshot.activation, refresh=False)
            bar.update(snapshot.step - bar.n)
    return snapshots


def _measures(record: dict[str, Any]) -> str:
    """The measures in a record as words: "activation 264.2, saved activation 262.9, robust 9.04"."""
    names = [name for name in ("activation", "saved_activation", "robust") if record.get(name) is not None]
    words = [f"{name.replace('_', ' ')} {record[name]:.4g}" for name in names]
    return ", ".join(words if record.get("fires", True) else [*words, "never fires"])


def _report(options: argparse.Namespace, record: object, text: str, *pictures: tuple[Path, Image.Image]) -> None:
    """Write the pictures, say `text` and where they are, and put the record where --json says: - is for it alone."""
    for path, picture in pictures:
        path.write_bytes(_encode(picture, path))
    where = ", ".join(repr(str(path)) for path, _ in pictures)
    print(json.dumps(record) if options.json == "-" else f"{text}: {where}" if where else text, flush=True)
    if options.json not in (None, "-"):
        Path(options.json).write_text(json.dumps(record) + "\n")


def _encode(picture: Image.Image, path: Path, record: Mapping[str, Any] | None = None) -> bytes:
    """A picture in the format that the file's suffix names; a PNG holds the record, WebP loses nothing."""
    suffix = path.suffix.lower()
    if suffix != ".webp":
        return cnnvis.encode(picture, suffix[1:], record)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def overlay_path(output: Path) -> Path:
    """Where `maps --channel` puts the map laid over the photo."""
    return output.parent / f"{output.stem}-overlay{output.suffix}"
