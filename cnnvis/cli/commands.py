"""What each command of `python -m cnnvis` does; the docstrings are its help texts."""

import argparse
import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

import cnnvis
from cnnvis.cli.exports import ARRAY_SUFFIXES, encode_maps
from cnnvis.errors import PhotoError, SettingError
from cnnvis.maximization.ascent import ascend, build_record
from cnnvis.maximization.experiment import differences
from cnnvis.maximization.score import score_target
from cnnvis.network.architecture import CHANNEL_MARK, Target, check_channel
from cnnvis.network.input_check import input_warning
from cnnvis.network.precision import fast_dtype
from cnnvis.network.weights import architecture_in_use, load_for, pick_device
from cnnvis.version import __version__

SETTING_OPTIONS = {  # the settings that `maximize` takes; their defaults, limits and choices come from the engine
    "steps": "take at most this many steps; 0: as many as the recipe takes at that depth",
    "size": "side of the picture in px; 0: the layer's own, at which one instance of what it looks for fits",
    "seed": "seed of the noise to start from: same seed, same picture",
    "seconds": "end the ascent after this many seconds; 0: no limit",
    "objective": "maximise the channel's mean, maximise the centre of its map, or minimise its mean",
    "precision": "precision of the convolutions; auto: the faster one on this device",
}


def info(options: argparse.Namespace) -> None:
    """Show the weights, the device and the versions in use.

    Every ascent keeps them in its record too, as `build`.

      python -m cnnvis info
    """
    net = cnnvis.load_vgg16()
    build = build_record(net, fast_dtype(pick_device()))
    weights = {"network": net.architecture.name, "weights": net.origin, "file": net.origin.path.absolute()}
    lines = [f"{name.replace('_', ' '):15} {value}" for name, value in {**weights, **build}.items()]
    warning = input_warning(net)
    record = {"network": net.architecture.name, "weights": net.origin.as_dict(), "doubt": warning, "build": build}
    report(options, record, "\n".join([*lines, warning] if warning else lines))


def layers(options: argparse.Namespace) -> None:
    """List the layers: VGG16's 31, or those of the network in use.

    Stride: px of the picture between neighbouring values of a feature map.
    Receptive field: the side, in px, of the square that one value sees.

      python -m cnnvis layers
    """
    records = [layer.as_dict() for layer in architecture_in_use().layers]
    rows = [[name.replace("_", " ") for name in records[0]], *(record.values() for record in records)]
    report(options, records, "\n".join("{:8} {:5} {:>5} {:>9} {:>7} {:>16}".format(*row) for row in rows))


def filters(options: argparse.Namespace) -> None:
    """Draw all filters of a convolution on one sheet.

    Filters of conv1_1 are shown in colour (rgb). A deeper filter has one kernel for
    each channel of the layer before. The sheet shows the kernels of one input
    channel, blue below zero and orange above (signed), or in grey, each over its own
    range (gray).

      python -m cnnvis filters conv1_1 -o filters.png
      python -m cnnvis filters conv4_3 --view gray --input-channel 17 -o filters.png
    """
    sheet = cnnvis.filter_sheet(cnnvis.load_vgg16(), options.layer, **given(options, "view", "input_channel"))
    shown = "in colour" if sheet.view == "rgb" else f"{sheet.view}, input channel {sheet.input_channel}"
    text = f"{sheet.channels} filters of {sheet.layer}, {shown}, in {sheet.columns} columns"
    report(options, sheet.record(), text, (options.output, sheet.picture))


def maps(options: argparse.Namespace) -> None:
    """Draw how a layer responds to a photo: all its feature maps, or one.

    All maps: in the order of their channel numbers, or the strongest or most unusual
    first. The colours span each map's own values, or those of the whole layer.
    One map: --channel makes two pictures, the map itself and the map laid over the
    photo (-o map.png also writes map-overlay.png).
    As numbers: -o maps.npz or maps.npy holds float32 (channels, height, width).
    The pipeline conv_chain applies the convolutions alone, as the original notebooks
    did (2020).

      python -m cnnvis maps examples/chelsea.jpg conv3_1 --order strength -o maps.jpg
      python -m cnnvis maps examples/chelsea.jpg relu4_3 --channel 17 -o map.png
      python -m cnnvis maps examples/chelsea.jpg conv3_1 -o maps.npz
    """
    asked = given(options, "pipeline", "order", "contrast")
    net = load_for(architecture_in_use().find(options.layer))
    numbers = options.output.suffix.lower() in ARRAY_SUFFIXES
    if options.channel is None and not numbers:
        sheet = cnnvis.map_sheet(net, options.photo, options.layer, **asked)
        text = f"{sheet.channels} maps of {sheet.layer}, in {sheet.columns} columns"
        return report(options, sheet.record(), text, (options.output, sheet.picture))
    for name in asked.keys() - {"pipeline"}:
        raise SettingError(f"{name} applies only to a picture of all maps: leave out --{name}.")
    if numbers:
        return _map_numbers(options, net, **asked)
    drawn = cnnvis.feature_map(net, options.photo, options.layer, options.channel, **asked)
    text = f"{drawn.layer} channel {drawn.channel}, {drawn.min:.4g} to {drawn.max:.4g}, mean {drawn.mean:.4g}"
    pictures = (options.output, drawn.picture), (overlay_path(options.output), drawn.overlay)
    return report(options, drawn.record(), text, *pictures)


