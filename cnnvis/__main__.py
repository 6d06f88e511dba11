"""Look inside VGG16: its filters, what they answer to a photo, what excites them most.

The weights come with cnnvis. The environment variable CNNVIS_WEIGHTS names another
file (.safetensors, or torchvision's .pth) or says hub.

Exit codes: 0; 2 after one line about what is wrong; 130 after Ctrl-C.
"""

import argparse
import inspect
import io
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

import cnnvis
from cnnvis.ascent import build_record
from cnnvis.errors import CnnvisError, SettingError
from cnnvis.features import CONTRASTS, ORDERS, PIPELINES
from cnnvis.filters import VIEWS
from cnnvis.recipes import CHOICES
from cnnvis.vgg import fast_dtype
from cnnvis.weights import pick_device

ARGUMENTS = {  # PHOTO and PICTURE say what they are
    "layer": "a name that `layers` lists, as conv3_1 (or features.10, 10, block3_conv1)",
    "channel": "its number in the layer, from 0",
}
SETTINGS = {  # what `maximize` can be told, in words; defaults, limits and choices are the engine's
    "steps": "steps at most; 0: the recipe's own number at that depth",
    "size": "side of the picture in px",
    "seed": "of the noise to start from: same seed, same picture",
    "seconds": "end the ascent after so many; 0: no limit",
    "objective": "drive up the channel's mean, drive up the centre of its map, or drive its mean down",
}
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SUFFIXES: Mapping[str, tuple[str, ...]] = {"output": PICTURES, "overlay": PICTURES, "animation": (".gif",), "json": ()}


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
    pictures = (options.output, one.picture), (_overlay(options.output), one.overlay)
    return _report(options, one.record(), text, *pictures)


def maximize(options: argparse.Namespace) -> None:
    """Grow the picture that excites one channel of a layer most.

    Prints how far it got: `activation` as the ascent saw it last, `saved activation`
    of the picture as a file, and `robust`, what is left of that after compressing,
    turning, scaling and cropping the picture. Nothing is written unless -o,
    --animation or --json ask for it. A PNG carries the record that --json gives, in
    its text chunk "cnnvis". Ctrl-C ends the ascent and keeps the last picture.

    The recipe fourier makes clear pictures, erhan those of the notebooks of 2020.

      python -m cnnvis maximize conv5_3 165 -o channel.png --animation growing.gif
      python -m cnnvis maximize pool3 28 --recipe erhan --steps 50 --seed 0 --json -
    """
    net = cnnvis.load_vgg16()
    asked = _given(options, *SETTINGS, "start")
    ascent = cnnvis.maximize(net, options.layer, options.channel, options.recipe, **asked)
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

      python -m cnnvis score examples/chelsea.jpg conv5_3 165
    """
    result = cnnvis.score(cnnvis.load_vgg16(), cnnvis.open_photo(options.picture), options.layer, options.channel)
    asked = {"layer": cnnvis.find_layer(options.layer).name, "channel": int(options.channel)}
    record = asked | result.record()
    _report(options, record, f"{asked['layer']} channel {asked['channel']}: {_measures(record)}")


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


def _encode(picture: Image.Image, path: Path, record: object = None) -> bytes:
    """A picture in the format that the file's suffix names; a PNG holds the record, WebP loses nothing."""
    suffix = path.suffix.lower()
    if suffix != ".webp":
        return cnnvis.encode(picture, suffix[1:], {"cnnvis": json.dumps(record)} if record else None)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def _overlay(output: Path) -> Path:
    return output.parent / f"{output.stem}-overlay{output.suffix}"


def _check_files(options: argparse.Namespace) -> None:
    """Raise SettingError, before any work, for a file that cannot be written or would overwrite another of these."""
    given = vars(options)
    files = {name: Path(given[name]) for name in SUFFIXES if given.get(name) not in (None, "-")}
    if options.run is maps and options.channel is not None:
        files["overlay"] = _overlay(options.output)
    inputs = (given[name] for name in ("photo", "picture", "start") if given.get(name))
    places = [os.path.realpath(path) for path in (*inputs, *files.values())]
    for name, path in files.items():
        if SUFFIXES[name] and path.suffix.lower() not in SUFFIXES[name]:
            raise SettingError.not_one_of("suffix", path.suffix, SUFFIXES[name])
        if places.count(os.path.realpath(path)) > 1:
            raise SettingError(f"file {str(path)!r} is named twice: give every file a name of its own.")
        new = not os.path.lexists(path)
        try:
            path.open("ab").close()  # only trying tells, and this changes nothing
            if new:
                path.unlink()
        except OSError as error:
            raise SettingError(f"file {str(path)!r} cannot be written ({error.strerror}): choose another.") from error


def _parser() -> argparse.ArgumentParser:
    manner: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = argparse.ArgumentParser("python -m cnnvis", description=__doc__, **manner)
    commands = parser.add_subparsers(title="commands, each with a --help of its own", metavar="COMMAND", required=True)

    def command(run: Callable[[argparse.Namespace], None], *positionals: str) -> Callable[..., argparse.Action]:
        text = inspect.getdoc(run) or ""
        made = commands.add_parser(run.__name__, help=text.partition("\n")[0], description=text, **manner)
        made.set_defaults(run=run)
        for name in positionals:
            made.add_argument(name, metavar=name.upper(), help=ARGUMENTS.get(name))
        made.add_argument("--json", metavar="F", help="write the record to F as one JSON object; - prints only that")
        return made.add_argument

    to = {"metavar": "F", "type": Path, "help": f"where the picture goes ({', '.join(PICTURES)})"}
    command(info)
    command(layers)
    add = command(filters, "layer")
    add("-o", "--output", required=True, **to)
    add("--view", metavar="V", help=f"{', '.join(VIEWS)} (default {VIEWS[0]})")
    add("--input-channel", metavar="N", help="whose kernels to show (default: the first)")
    add = command(maps, "photo", "layer")
    add("-o", "--output", required=True, **to)
    for name, words in {"pipeline": PIPELINES, "order": ORDERS, "contrast": CONTRASTS}.items():
        add(f"--{name}", metavar=name[0].upper(), help=f"{', '.join(words)} (default {words[0]})")
    add("--channel", metavar="N", help="this map alone, large, and laid over the photo")
    add = command(maximize, "layer", "channel")
    default, limits = cnnvis.Ascent(), cnnvis.limits(pick_device())
    add("--recipe", metavar="R", default=default.recipe, help=f"{', '.join(cnnvis.RECIPES)} (default %(default)s)")
    for name, text in SETTINGS.items():
        allowed = ", ".join(CHOICES[name]) if name in CHOICES else "{} to {}".format(*limits[name])
        text += f" ({allowed}; default {getattr(default, name)})"
        add(f"--{name}", metavar="O" if name in CHOICES else "N", help=text)
    add("--start", metavar="PHOTO", help="grow from this photo instead of from noise")
    add("-o", "--output", **to)
    add("--animation", metavar="F.gif", type=Path, help="the way up as an animation")
    command(score, "picture", "layer", "channel")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        _check_files(options)
        options.run(options)
    except BrokenPipeError:  # whoever reads our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CnnvisError, OSError) as error:  # OSError: a full disk and the like
        print(f"cnnvis: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
