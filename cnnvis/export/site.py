"""A site: wall, filters, photos and quiz as a folder of files for any static host, at any path.

Everything is drawn by `views/`, as on the page. Pictures are cut by CSS from the sheets and photos in the folder.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cnnvis.analysis.filters import draw_filters
from cnnvis.analysis.maps import compute_maps, draw_sheet
from cnnvis.analysis.places import check_places, draw_mosaic, find_places
from cnnvis.analysis.why import trace
from cnnvis.errors import SettingError
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE, PICTURE_SUFFIXES, crop_like_training, encode, smaller
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.atlas import load_atlas
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.unfinished import held, write_whole
from cnnvis.prepared.workers import check_where, run
from cnnvis.version import __version__
from cnnvis.views import site
from cnnvis.views.known import Source
from cnnvis.views.question import quizzes
from cnnvis.views.still import check_live

VERSION = 1  # of the way a site is made
OUTPUTS = ("site.json", "index.html")
PHOTOS = ("chelsea.jpg", "coffee.jpg")  # the two examples shown by default
_PACKED = Path(__file__).parents[1] / "examples"  # where the wheel has them
EXAMPLES = _PACKED if _PACKED.is_dir() else Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Part:
    """A piece of the making: one layer, or with "" what they share; plain values, for another process."""

    folder: Path
    work: Path  # where files lie until they are complete
    layer: str
    layers: tuple[str, ...]
    photos: tuple[Path, ...]  # the given ones
    live: str
    plan: str  # the sha256 of all that the result depends on

    @property
    def record(self) -> Path:
        """The file that says that this part is complete."""
        return self.folder / "wall" / f"{self.layer or 'shared'}.json"

    def made(self) -> dict[str, Any]:
        """What an earlier making has said of it; nothing if it is not complete, or not the same."""
        try:
            record = dict(json.loads(self.record.read_text(encoding="utf-8")))
            return record if record["plan"] == self.plan else {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}

    def put(self, name: str, content: bytes) -> str:
        """Write a file of the site, whole or not at all, and return its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.work, path, content)
        return name

    def finish(self, **record: Any) -> None:
        """Say that this part is complete."""
        self.put(f"wall/{self.record.name}", json.dumps({"plan": self.plan, **record}).encode())