def _map_numbers(options: argparse.Namespace, net: cnnvis.VGG16, **asked: Any) -> None:
    """Write all maps, or one of them, as numbers."""
    layer = net.architecture.find(options.layer)
    channels = list(range(layer.channels)) if options.channel is None else [check_channel(options.channel, layer)]
    maps = cnnvis.feature_maps(net, options.photo, options.layer, **asked)
    height, width = size = list(maps.values.shape[1:])
    record = {"layer": layer.name, "pipeline": maps.pipeline, "channels": channels, "size": size}
    text = f"{len(channels)} maps of {layer.name}, {height} × {width}, float32"
    file = encode_maps(maps, channels, options.output.suffix.lower()[1:])
    report(options, {**record, "cnnvis": __version__}, text, (options.output, file))


def maximize(options: argparse.Namespace) -> None:
    """Grow the picture that activates one channel of a layer most.

    Prints three measures: `activation` at the last step of the ascent, `saved
    activation` of the picture as a file, and `robust`, the mean activation of copies
    that were compressed, rotated, scaled and cropped. Files are written only for -o,
    --animation and --json. A PNG carries the same record as --json, in its text
    chunk "cnnvis". Ctrl-C ends the ascent and keeps the last picture.

    The recipe fourier makes clear pictures; erhan makes those of the original
    notebooks. With --like, the layer, channel and settings come from a PNG saved by
    cnnvis. Other options override them, except --recipe, which --like refuses. A line
    on stderr says which weights, versions, device, precision or threads differ.

      python -m cnnvis maximize conv5_3 165 -o channel.png --animation growing.gif
      python -m cnnvis maximize pool3 28 --recipe erhan --steps 50 --seed 0 --json -
      python -m cnnvis maximize --like channel.png --seed 2 -o another.png
      CNNVIS_WEIGHTS=hub python -m cnnvis maximize class goldfish -o goldfish.png
    """
    target, settings, made = _asked(options)
    net = load_for(target.layer)
    ascent = ascend(net, [target], settings, **given(options, *SETTING_OPTIONS, "start"))
    snapshots = watch_ascent(ascent, made, keep=None if options.animation else 1)
    if not snapshots:
        raise KeyboardInterrupt
    last = saved = snapshots[-1]
    # Pictures are written before they are scored, so that no later failure can lose them.
    if options.output:
        options.output.write_bytes(encoded(last.picture, options.output))
        saved = replace(last, picture=cnnvis.open_photo(options.output))  # JPEG changes the picture
    if options.animation:
        kind = options.animation.suffix.lower()[1:]
        options.animation.write_bytes(cnnvis.animation([snapshot.picture for snapshot in snapshots], kind=kind))
    interrupted = not last.last
    try:
        record = cnnvis.scored_record(net, saved)
    except KeyboardInterrupt:  # a second Ctrl-C skips the score
        record, interrupted = last.record(), True
    if options.output and options.output.suffix.lower() == ".png":
        path = Path(os.path.realpath(options.output))
        part = path.with_name(f".cnnvis-{os.getpid()}.png")  # a full disk must not destroy the picture already written
        part.write_bytes(encoded(last.picture, part, record))
        part.replace(path)
    text = f"{target}, {last.settings.recipe}, {last.step} of {last.steps} steps"
    report(options, record, f"{text}: {_measures(record)}")
    if interrupted:
        raise KeyboardInterrupt


