"""What `python -m cnnvis sees` does; the docstring is its help."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

import cnnvis
from cnnvis.analysis.groups import FEWEST_GROUPS, MOST_GROUPS, find_groups
from cnnvis.analysis.places import check_places, direction_target, draw_mosaic, grid, look_up, places_of
from cnnvis.checks import asked_cell, whole_between
from cnnvis.cli.commands import encoded, report, watch_ascent
from cnnvis.maximization.ascent import ascend
from cnnvis.prepared.atlas import load_atlas

NAMED = 6  # channels of a place


def sees(options: argparse.Namespace) -> None:
    """Say what a layer sees at one place of a photo.

    Lists the six channels furthest above what is usual for them on the photo shelf,
    in their standard deviations. Places are counted on a grid of at most 28 × 28; by
    default it is the place where a channel is most unusual.

    --groups also lists channels that rise and fall together over the photo. --mosaic
    draws, at every place, the picture of its leading channel. --grow grows a picture
    of everything that stands out at the place; `maximize --like` repeats it.

      python -m cnnvis sees examples/chelsea.jpg conv5_1 --grow eyes.png
      python -m cnnvis sees examples/chelsea.jpg conv5_1 --row 4 --column 5
      python -m cnnvis sees examples/chelsea.jpg conv4_3 --groups 6 --mosaic m.jpg
    """
    net = cnnvis.load_vgg16()
    layer = check_places(net, options.layer)
    asked_cell(options.row, options.column, [grid(layer)] * 2)
    count = options.groups and whole_between("groups", options.groups, FEWEST_GROUPS, MOST_GROUPS)
    sheet = load_atlas().sheet(layer, net) if options.mosaic else None
    places = places_of(net, options.photo, layer)
    place = look_up(places, options.row, options.column, NAMED)
    record, lines = place.record(), list(_place(place))
    files: list[tuple[Path, Image.Image | bytes]] = []
    if count:
        found = find_groups(places, count)
        record["groups"] = found.record()
        lines += _groups(found)
    if sheet:
        mosaic = draw_mosaic(places, sheet.tile)
        record["mosaic"] = mosaic.record()
        files.append((options.mosaic, mosaic.picture))
    if options.grow:
        target = direction_target(net, layer.name, place.direction, f"place-{place.row}-{place.column}")
        snapshots = watch_ascent(ascend(net, [target], cnnvis.Settings(colour=place.colour)), None, keep=1)
        if not snapshots:
            raise KeyboardInterrupt
        record["grown"] = cnnvis.scored_record(net, snapshots[-1])
        files.append((options.grow, encoded(snapshots[-1].picture, options.grow, record["grown"])))
    report(options, record, "\n".join(lines), *files)


def _place(place: cnnvis.Dictionary) -> Iterator[str]:
    """The place, and a line for each of its channels."""
    left, top, right, bottom = place.box
    where = f"row {place.row} of {place.rows}, column {place.column} of {place.columns}"
    yield f"{place.layer}, {where} (px {left} to {right} across, {top} to {bottom} down)"
    for entry in place.channels:
        yield f"  channel {entry.channel:3} {entry.value:8.4g}, {entry.above:5.1f} deviations above usual"


def _groups(found: cnnvis.Groups) -> Iterator[str]:
    """A line for each group."""
    yield f"{len(found.groups)} groups, which explain {found.explained:.0%}"
    for number, group in enumerate(found.groups, 1):
        yield f"  group {number} {group.share:5.0%}: channels {', '.join(str(m.channel) for m in group.channels)}"
