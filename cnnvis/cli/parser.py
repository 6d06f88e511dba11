"""The command line's parser, and the check of all files before any work."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cnnvis
from cnnvis.analysis.filters import VIEWS
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES
from cnnvis.analysis.why import MOST_COUNT, MOST_DEPTH
from cnnvis.analysis.wiring import MOST_WIRES
from cnnvis.cli.commands import SETTING_OPTIONS, filters, info, layers, maps, maximize, overlay_path, page, score
from cnnvis.cli.exports import ARRAY_SUFFIXES
from cnnvis.cli.prepared import atlas_make, atlas_show, shelf_info, shelf_make, shelf_show
from cnnvis.cli.wiring import why, wiring
from cnnvis.errors import SettingError
from cnnvis.maximization.recipes import CHOICES
from cnnvis.network.weights import pick_device
from cnnvis.pictures.images import PICTURE_SUFFIXES
from cnnvis.prepared.shelf import MAX_EXEMPLARS
from cnnvis.prepared.shelf_indexing import PRECISIONS
from cnnvis.prepared.shelf_making import MAX_RANKS, RANKS

DESCRIPTION = """Look inside VGG16: its filters, how they respond to a photo, what activates them most.

The weights come with cnnvis. To use others, of VGG11, 13, 16 or 19, set
CNNVIS_WEIGHTS to their file, or to hub to download the whole VGG16.

Exit codes: 0; 2 after a one-line error; 130 after Ctrl-C.
"""
ARGUMENTS = {  # PHOTO and PICTURE need no explanation
    "layer": "a name from `layers`, such as conv3_1 (or features.10, 10, block3_conv1), or class: the 1,000 logits",
    "channel": "its number in the layer, from 0; in class also a name, such as goldfish; or write conv3_1:17",
}
SUFFIXES: Mapping[str, tuple[str, ...]] = {  # (): any
    "output": PICTURE_SUFFIXES,
    "overlay": PICTURE_SUFFIXES,
    "animation": (".gif", ".webp"),
    "json": (),
}
OUTPUTS: Mapping[Callable[[argparse.Namespace], None], tuple[str, ...]] = {  # of commands that write other things too
    maps: (*PICTURE_SUFFIXES, *ARRAY_SUFFIXES),
    shelf_show: (*PICTURE_SUFFIXES, ".csv"),
    wiring: (".csv",),
}
Adder = Callable[..., argparse.Action]
PARSER_STYLE: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
PICTURE_OUTPUT: dict[str, Any] = {
    "metavar": "F",
    "type": Path,
    "help": f"the picture's file ({', '.join(PICTURE_SUFFIXES)})",
}


def check_files(options: argparse.Namespace) -> None:
    """Before any work, raise SettingError for an output with a wrong suffix, that cannot be written, or named twice."""
    given = vars(options)
    files = {name: Path(given[name]) for name in SUFFIXES if given.get(name) not in (None, "-")}
    if options.run in (shelf_make, atlas_make):  # their output is a folder
        files.pop("output", None)
    if options.run is maps and options.channel is not None and options.output.suffix.lower() in PICTURE_SUFFIXES:
        files["overlay"] = overlay_path(options.output)
    inputs = (given[name] for name in ("photo", "picture", "start", "like") if given.get(name))
    places = [os.path.realpath(path) for path in (*inputs, *files.values())]
    for name, path in files.items():
        allowed = OUTPUTS.get(options.run, SUFFIXES[name]) if name == "output" else SUFFIXES[name]
        if allowed and path.suffix.lower() not in allowed:
            raise SettingError.not_one_of("suffix", path.suffix, allowed)
        if places.count(os.path.realpath(path)) > 1:
            raise SettingError(f"file {str(path)!r} is named twice: give every file a name of its own.")
        new = not os.path.lexists(path)
        try:
            path.open("ab").close()  # the only reliable test; an existing file is not changed
            if new:
                path.unlink()
        except OSError as error:
            raise SettingError(f"file {str(path)!r} cannot be written ({error.strerror}): choose another.") from error


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `options.run` is the function of the one that was given."""
    installed = Path(sys.argv[0]).stem == "cnnvis"  # the command that pip makes, rather than `python -m`
    name = "cnnvis" if installed else "python -m cnnvis"
    parser = argparse.ArgumentParser(name, description=DESCRIPTION, **PARSER_STYLE)
    commands = parser.add_subparsers(title="commands, each with a --help of its own", metavar="COMMAND", required=True)
    _made(commands, page)
    _add_network(commands)
    _add_ascents(commands)
    _add_wiring(commands)
    text = "Photos, and which of them excite a channel most: make a shelf, show it, describe it."
    _add_shelf(commands.add_parser("shelf", help=text, description=text, **PARSER_STYLE))
    text = "A picture grown ahead for every channel: make an atlas of them, show a layer of it."
    _add_atlas(commands.add_parser("atlas", help=text, description=text, **PARSER_STYLE))
    return parser


def _made(commands: Any, run: Callable[[argparse.Namespace], None]) -> Any:
    """The parser of a command, whose docstring is its help and whose name is the last word of the function's."""
    text = inspect.getdoc(run) or ""
    made = commands.add_parser(
        run.__name__.rpartition("_")[2], help=text.partition("\n")[0], description=text, **PARSER_STYLE
    )
    made.set_defaults(run=run)
    return made