def make_site(
    folder: str | Path,
    layers: Sequence[str] | None = None,
    photos: Iterable[str | Path] = (),
    *,
    live: str = "",
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Write a site to a folder: the wall of every convolution, its filters, what it sees in the photos, and the quiz.

    `layers` are the convolutions to show (all 13), `photos` files of photos, or folders (two examples). `live` is the
    address of a page where a picture can be grown. Interrupted, it goes on where it was. Returns the layers' names.
    Raises LayerError, SettingError, PhotoError, AtlasError, ShelfError, UnavailableError.
    """
    net, workers, live, shelf = load_vgg16(), check_where(workers, None), check_live(live), load_shelf()
    names = [check_places(net, name).name for name in layers or net.architecture.convolutions]
    given = _files(photos or [EXAMPLES / name for name in PHOTOS])
    digests = [hashlib.sha256(open_photo(photo).tobytes()).hexdigest() for photo in given]
    made_of = [VERSION, __version__, tensors_sha256(net), digests, [photo.name for photo in given], live, shelf.about]
    target = Path(folder)
    with held(target, OUTPUTS) as work:
        parts = []
        for name in ["", *sorted(names, key=lambda name: -net.architecture.find(name).channels)]:
            plan = hashlib.sha256(json.dumps([*made_of, name or names]).encode()).hexdigest()
            parts.append(Part(target.absolute(), work.absolute(), name, tuple(names), tuple(given), live, plan))
        todo = [part for part in parts if not part.made()]
        for done, _ in enumerate(run(make_part, todo, workers), len(parts) - len(todo) + 1):
            if progress:
                progress(done, len(parts))
        walls = {part.layer: part.made() for part in parts}
        page = site.index_page([walls[name] for name in names], [photo.name for photo in given], live)
        record = {"weights_sha256": tensors_sha256(net), "cnnvis": __version__, "layers": names, "live": live}
        parts[0].put("site.json", json.dumps(record).encode())
        parts[0].put("index.html", page.encode())
    return names


def _files(photos: Iterable[str | Path]) -> list[Path]:
    """The files of photos, also of those in folders. Raises SettingError."""
    files = []
    for path in map(Path, photos):
        inside = sorted(path.iterdir()) if path.is_dir() else []
        files += [file for file in inside if file.suffix.lower() in PICTURE_SUFFIXES] if inside else [path]
    if not files:
        raise SettingError("there are no photos in that folder: name others, or none for two examples.")
    if len({file.name for file in files}) < len(files):
        raise SettingError("two of the photos have one name, and links could not tell them apart: rename one.")
    return [file.absolute() for file in files]


def make_part(part: Part) -> None:
    """Make one part of a site."""
    _layer(part) if part.layer else _shared(part)


def _shared(part: Part) -> None:
    """What several layers show: all photos as the network sees them, their credits, and pictures for rows of them.

    A filter may read a layer that is not shown.
    """
    net, shelf, shown = load_vgg16(), load_shelf(), set()
    for layer in map(net.architecture.find, part.layers):
        found = site.concepts_in(net, layer)
        for index in (shelf.layer(layer), *([found.index] if found else [])):
            shown |= {*index["photo"].flatten().tolist(), *index["low"].flatten().tolist()}
    for number in sorted(shown):
        part.put(site.file("photo", number), encode(shelf.open(number), "webp", quality=82))
    for number, photo in enumerate(part.photos):
        part.put(site.file("given", number), encode(crop_like_training(open_photo(photo)), "webp", quality=90))
    for layer in map(net.architecture.find, net.architecture.convolutions):
        part.put(site.file("half", layer.name), smaller(load_atlas().sheet(layer, net).picture, site.HALF))
    part.put("credits.html", site.credits_page([shelf.photos[number] for number in sorted(shown)]).encode())
    part.finish()


def _layer(part: Part) -> None:
    """All of one layer: what the wall shows, the view of every channel, the places of the photos, and the quiz."""
    net = load_vgg16()
    layer, source = net.architecture.find(part.layer), site.source(net)
    found = site.concepts_in(net, layer)
    views = {number: site.channel_view(source, layer, number, part.live, found) for number in range(layer.channels)}
    for first in range(0, layer.channels, site.TOGETHER):
        some = {number: views[number] for number in range(first, min(first + site.TOGETHER, layer.channels))}
        part.put(site.file("views", layer.name, first // site.TOGETHER), packed(some))
    part.put(site.file("quiz", layer.name), packed(quizzes(source, layer, partial(site.photo_piece, layer=layer))))
    maps = [_seen(part, source, layer, number) for number in range(len(part.photos))]
    kernels = draw_filters(net, layer, "auto", 0)
    drawn = site.kernels_lens(part.put(site.file("kernels", layer.name), encode(kernels.picture)), kernels)
    lenses: dict[str, Any] = {"pictures": _pictures(part, source, layer), "kernels": drawn, "maps": maps}
    if found:
        part.put(site.file("concept views", layer.name), packed(site.concept_views(source, found, part.live)))
        file = part.put(site.file("concepts", layer.name), encode(found.picture, "webp", quality=90))
        lenses["concepts"] = site.concepts_lens(file, found)
    part.finish(name=layer.name, channels=layer.channels, lenses=lenses)


def _pictures(part: Part, source: Source, layer: Layer) -> dict[str, Any]:
    """The atlas's sheet as it is stored, and one that is seen first."""
    sheet, words = source.sheet(layer), f"The {layer.channels} filters of {layer.name}: what each looks for"
    small = part.put(site.file("small", layer.name), smaller(sheet.picture, site.SMALL))
    return site.lens(part.put(site.file("sheet", layer.name), load_atlas().webp(layer)), sheet, words, small=small)


def _seen(part: Part, source: Source, layer: Layer, number: int) -> dict[str, Any]:
    """What a layer sees in a given photo, written to files; return the lens of its maps."""
    photo = open_photo(part.photos[number])
    maps = compute_maps(source.net, photo, [layer], "network")[0]
    places = find_places(source.net, maps)
    mosaic = draw_mosaic(places, source.sheet(layer).tile).picture.resize((2 * PHOTO_SIDE, 2 * PHOTO_SIDE))
    file = part.put(site.file("mosaic", number, layer.name), encode(mosaic, "jpeg", quality=80))
    seen = site.seen(source, places, trace(source.net, photo, layer), number)
    part.put(site.file("seen", number, layer.name), packed({**seen, "mosaic": file}))
    drawn = draw_sheet(maps, "index", "map")
    file = part.put(site.file("maps", number, layer.name), encode(drawn.picture, "jpeg"))
    return site.lens(file, drawn, f"The {drawn.channels} maps of {layer.name} on the photo")


def packed(value: object) -> bytes:
    """Plain values as JSON, compressed; the same values give the same bytes."""
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0)
