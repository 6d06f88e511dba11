"""The command line's parser, and the check of all files before any work begins."""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cnnvis
from cnnvis.analysis.filters import VIEWS
from cnnvis.analysis.groups import FEWEST_GROUPS, MOST_GROUPS
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES
from cnnvis.analysis.why import MOST_COUNT, MOST_DEPTH
from cnnvis.analysis.wiring import MOST_WIRES
from cnnvis.cli.commands import SETTING_OPTIONS, filters, info, layers, maps, maximize, overlay_path, page, score
from cnnvis.cli.exported import card, site
from cnnvis.cli.exports import ARRAY_SUFFIXES
from cnnvis.cli.places import sees
from cnnvis.cli.prepared import (
    atlas_make,
    atlas_show,
    concepts_make,
    concepts_show,
    shelf_info,
    shelf_make,
    shelf_show,
)
from cnnvis.cli.wiring import why, wiring
from cnnvis.errors import SettingError
from cnnvis.export.card import THEMES
from cnnvis.maximization.recipes import CHOICES
from cnnvis.network.weights import pick_device
from cnnvis.pictures.images import PICTURE_SUFFIXES
from cnnvis.prepared.shelf import MAX_EXEMPLARS
from cnnvis.prepared.shelf_indexing import PRECISIONS
from cnnvis.prepared.shelf_making import MAX_RANKS, RANKS

DESCRIPTION = """Look inside VGG16: its filters, how they respond to a photo, and what they look for.

The weights come with cnnvis. To use others (of VGG11, 13, 16 or 19), set
CNNVIS_WEIGHTS to their file, or to hub to download the whole of VGG16.

Exit codes: 0; 2 after a one-line error; 130 after Ctrl-C.
"""
ARGUMENTS = {  # PHOTO and PICTURE need no explanation
    "layer": "a name from `layers`, such as conv3_1 (or features.10, 10, block3_conv1), or class for the 1,000 logits",
    "channel": "its number in the layer, from 0; in class also a name, such as goldfish; conv3_1:17 names both",
    "concept": "its number in the layer, from 0 (default: all of them)",
}
SUFFIXES: dict[str, tuple[str, ...]] = {
    "output": PICTURE_SUFFIXES, "overlay": PICTURE_SUFFIXES, "mosaic": PICTURE_SUFFIXES, "grow": (".png",),
    "animation": (".gif", ".webp"), "json": (),
}  # fmt: skip
Run = Callable[[argparse.Namespace], None]
OUTPUTS: Mapping[Run, tuple[str, ...]] = {  # of the commands that do not only write pictures
    maps: (*PICTURE_SUFFIXES, *ARRAY_SUFFIXES),
    shelf_show: (*PICTURE_SUFFIXES, ".csv"),
    wiring: (".csv",),
    card: (".html",),
}
LIVE: dict[str, Any] = {"metavar": "URL", "help": "the address of a live page to link to (default: no links)"}
WORKERS: dict[str, Any] = {"metavar": "N", "help": "use this many processes, with one thread each"}


class _Names(argparse.Action):
    """Names, between spaces or commas."""

    def __call__(self, parser: Any, options: argparse.Namespace, values: Any, option: str | None = None) -> None:
        setattr(options, self.dest, [name for word in values for name in word.split(",") if name])


LAYERS: dict[str, Any] = {"metavar": "LAYER", "nargs": "+", "action": _Names}
Adder = Callable[..., argparse.Action]
PARSER_STYLE: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}


