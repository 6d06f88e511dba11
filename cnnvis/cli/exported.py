"""What `python -m cnnvis card` and `site` do; the docstrings are their help."""

import argparse

import cnnvis
from cnnvis.cli.commands import given, named, report
from cnnvis.cli.prepared import bar
from cnnvis.version import __version__


def card(options: argparse.Namespace) -> None:
    """Write a card: a filter, a concept or a place, as a file that needs no server.

    The HTML file contains everything: the picture grown for the filter, the photos that
    excite it most with their credits, and its kernels. It opens anywhere, also without
    network; its <figure> alone can be pasted into a page of your own, more than once.

    --photo lays the filter's map over a photo of yours and puts it in. --place shows
    what the layer sees at one place of a photo, counted as in `sees`; --concept shows
    one of the layer's concepts. With --live, the card's pictures are links to the page
    at that address.

      python -m cnnvis card conv5_1 260 -o card.html
      python -m cnnvis card conv5_1 260 --photo examples/chelsea.jpg -o card.html
      python -m cnnvis card conv5_1 --place examples/chelsea.jpg 4 5 -o eye.html
      python -m cnnvis card conv5_3 --concept 3 -o concept.html
    """
    asked = given(options, "theme", "live", "photo", "place", "concept")
    if options.place or options.concept is not None:
        made = cnnvis.card(options.layer, options.channel, **asked)
    else:
        target = named(options)
        made = cnnvis.card(target.layer.name, target.number, **asked)
    file = made.html.encode()
    record = {"card": made.name, "bytes": len(file), "cnnvis": __version__}
    report(options, record, f"a card of {made.name}, {len(file) // 1000} kB", (options.output, file))


def site(options: argparse.Namespace) -> None:
    """Write a site: the wall, every filter, photos and the quiz for any static host.

    The folder works under any path, without a server of ours: on GitHub Pages, as a
    static Space, or from any web server. Its links are those of the page. What needs
    computing, growing and a visitor's own photo, is left to the page that --live
    names. If it is interrupted, run it again: finished layers are kept.

      python -m cnnvis site -o site --workers 2
      python -m cnnvis site -o site --layers conv3_1 conv5_1 --photos examples
    """
    asked = given(options, "layers", "photos", "live", "workers")
    with bar("part") as progress:
        layers = cnnvis.make_site(options.output, progress=progress, **asked)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    record = {"folder": str(options.output), "layers": layers, "bytes": size, "cnnvis": __version__}
    report(options, record, f"{', '.join(layers)}, {size / 1e6:.1f} MB: {str(options.output)!r}")
