"""What VGG16 sees in a photo: at its most unusual place, in groups, and all over it.

    PYTHONPATH=. python examples/sees.py [PHOTO] [FOLDER]

Pictures are saved in FOLDER. No page has to run: this uses the engine itself, for about ten seconds on two cores. Where
cnnvis is installed, it needs no PYTHONPATH.
"""

import sys
from pathlib import Path

import cnnvis

PHOTO = Path(__file__).parent / "chelsea.jpg"
LAYER = "conv5_1"  # deep enough for parts of things: eyes, muzzles, folds of cloth


def main(photo: str | Path = PHOTO, folder: str = "sees-pictures") -> None:
    """Ask for the dictionary of a place, the groups and the mosaic, and grow what the place shows."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    net = cnnvis.load_vgg16()

    place = cnnvis.dictionary(net, photo, LAYER)
    print(f"row {place.row}, column {place.column} of {place.rows} × {place.columns} places; px {place.box}")
    for entry in place.channels:
        print(f"  channel {entry.channel:3}, {entry.above:.1f} deviations above what is usual for it")
        cnnvis.exemplars(LAYER, entry.channel).save(out / f"photos-{entry.channel}.png")  # what else excites it

    groups = cnnvis.groups(net, photo, LAYER)
    groups.save(out / "groups.png")
    for number, group in enumerate(groups.groups, 1):
        print(f"group {number}, {group.share:.0%}: channels {[member.channel for member in group.channels]}")

    cnnvis.mosaic(net, photo, LAYER).save(out / "mosaic.jpg")

    *_, last = cnnvis.maximize(net, LAYER, place.direction, colour=place.colour)  # all that stands out there, as one
    last.save(out / "place.png")
    print(f"grown in {last.seconds:.1f} s; robust activation {cnnvis.scored_record(net, last)['robust']:.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