def check_files(options: argparse.Namespace) -> None:
    """Before any work, raise SettingError for an output with a wrong suffix, that cannot be written, or named twice."""
    given = vars(options)
    files = {name: Path(given[name]) for name in SUFFIXES if given.get(name) not in (None, "-")}
    if options.run in (shelf_make, atlas_make, concepts_make, site):  # their output is a folder
        files.pop("output", None)
    if options.run is maps and options.channel is not None and options.output.suffix.lower() in PICTURE_SUFFIXES:
        files["overlay"] = overlay_path(options.output)
    inputs = (given[name] for name in ("photo", "picture", "start", "like") if given.get(name))
    paths = [os.path.realpath(path) for path in (*inputs, *files.values())]
    for name, path in files.items():
        allowed = OUTPUTS.get(options.run, SUFFIXES[name]) if name == "output" else SUFFIXES[name]
        if allowed and path.suffix.lower() not in allowed:
            raise SettingError.not_one_of("suffix", path.suffix, allowed)
        if paths.count(os.path.realpath(path)) > 1:
            raise SettingError(f"file {str(path)!r} is named twice: give each file its own name.")
        new = not os.path.lexists(path)
        try:
            path.open("ab").close()  # the only reliable test; an existing file is not changed
            if new:
                path.unlink()
        except OSError as error:
            raise SettingError(f"file {str(path)!r} cannot be written ({error.strerror}): choose another.") from error


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `options.run` is the function of the command that was given."""
    installed = Path(sys.argv[0]).stem == "cnnvis"  # the command that pip makes, rather than `python -m`
    name = "cnnvis" if installed else "python -m cnnvis"
    parser = argparse.ArgumentParser(name, description=DESCRIPTION, **PARSER_STYLE)
    commands = parser.add_subparsers(title="commands (each has its own --help)", metavar="COMMAND", required=True)
    _command(commands, page, record=False)
    _add_network(commands)
    _add_ascents(commands)
    _add_wiring(commands)
    _add_places(commands)
    _add_exported(commands)
    _add_shelf(_parser_of(commands, "shelf", "Make or show a shelf: photos, and which of them excite a channel most."))
    _add_atlas(_parser_of(commands, "atlas", "Make or show an atlas: a picture of every channel, grown ahead of time."))
    _add_concepts(_parser_of(commands, "concepts", "Find or show concepts: what channels of deep layers say together."))
    return parser


def _parser_of(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """The parser of a command whose help is `text`; the list of commands shows its first line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text.partition("\n")[0], description=text, **PARSER_STYLE
    )
    return parser


def _command(commands: Any, run: Run, *positionals: str, record: bool = True) -> Adder:
    """Add a command, called by the last word of its function's name; return what adds further arguments."""
    parser = _parser_of(commands, run.__name__.rpartition("_")[2], inspect.getdoc(run) or "")
    parser.set_defaults(run=run)
    for name in positionals:
        name, optional = name.removesuffix("?"), name.endswith("?")
        parser.add_argument(name, metavar=name.upper(), help=ARGUMENTS.get(name), nargs="?" if optional else None)
    if record:
        text = "write the record to F as one JSON object; with - print it and nothing else"
        parser.add_argument("--json", metavar="F", help=text)
    return parser.add_argument


def _add_output(add: Adder, also: str = "", *, required: bool = True) -> None:
    """The option -o of a command that writes a picture; `also` says what else it can write."""
    text = f"the picture's file ({', '.join(PICTURE_SUFFIXES)}){also}"
    add("-o", "--output", metavar="F", type=Path, required=required, help=text)


def _add_network(commands: Any) -> None:
    _command(commands, info)
    _command(commands, layers)
    add = _command(commands, filters, "layer")
    _add_output(add)
    add("--view", metavar="V", help=f"{', '.join(VIEWS)} (default {VIEWS[0]})")
    add("--input-channel", metavar="N", help="show the kernels of this input channel (default 0)")
    add = _command(commands, maps, "photo", "layer")
    _add_output(add, f", or numbers ({', '.join(ARRAY_SUFFIXES)})")
    for name, words in {"pipeline": PIPELINES, "order": ORDERS, "contrast": CONTRASTS}.items():
        add(f"--{name}", metavar=name[0].upper(), help=f"{', '.join(words)} (default {words[0]})")
    add("--channel", metavar="N", help="draw only this channel's map, large, and laid over the photo")


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
    _add_output(add, required=False)
    add("--animation", metavar="F.gif", type=Path, help="the ascent as an animation (.gif or .webp)")
    _command(commands, score, "picture", "layer?", "channel?")


def _add_wiring(commands: Any) -> None:
    add = _command(commands, wiring, "layer", "channel?")
    add("--count", metavar="N", help=f"list at most this many of each kind (1 to {MOST_WIRES}; default 8)")
    add("-o", "--output", metavar="F.csv", type=Path, help="the list as a table")
    add = _command(commands, why, "photo", "layer", "channel?")
    add("--row", metavar="N", help="row of the map, from 0; needs --column (default: where the map is largest)")
    add("--column", metavar="N", help="column of the map, from 0; needs --row")
    add("--count", metavar="N", help=f"how many inputs to name for each value (1 to {MOST_COUNT}; default 5)")
    add("--depth", metavar="N", help=f"how many layers to go back (1 to {MOST_DEPTH}; default 3)")