def score(options: argparse.Namespace) -> None:
    """Measure how strongly and how robustly a picture activates one channel.

    `saved activation` is the channel's mean on the picture: as it is if it is square
    and 64 to 224 px, otherwise at 224 px. `robust` is its average over 16 copies that
    were compressed, rotated, scaled and cropped.

    A PNG saved by cnnvis already names its layer and channel.

      python -m cnnvis score examples/chelsea.jpg conv5_3 165
      python -m cnnvis score channel.png
    """
    if options.layer is None:
        try:
            target = cnnvis.read_experiment(options.picture, pick_device(), architecture_in_use()).target
        except PhotoError as error:
            raise PhotoError(f"{error} Or name a layer and a channel.") from error
    else:
        target = named(options)
    result = score_target(load_for(target.layer), cnnvis.open_photo(options.picture), target)
    asked = {"layer": target.layer.name, "channel": target.written}
    record = {**asked, **result.record(), "cnnvis": __version__}
    report(options, record, f"{target}: {_measures(record)}")


def _asked(options: argparse.Namespace) -> tuple[Target, Any, cnnvis.Experiment | None]:
    """The target and the settings, as given or from --like; and the experiment of the picture that --like names."""
    if not options.like:
        return named(options), options.recipe or cnnvis.Settings(), None
    made = cnnvis.read_experiment(options.like, pick_device(), architecture_in_use())
    if options.recipe:
        raise SettingError("the recipe comes from the picture: leave out --recipe or --like.")
    if made.start_sha256 and not options.start:
        raise SettingError("that picture grew from a photo that it does not contain: give the photo with --start.")
    return (made.target if options.layer is None else named(options)), made.settings, made


def named(options: argparse.Namespace) -> Target:
    """The target named by LAYER and CHANNEL, or by LAYER:CHANNEL."""
    if options.channel is None and CHANNEL_MARK not in (options.layer or ""):
        or_picture = ", or a PNG made by cnnvis" if options.run in (maximize, score) else ""
        raise SettingError(f"no channel was given: name a layer and one of its channels{or_picture}.")
    return architecture_in_use().target(options.layer, options.channel)


def given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the engine has defaults for the others, and reads numbers from text."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def watch_ascent(
    ascent: Iterator[list[cnnvis.Snapshot]], made: cnnvis.Experiment | None, keep: int | None
) -> Sequence[cnnvis.Snapshot]:
    """Run the ascent to its end or to Ctrl-C, with a progress bar; return the last `keep` snapshots (None: all).

    First say on stderr how it differs from the ascent `made` that it repeats.
    """
    snapshots: deque[cnnvis.Snapshot] = deque(maxlen=keep)
    with tqdm(unit="step", disable=None) as bar, suppress(KeyboardInterrupt):  # disable=None: no bar without a terminal
        for (snapshot,) in ascent:
            if made and not snapshots and (note := differences(made, snapshot.build)):
                bar.write(f"cnnvis: {note}", file=sys.stderr)
            snapshots.append(snapshot)
            bar.total = snapshot.steps
            bar.set_postfix(activation=snapshot.activation, refresh=False)
            bar.update(snapshot.step - bar.n)
    return snapshots


def _measures(record: dict[str, Any]) -> str:
    """The measures of a record in words: "activation 264.2, saved activation 262.9, robust 9.04"."""
    names = [name for name in ("activation", "saved_activation", "robust") if record.get(name) is not None]
    words = [f"{name.replace('_', ' ')} {record[name]:.4g}" for name in names]
    return ", ".join(words if record.get("fires", True) else [*words, "never fires"])


def report(options: argparse.Namespace, record: object, text: str, *files: tuple[Path, Image.Image | bytes]) -> None:
    """Write the files and the record, and print `text` with the files' names; with `--json -` only the record."""
    for path, content in files:
        path.write_bytes(content if isinstance(content, bytes) else encoded(content, path))
    paths = ", ".join(repr(str(path)) for path, _ in files)
    print(json.dumps(record) if options.json == "-" else f"{text}: {paths}" if paths else text, flush=True)
    if options.json not in (None, "-"):
        Path(options.json).write_text(json.dumps(record) + "\n", encoding="utf-8")


def encoded(picture: Image.Image, path: Path, record: Mapping[str, Any] | None = None) -> bytes:
    """Encode a picture in the format of the file's suffix; a PNG holds the record."""
    return cnnvis.encode(picture, path.suffix.lower()[1:], record)


def overlay_path(output: Path) -> Path:
    """The file for the map laid over the photo, beside `output`."""
    return output.parent / f"{output.stem}-overlay{output.suffix}"


def page(_: argparse.Namespace) -> None:
    """Start the web page.

    It listens at 127.0.0.1:7860 unless GRADIO_SERVER_NAME or GRADIO_SERVER_PORT says
    otherwise. Ctrl-C ends it.

      python -m cnnvis page
      GRADIO_SERVER_PORT=8080 python -m cnnvis page
    """
    from cnnvis.ui import build_page, serve  # Gradio takes seconds to import: no other command waits for it

    serve(build_page())