def _command(commands: Any, run: Callable[[argparse.Namespace], None], *positionals: str) -> Adder:
    """Add a command that has a record; return what adds further arguments."""
    made = _made(commands, run)
    for name in positionals:
        name, optional = name.removesuffix("?"), name.endswith("?")
        kind: dict[str, Any] = {"nargs": "?"} if optional else {}
        made.add_argument(name, metavar=name.upper(), help=ARGUMENTS.get(name), **kind)
    made.add_argument("--json", metavar="F", help="write the record to F as one JSON object; - prints only that")
    adder: Adder = made.add_argument
    return adder


def _add_network(commands: Any) -> None:
    _command(commands, info)
    _command(commands, layers)
    add = _command(commands, filters, "layer")
    add("-o", "--output", required=True, **PICTURE_OUTPUT)
    add("--view", metavar="V", help=f"{', '.join(VIEWS)} (default {VIEWS[0]})")
    add("--input-channel", metavar="N", help="the input channel whose kernels to show (default 0)")
    add = _command(commands, maps, "photo", "layer")
    add(
        "-o",
        "--output",
        required=True,
        **PICTURE_OUTPUT | {"help": f"{PICTURE_OUTPUT['help']}, or numbers ({', '.join(ARRAY_SUFFIXES)})"},
    )
    for name, words in {"pipeline": PIPELINES, "order": ORDERS, "contrast": CONTRASTS}.items():
        add(f"--{name}", metavar=name[0].upper(), help=f"{', '.join(words)} (default {words[0]})")
    add("--channel", metavar="N", help="only this channel's map, large, and laid over the photo")


def _add_ascents(commands: Any) -> None:
    add = _command(commands, maximize, "layer?", "channel?")
    default, limits = cnnvis.Settings(), cnnvis.limits(pick_device())
    add("--recipe", metavar="R", help=f"{', '.join(cnnvis.RECIPES)} (default {default.recipe})")
    for name, text in SETTING_OPTIONS.items():
        allowed = ", ".join(CHOICES[name]) if name in CHOICES else "{} to {}".format(*limits[name])
        text += f" ({allowed}; default {getattr(default, name)})"
        add(f"--{name}", metavar="O" if name in CHOICES else "N", help=text)
    add("--start", metavar="PHOTO", help="start from this photo instead of noise")
    add("--like", metavar="F.png", help="repeat the experiment of a PNG saved by cnnvis")
    add("-o", "--output", **PICTURE_OUTPUT)
    add("--animation", metavar="F.gif", type=Path, help="the ascent as an animation (.gif or .webp)")
    _command(commands, score, "picture", "layer?", "channel?")


def _add_wiring(commands: Any) -> None:
    add = _command(commands, wiring, "layer", "channel?")
    add("--count", metavar="N", help=f"how many of either kind (1 to {MOST_WIRES}; default 8)")
    add("-o", "--output", metavar="F.csv", type=Path, help="the list as a table")
    add = _command(commands, why, "photo", "layer", "channel?")
    add("--row", metavar="N", help="of the map, from 0; with --column (default: where the map is largest)")
    add("--column", metavar="N", help="of the map, from 0")
    add("--count", metavar="N", help=f"inputs named at every node (1 to {MOST_COUNT}; default 5)")
    add("--depth", metavar="N", help=f"layers back (1 to {MOST_DEPTH}; default 3)")


def _add_shelf(shelf: argparse.ArgumentParser) -> None:
    among = shelf.add_subparsers(metavar="COMMAND", required=True)
    add = _command(among, shelf_make, "folder")
    add("-o", "--output", metavar="SHELF", type=Path, required=True, help="the shelf's folder")
    add("--top", metavar="N", help=f"how many photos to keep for each channel (1 to {MAX_RANKS}; default {RANKS})")
    add("--precision", metavar="P", help=f"{', '.join(PRECISIONS)} (default {PRECISIONS[0]})")
    _add_workers(add)
    add = _command(among, shelf_show, "layer", "channel?")
    add("-o", "--output", required=True, **PICTURE_OUTPUT | {"help": f"{PICTURE_OUTPUT['help']}, or a table (.csv)"})
    add("--count", metavar="N", help=f"how many photos (1 to {MAX_EXEMPLARS}; default 9)")
    _command(among, shelf_info)


def _add_atlas(atlas: argparse.ArgumentParser) -> None:
    among = atlas.add_subparsers(metavar="COMMAND", required=True)
    add = _command(among, atlas_make)
    add("-o", "--output", metavar="ATLAS", type=Path, help="the atlas's folder (default: that of the atlas in use)")
    add("--layers", metavar="LAYER", nargs="+", help="only these convolutions")
    add("--seed", metavar="N", help=f"{SETTING_OPTIONS['seed']} (default {cnnvis.Settings().seed})")
    add("--device", metavar="D", help="cuda or cpu (default: the GPU if there is one)")
    _add_workers(add)
    add = _command(among, atlas_show, "layer")
    add("-o", "--output", required=True, **PICTURE_OUTPUT)


def _add_workers(add: Adder) -> None:
    """The options that say where making runs."""
    add("--workers", metavar="N", help="work in this many processes, of one thread each")
    add("--scheduler", metavar="TCP", help="work on the Dask cluster with this address, tcp://HOST:PORT")
