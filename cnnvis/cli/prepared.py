"""What `python -m cnnvis shelf …`, `atlas …` and `concepts …` do; the docstrings are their help texts."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

import cnnvis
from cnnvis.checks import whole_between
from cnnvis.cli.commands import given, named, report
from cnnvis.cli.exports import encode_rows
from cnnvis.network.usual import atlas_folder, concepts_folder
from cnnvis.pictures.folders import shown
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.concepts import Concepts
from cnnvis.prepared.concepts_making import make_concepts
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.shelf_making import Made, make_shelf
from cnnvis.prepared.workers import MAX_WORKERS

LISTED = 20  # at most this many unreadable photos are named in the terminal, without --list-skipped
LISTED_CHANNELS = 6  # of a concept


def shelf_make(options: argparse.Namespace) -> None:
    """Index a folder of photos as a shelf.

    Every picture in FOLDER and its subfolders passes through the network once; links
    to folders are followed. The photos stay where they are. If it is interrupted, run
    it again, with more photos if you like: finished work is kept. To use the shelf on
    the page and in `shelf show`, set CNNVIS_SHELF to it.

      python -m cnnvis shelf make ~/Pictures -o my.shelf
      python -m cnnvis shelf make ~/Pictures -o my.shelf --workers 4
      python -m cnnvis shelf make /data -o my.shelf --scheduler tcp://10.0.0.7:8786
    """
    asked = given(options, "precision", "top") | _where(options)
    with tqdm(unit="photo", disable=None) as bar:  # no bar without a terminal

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        made = make_shelf(cnnvis.load_vgg16(), options.folder, options.output, progress=progress, **asked)
    lines = [f"{made.photos} photos indexed: {str(options.output)!r}", *_left_out(made, options.list_skipped)]
    names = {"unreadable": made.unreadable, "skipped": made.skipped}
    record = asdict(made) | {of: {shown(file): why for file, why in files.items()} for of, files in names.items()}
    report(options, record, "\n".join(lines))


def _left_out(made: Made, every: bool) -> list[str]:
    """What is not on the shelf, in lines: unreadable pictures by name; other files by reason or, if asked, by name."""
    unreadable, skipped = list(made.unreadable.items()), list(made.skipped.items())
    named = unreadable + skipped if every else unreadable[:LISTED]
    lines = [f"left out: {shown(file)}: {reason}" for file, reason in named]
    if len(made.unreadable) > LISTED and not every:
        lines.append(f"and {len(made.unreadable) - LISTED} more; --list-skipped names all")
    if made.skipped and not every:
        counts = Counter(made.skipped.values()).most_common()
        reasons = ", ".join(f"{count} × {reason}" for reason, count in counts)
        lines.append(f"left out besides: {reasons} (--list-skipped names them)")
    return lines


def shelf_show(options: argparse.Namespace) -> None:
    """Show the photos that excite a channel most.

    Draws the patch of each photo that the channel's largest value sees. With
    -o F.csv, writes a table instead: photo, cell, value, author, licence and source.

      python -m cnnvis shelf show conv5_3 17 -o arches.png
      python -m cnnvis shelf show conv5_1 170 --count 16 -o legs.csv
      CNNVIS_SHELF=my.shelf python -m cnnvis shelf show conv4_3 307 -o mine.png
    """
    target = named(options)
    sheet = cnnvis.exemplars(target.layer.name, target.number, **given(options, "count"))
    record, largest = sheet.record(), sheet.exemplars[0].value
    text = f"{target}, the top {len(sheet.exemplars)} of {sheet.photos} photos, largest value {largest:.4g}"
    file = encode_rows(record["exemplars"]) if options.output.suffix.lower() == ".csv" else sheet.picture
    report(options, record, text, (options.output, file))


def shelf_info(options: argparse.Namespace) -> None:
    """Describe the shelf in use.

    Its name and folder, how many photos it holds, and which weights made it.

      python -m cnnvis shelf info
    """
    shelf = load_shelf()
    about = {**shelf.about, "folder": str(shelf.folder)}
    report(options, about, "\n".join(f"{name.replace('_', ' '):15} {value}" for name, value in about.items()))


def atlas_make(options: argparse.Namespace) -> None:
    """Grow the picture of every channel.

    A layer is written as soon as it is complete, as LAYER.webp and LAYER.json in the
    folder. If it is interrupted, run it again: finished work is kept.
    To use the atlas on the page and in `atlas show`, set CNNVIS_ATLAS to the folder.

      python -m cnnvis atlas make -o my.atlas --layers conv5_2 conv5_3 --workers 2
      python -m cnnvis atlas make -o my.atlas --scheduler tcp://10.0.0.7:8786
    """
    _make_layers(options, make_atlas, options.output or atlas_folder(), "picture")


def _make_layers(options: argparse.Namespace, make: Callable[..., list[str]], folder: Path, unit: str) -> None:
    """Make what a folder holds layer by layer, and report the layers; the progress bar counts `unit`s."""
    asked = given(options, "layers", "seed") | _where(options)
    with bar(unit) as progress:
        made = make(cnnvis.load_vgg16(options.device), folder=folder, progress=progress, **asked)
    report(options, {"folder": str(folder), "layers": made}, f"{', '.join(made)}: {str(folder)!r}")


def atlas_show(options: argparse.Namespace) -> None:
    """Save a layer's sheet from the atlas in use.

    It shows the picture of every channel, grown ahead of time.

      python -m cnnvis atlas show conv5_3 -o conv5_3.png
    """
    sheet = cnnvis.atlas_sheet(options.layer)
    text = f"{sheet.channels} pictures of {sheet.layer}, in {sheet.columns} columns"
    report(options, sheet.record(), text, (options.output, sheet.picture))


def concepts_make(options: argparse.Namespace) -> None:
    """Find the concepts of deep layers over the photo shelf in use.

    A concept is a direction: channels that speak together in many photos. Each layer
    is written as LAYER.safetensors, LAYER.webp and LAYER.json in the folder. If it is
    interrupted, run it again: finished work is kept. To use the concepts on the page
    and in `concepts show`, set CNNVIS_CONCEPTS to the folder.

      python -m cnnvis concepts make -o my.concepts --workers 2
      CNNVIS_SHELF=my.shelf python -m cnnvis concepts make -o mine --layers conv5_3
    """
    _make_layers(options, make_concepts, options.output or concepts_folder(), "piece")


def concepts_show(options: argparse.Namespace) -> None:
    """Show a layer's concepts, or one of them.

    Saves the sheet with every concept's picture or, with a number, its own. The
    record has the channels, photos and direction of each; a direction can be grown.

      python -m cnnvis concepts show conv5_3 -o concepts.png
      python -m cnnvis concepts show conv5_3 12 -o concept.png
    """
    found = cnnvis.concepts(options.layer)
    if options.concept is None:
        lines = [f"{len(found.concepts)} concepts of {found.layer}, in {found.columns} columns", *_listed(found)]
        return report(options, found.record(), "\n".join(lines), (options.output, found.picture))
    concept = found[options.concept]
    record = found.record([concept])
    report(options, record, list(_listed(found))[concept.concept], (options.output, found.tile(concept.concept)))


def _listed(found: Concepts) -> Iterator[str]:
    """A line for each concept."""
    for concept in found.concepts:
        named = ", ".join(str(member.channel) for member in concept.channels[:LISTED_CHANNELS])
        measures = f"coherence {concept.coherence:.2f}, stability {concept.stability:.2f}"
        vague = ", vague" if concept.vague else ""
        yield f"  concept {concept.concept:2} {concept.share:5.1%}, {measures}{vague}: channels {named}"


@contextmanager
def bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, if there is a terminal: a function to call with what is done and the total."""
    with tqdm(unit=unit, disable=None, smoothing=0.05) as bar:

        def progress(done: int, of: int) -> None:
            if not bar.total:  # earlier work counts as done, but not towards the rate
                bar.reset(of)
                bar.initial = bar.n = done
            bar.update(done - bar.n)

        yield progress


def _where(options: argparse.Namespace) -> dict[str, Any]:
    """Where the making runs, checked before anything is written. Raises SettingError."""
    asked = given(options, "workers", "scheduler")
    if "workers" in asked:
        asked["workers"] = whole_between("workers", asked["workers"], 0, MAX_WORKERS)
    return asked
