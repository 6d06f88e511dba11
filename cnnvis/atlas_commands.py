"""What `python -m cnnvis atlas …` does; the docstrings are its help."""

import argparse

from tqdm import tqdm

import cnnvis
from cnnvis.cli.commands import given, report, whole
from cnnvis.network.weights import atlas_folder
from cnnvis.prepared.atlas_making import make_atlas


def make(options: argparse.Namespace) -> None:
    """Grow the picture of every channel.

    A layer is written as soon as it is whole: LAYER.webp and LAYER.json in the
    folder. If it is interrupted, start it again: what is done is kept.
    Set CNNVIS_ATLAS to the folder to use it on the page and in `atlas show`.

      python -m cnnvis atlas make -o my.atlas --layers conv5_2 conv5_3 --workers 2
      python -m cnnvis atlas make -o my.atlas --scheduler tcp://10.0.0.7:8786
    """
    asked = given(options, "layers", "seed", "scheduler") | whole(options, "workers")
    folder = options.output or atlas_folder()
    with tqdm(unit="picture", disable=None, smoothing=0.05) as bar:  # no bar without a terminal

        def progress(done: int, of: int) -> None:
            if not bar.total:  # what was done before counts as done, but not for the rate
                bar.reset(of)
                bar.initial = bar.n = done
            bar.update(done - bar.n)

        made = make_atlas(cnnvis.load_vgg16(options.device), folder=folder, progress=progress, **asked)
    report(options, {"folder": str(folder), "layers": made}, f"{', '.join(made)}: {str(folder)!r}")


def show(options: argparse.Namespace) -> None:
    """Save the sheet of a layer: the picture of every channel, grown ahead.

    python -m cnnvis atlas show conv5_3 -o conv5_3.png
    """
    sheet = cnnvis.atlas_sheet(options.layer)
    text = f"{sheet.channels} pictures of {sheet.layer}, in {sheet.columns} columns"
    report(options, sheet.record(), text, (options.output, sheet.picture))
