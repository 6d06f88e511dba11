"""What `python -m cnnvis card` does; the docstring is its help."""

import argparse

import cnnvis
from cnnvis.cli.commands import given, named, report
from cnnvis.version import __version__


def card(options: argparse.Namespace) -> None:
    """Write a card: one filter, or one place of a photo, as a file that needs no server.

    The HTML file contains everything: the picture grown for the filter, the photos that
    excite it most with their credits, and its kernels. It opens anywhere, also without
    network; its <figure> alone can be pasted into a page of your own, more than once.

    --photo lays the filter's map over a photo of yours and puts it in. --place shows
    what the layer sees at one place of a photo, counted as in `sees`. With --live, the
    card's pictures are links to the page at that address.

      python -m cnnvis card conv5_1 260 -o card.html
      python -m cnnvis card conv5_1 260 --photo examples/chelsea.jpg -o card.html
      python -m cnnvis card conv5_1 --place examples/chelsea.jpg 4 5 -o eye.html
    """
    asked = given(options, "theme", "live", "photo", "place")
    if options.place:
        made = cnnvis.card(options.layer, options.channel, **asked)
    else:
        target = named(options)
        made = cnnvis.card(target.layer.name, target.number, **asked)
    file = made.html.encode()
    record = {"card": made.name, "bytes": len(file), "cnnvis": __version__}
    report(options, record, f"a card of {made.name}, {len(file) // 1000} kB", (options.output, file))
