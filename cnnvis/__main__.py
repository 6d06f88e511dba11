"""Look inside VGG16: its filters, what they answer to a photo, what excites them most.

The weights come with cnnvis. The environment variable CNNVIS_WEIGHTS names another
file (.safetensors, or torchvision's .pth) or says hub.

Exit codes: 0; 2 after one line about what is wrong; 130 after Ctrl-C.
"""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cnnvis
from cnnvis.commands import SETTINGS, filters, info, layers, maps, maximize, overlay_path, score
from cnnvis.errors import CnnvisError, SettingError
from cnnvis.features import CONTRASTS, ORDERS, PIPELINES
from cnnvis.filters import VIEWS
from cnnvis.recipes import CHOICES
from cnnvis.weights import pick_device

ARGUMENTS = {  # PHOTO and PICTURE say what they are
    "layer": "a name that `layers` lists, as conv3_1 (or features.10, 10, block3_conv1); class for whole classes",
    "channel": "its number in the layer, from 0; of class also a name, as goldfish",
}
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SUFFIXES: Mapping[str, tuple[str, ...]] = {"output": PICTURES, "overlay": PICTURES, "animation": (".gif",), "json": ()}


def _check_files(options: argparse.Namespace) -> None:
    """Raise SettingError, before any work, for a file that cannot be written or would overwrite another of these."""
    given = vars(options)
    files = {name: Path(given[name]) for name in SUFFIXES if given.get(name) not in (None, "-")}
    if options.run is maps and options.channel is not None:
        files["overlay"] = overlay_path(options.output)
    inputs = (given[name] for name in ("photo", "picture", "start", "like") if given.get(name))
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
            name, optional = name.removesuffix("?"), name.endswith("?")
            kind: dict[str, Any] = {"nargs": "?"} if optional else {}
            made.add_argument(name, metavar=name.upper(), help=ARGUMENTS.get(name), **kind)
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
    add = command(maximize, "layer?", "channel?")
    default, limits = cnnvis.Ascent(), cnnvis.limits(pick_device())
    add("--recipe", metavar="R", help=f"{', '.join(cnnvis.RECIPES)} (default {default.recipe})")
    for name, text in SETTINGS.items():
        allowed = ", ".join(CHOICES[name]) if name in CHOICES else "{} to {}".format(*limits[name])
        text += f" ({allowed}; default {getattr(default, name)})"
        add(f"--{name}", metavar="O" if name in CHOICES else "N", help=text)
    add("--start", metavar="PHOTO", help="grow from this photo instead of from noise")
    add("--like", metavar="F.png", help="a PNG made here, whose experiment to repeat")
    add("-o", "--output", **to)
    add("--animation", metavar="F.gif", type=Path, help="the way up as an animation")
    command(score, "picture", "layer?", "channel?")
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
