"""The shelf's photos of a channel: patches that open large, weaker ones, and one photo large with its credit."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnvis.network.architecture import Target
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.shelf import Exemplar, Spread
from cnnvis.views.figures import written
from cnnvis.views.html import Address, image_at, quiet

BEST_PHOTOS = 9  # of a channel
UNCUT_PX = 112  # side of a photo that is shown uncut


def credit(about: Mapping[str, Any]) -> str:
    """A photo's title, author and licence, as far as they are known."""
    by = ", ".join(filter(None, (about.get("author"), about.get("licence"))))
    title = about.get("title") or "a photo of this shelf"
    return f"{title} ({by})" if by else title


def photo_figures(tiles: Iterable[tuple[Exemplar, Address]], asks: str, spec: str = ".1f") -> str:
    """Photos with the addresses of their pictures, as buttons with the value below; `asks` is what they ask for."""
    numbered = enumerate(tiles)
    return "".join(_figure(exemplar, url, f'data-{asks}="{number}"', spec) for number, (exemplar, url) in numbered)


def _figure(exemplar: Exemplar, url: Address, asks: str, spec: str) -> str:
    by, value = credit(vars(exemplar)), written(exemplar.value, spec)
    label = html.escape(f"{by}; value {value} ({written(exemplar.deviations, '+.1f')} standard deviations from usual)")
    button = f'<button type="button" {asks} title="{label}" aria-label="{label}">{image_at(url)}</button>'
    return f"<figure>{button}<figcaption>{value}</figcaption></figure>"


def exemplar_row(name: str, tiles: Sequence[tuple[Exemplar, Address]], photos: int) -> str:
    """The best photos of `photos` for a channel or concept, with their addresses, as buttons that choose one."""
    head = f"<strong>The {len(tiles)} of {photos} photos that excite {name} most</strong>."
    if tiles[0][0].value <= 0:
        head = f"<strong>None of {photos} photos excites {name}</strong>; these come closest."
    note = "Choose one to see why."
    return f'<p>{head} {note}</p><div class="patches">{photo_figures(tiles, "photo", ".2f")}</div>'


def weaker_photos(target: Target, maxima: Spread, pictures: Sequence[tuple[str, str]], photos: int) -> str:
    """Photos at some percentiles of a channel's maxima, and the histogram of all `photos`.

    `pictures` has the address and the credit of each; an address is "" where the photo cannot be opened.
    """
    figures = ""
    for percentile, value, (url, about) in zip(maxima.percentiles, maxima.values, pictures, strict=True):
        picture = image_at(url, about, title=about) or "<p>photo unavailable</p>"
        name = "strongest" if percentile == 100 else f"{percentile}th percentile"
        figures += f"<figure>{picture}<figcaption>{name}: {written(value, '.2f')}</figcaption></figure>"
    reach = f"from {written(maxima.low, '.1f')} to {written(maxima.high, '.1f')}"
    words = f"The largest value of {target} on each of {photos} photos, {reach}"
    return f'<div class="patches whole">{figures}</div>{_histogram(maxima.counts, words)}{quiet(f"{words}.")}'


def _histogram(counts: list[int], words: str) -> str:
    """Bars as an SVG."""
    bars = ""
    for i, count in enumerate(counts):
        high = 100 * count / max(counts)
        bars += f'<rect x="{10 * i}" y="{100 - high:.1f}" width="9" height="{high:.1f}"/>'
    box = f'viewBox="0 0 {10 * len(counts)} 100" preserveAspectRatio="none"'
    return f'<svg class="histogram" {box} role="img" aria-label="{words}">{bars}</svg>'


def large_photo(name: str, exemplar: Exemplar, rank: int, photos: int, pictures: Mapping[str, str]) -> str:
    """A photo of the shelf, large, with its credit; what excites the channel most is outlined.

    `pictures` are addresses of square views of all that the network sees of it, by words; `rank` counts from 1.
    """
    left, top, right, bottom = (100 * edge / PHOTO_SIDE for edge in exemplar.box)
    style = f"left: {left:.1f}%; top: {top:.1f}%; width: {right - left:.1f}%; height: {bottom - top:.1f}%"
    shown = ""
    for words, url in pictures.items():
        outlined = f'{image_at(url, f"{exemplar.title}, {words}")}<i class="outline" style="{style}"></i>'
        shown += f"<figure><div>{outlined}</div><figcaption>{words}</figcaption></figure>"
    most = "excites it most" if rank == 1 else f"is number {rank}"
    by, source = html.escape(credit(vars(exemplar))), html.escape(exemplar.source)
    link = f' <a href="{source}" target="_blank" rel="noopener">Source</a>' if source.startswith("https://") else ""
    return f"""<h2>{name}</h2><div class="large-views">{shown}</div>
<p>Of {photos} photos this one {most}: {written(exemplar.value, ".1f")} at the centre of the outlined piece, which is
all that this one value depends on.</p><p class="quiet">{by}.{link}</p>
<p class="next"><button type="button" data-photo="{rank - 1}" data-go="maps">Why there?</button></p>"""