def _add_places(commands: Any) -> None:
    add = _command(commands, sees, "photo", "layer")
    add("--row", metavar="N", help="row of the place, from 0; needs --column (default: the most unusual place)")
    add("--column", metavar="N", help="column of the place, from 0; needs --row")
    add("--groups", metavar="N", help=f"also find this many groups of channels ({FEWEST_GROUPS} to {MOST_GROUPS})")
    for name, text in {"mosaic": "draw the mosaic of the whole photo", "grow": "grow what stands out there"}.items():
        add(f"--{name}", metavar="F.png", type=Path, help=f"{text} ({', '.join(SUFFIXES[name])})")


def _add_exported(commands: Any) -> None:
    add = _command(commands, card, "layer", "channel?")
    add("-o", "--output", metavar="F.html", type=Path, required=True, help="the card's file")
    where = ("PHOTO", "ROW", "COLUMN")
    add("--place", metavar=where, nargs=3, help="show what the layer sees at this place of a photo, not a channel")
    add("--concept", metavar="N", help="show this concept of the layer, not a channel")
    add("--photo", metavar="F", help="put this photo in, with the map laid over it")
    add("--theme", metavar="T", help=f"{', '.join(THEMES)} (default {THEMES[0]}: as the reader's system)")
    add("--live", **LIVE)
    add = _command(commands, site)
    add("-o", "--output", metavar="FOLDER", type=Path, required=True, help="the site's folder")
    add("--layers", **LAYERS, help="show only these convolutions")
    add("--photos", metavar="F", nargs="+", help="photos, or folders of them (default: two examples)")
    add("--live", **LIVE)
    add("--workers", **WORKERS)


def _add_shelf(shelf: argparse.ArgumentParser) -> None:
    among = shelf.add_subparsers(metavar="COMMAND", required=True)
    add = _command(among, shelf_make, "folder")
    add("-o", "--output", metavar="SHELF", type=Path, required=True, help="the shelf's folder")
    add("--top", metavar="N", help=f"how many photos to keep for each channel (1 to {MAX_RANKS}; default {RANKS})")
    add("--precision", metavar="P", help=f"{', '.join(PRECISIONS)} (default {PRECISIONS[0]})")
    add("--list-skipped", action="store_true", help="name everything that is left out, with the reason")
    _add_workers(add)
    add = _command(among, shelf_show, "layer", "channel?")
    _add_output(add, ", or a table (.csv)")
    add("--count", metavar="N", help=f"how many photos (1 to {MAX_EXEMPLARS}; default 9)")
    _command(among, shelf_info)


def _add_atlas(atlas: argparse.ArgumentParser) -> None:
    among = atlas.add_subparsers(metavar="COMMAND", required=True)
    add = _command(among, atlas_make)
    add("-o", "--output", metavar="ATLAS", type=Path, help="the atlas's folder (default: the one in use)")
    add("--layers", **LAYERS, help="grow only these convolutions")
    _add_seed_and_device(add)
    _add_output(_command(among, atlas_show, "layer"))


def _add_concepts(concepts: argparse.ArgumentParser) -> None:
    among = concepts.add_subparsers(metavar="COMMAND", required=True)
    add = _command(among, concepts_make)
    add("-o", "--output", metavar="CONCEPTS", type=Path, help="the concepts' folder (default: the one in use)")
    add("--layers", **LAYERS, help="only of these convolutions (default: all that have concepts)")
    _add_seed_and_device(add)
    _add_output(_command(among, concepts_show, "layer", "concept?"))


def _add_seed_and_device(add: Adder) -> None:
    add("--seed", metavar="N", help=f"{SETTING_OPTIONS['seed']} (default {cnnvis.Settings().seed})")
    add("--device", metavar="D", help="cuda or cpu (default: the GPU if there is one)")
    _add_workers(add)


def _add_workers(add: Adder) -> None:
    """The options that say where the making runs."""
    add("--workers", **WORKERS)
    add("--scheduler", metavar="TCP", help="use the Dask cluster at this address, tcp://HOST:PORT")
