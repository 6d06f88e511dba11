"""What `python -m cnnvis shelf …` and `atlas …` do; the docstrings are their help."""

import argparse
from dataclasses import asdict

from tqdm import tqdm

import cnnvis
from cnnvis.cli.commands import given, named, report, whole_numbers
from cnnvis.cli.exports import encode_rows
from cnnvis.network.usual import atlas_folder
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.shelf_making import make_shelf

LISTED = 20  # unreadable photos that are named on the terminal


def shelf_make(options: argparse.Namespace) -> None:
    """Index a folder of photos as a shelf.

    Every picture in FOLDER and below passes the network once. The photos stay where
    they are. If it is interrupted, start it again: what is done is kept.
    Set CNNVIS_SHELF to the shelf to use it on the page and in `shelf show`.

      python -m cnnvis shelf make ~/Pictures -o my.shelf
      python -m cnnvis shelf make ~/Pictures -o my.shelf --workers 4
      python -m cnnvis shelf make /data -o my.shelf --scheduler tcp://10.0.0.7:8786
    """
    asked = given(options, "precision", "scheduler") | whole_numbers(options, "workers", "top")
    with tqdm(unit="photo", disable=None) as bar:  # no bar without a terminal

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        made = make_shelf(cnnvis.load_vgg16(), options.folder, options.output, progress=progress, **asked)
    lines = [f"{made.photos} photos indexed: {str(options.output)!r}"]
    lines += [f"left out: {file}: {reason}" for file, reason in list(made.unreadable.items())[:LISTED]]
    if len(made.unreadable) > LISTED:
        lines.append(f"and {len(made.unreadable) - LISTED} more; --json lists all")
    report(options, asdict(made), "\n".join(lines))


def shelf_show(options: argparse.Namespace) -> None:
    """Show the photos that excite a channel most.

    A patch of each photo, as large as what one value of the map sees; or, for -o
    F.csv, a table: photo, place, value, author, licence and source of each.

      python -m cnnvis shelf show conv5_3 17 -o arches.png
      python -m cnnvis shelf show conv5_1 170 --count 16 -o legs.csv
      CNNVIS_SHELF=my.shelf python -m cnnvis shelf show conv4_3 307 --count 16 -o mine.png
    """
    target = named(options)
    found = cnnvis.exemplars(target.layer.name, target.number, **given(options, "count"))
    strongest = f"{found.exemplars[0].value:.4g}"
    text = f"{found.layer} channel {found.channel}, the best {len(found.exemplars)} of {found.photos} photos"
    rows = found.record()["exemplars"]
    file = encode_rows(rows) if options.output.suffix.lower() == ".csv" else found.picture
    report(options, found.record(), f"{text}, at most {strongest}", (options.output, file))


def shelf_info(options: argparse.Namespace) -> None:
    """Describe the shelf in use.

    python -m cnnvis shelf info
    """
    shelf = load_shelf()
    about = {**shelf.about, "folder": str(shelf.folder)}
    report(options, about, "\n".join(f"{name.replace('_', ' '):15} {value}" for name, value in about.items()))


def atlas_make(options: argparse.Namespace) -> None:
    """Grow the picture of every channel.

    A layer is written as soon as it is whole: LAYER.webp and LAYER.json in the
    folder. If it is interrupted, start it again: what is done is kept.
    Set CNNVIS_ATLAS to the folder to use it on the page and in `atlas show`.

      python -m cnnvis atlas make -o my.atlas --layers conv5_2 conv5_3 --workers 2
      python -m cnnvis atlas make -o my.atlas --scheduler tcp://10.0.0.7:8786
    """
    asked = given(options, "layers", "seed", "scheduler") | whole_numbers(options, "workers")
    folder = options.output or atlas_folder()
    with tqdm(unit="picture", disable=None, smoothing=0.05) as bar:  # no bar without a terminal

        def progress(done: int, of: int) -> None:
            if not bar.total:  # what was done before counts as done, but not for the rate
                bar.reset(of)
                bar.initial = bar.n = done
            bar.update(done - bar.n)

        made = make_atlas(cnnvis.load_vgg16(options.device), folder=folder, progress=progress, **asked)
    report(options, {"folder": str(folder), "layers": made}, f"{', '.join(made)}: {str(folder)!r}")


def atlas_show(options: argparse.Namespace) -> None:
    """Save the sheet of a layer: the picture of every channel, grown ahead.

    python -m cnnvis atlas show conv5_3 -o conv5_3.png
    """
    sheet = cnnvis.atlas_sheet(options.layer)
    text = f"{sheet.channels} pictures of {sheet.layer}, in {sheet.columns} columns"
    report(options, sheet.record(), text, (options.output, sheet.picture))
