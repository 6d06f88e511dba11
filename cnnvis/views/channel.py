"""Everything about one filter: its picture beside the photos that excite it, its map on a photo, and its wiring."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from cnnvis.network.architecture import Target
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.prepared.shelf import Exemplar
from cnnvis.views.exemplars import photo_figures
from cnnvis.views.figures import written
from cnnvis.views.html import Address, image_at

NEXT = (
    ("maximize", "Grow it live", "data-start"),
    ("maps", "Where on my photo?", ""),
    ("filters", "Its weights", ""),
)


@dataclass(frozen=True)
class Best:
    """The photos of a shelf that excite a channel most, with the addresses of their patches."""

    tiles: Sequence[tuple[Exemplar, Address]]
    photos: int  # on the shelf


@dataclass(frozen=True)
class Own:
    """A visitor's photo with a channel's map laid over it."""

    url: str
    whose: str
    value: float  # its largest
    stronger: tuple[int | None, int] | None  # how many photos of how many excite it more


@dataclass(frozen=True)
class Channel:
    """What is known of a convolution's channel; a sentence stands for what is not, and says why."""

    target: Target
    grown: tuple[AtlasSheet, Address] | str  # its sheet of the atlas, and the picture's address
    best: Best | str
    rows: tuple[str, str]  # what it reads and what reads it, as HTML

    def view(self, own: Own | str = "", concepts: str = "") -> str:
        """Everything about it on one screen, as HTML; `concepts` are those that it takes part in."""
        parts = [_grown(self.target, self.grown), best_photos(self.best), own_photo(str(self.target), own)]
        buttons = (f'<button type="button" data-go="{tab}" {start}>{label}</button>' for tab, label, start in NEXT)
        return f"""<h3 class="visually-hidden">{self.target}</h3>{look(parts)}<p class="next">{"".join(buttons)}</p>
<div class="two"><section><h4>It reads <small>+ excites it, − inhibits it</small></h4>{self.rows[0]}</section>
<section><h4>Read by <small>in the next layer</small></h4>{self.rows[1]}</section></div>{concepts}"""


Part = tuple[str, str]  # what is shown, as HTML, and what to say of it


def look(parts: Sequence[Part]) -> str:
    """A picture beside nine photos and the visitor's own, and below them in words what these are."""
    (picture, _), (nine, _), (mine, _) = parts
    words = " ".join(filter(None, (about for _, about in parts)))
    beside = f'<div class="nine">{nine}{mine}</div><p class="quiet">{words}</p>'
    return f'<div class="look">{picture}<div>{beside}</div></div>'


def grown_picture(name: str, url: Address) -> str:
    """The picture at an address, which opens large."""
    picture = image_at(url, f"the picture grown to activate {name}")
    button = f'<button type="button" data-large="grown" title="What this picture is">{picture}</button>'
    return f'<figure class="grown">{button}</figure>'


def _grown(target: Target, grown: tuple[AtlasSheet, Address] | str) -> Part:
    """The atlas's picture, and what to say of it."""
    if isinstance(grown, str):
        return "", html.escape(grown)
    sheet, url = grown
    fires = sheet.tiles[target.number].fires
    words = "The large picture was grown by a computer." if fires else "No grown picture makes this filter fire."
    return grown_picture(str(target), url), words


def best_photos(best: Best | str) -> Part:
    """The photos that excite it most, which open large, and what to say of them."""
    if isinstance(best, str):
        return "", html.escape(best)
    few = "nine" if len(best.tiles) == 9 else len(best.tiles)
    words = f"The photos are the {few} of {best.photos} that excite it most, cut to what one value sees"
    return photo_figures(best.tiles, "large"), f"{words}; below each, that value."


def own_photo(name: str, own: Own | str, kind: str = "filter", asks: str = ": see why") -> Part:
    """The visitor's photo with the map of `name`, a `kind`, laid over it, and how it compares with the shelf's."""
    if isinstance(own, str):
        return "", html.escape(own)
    where = f"lit where the {kind} responds" if own.value > 0 else "where it does not respond at all"
    rank = ""
    if own.stronger is not None:
        more, photos = own.stronger
        rank = f"; {more or 'none'} of the {photos} photos excite it more"
        if more is None:
            rank = f"; among the strongest of the {photos} photos"
    lit = image_at(own.url, f"where {name} responds on {own.whose}")
    button = f'<button type="button" data-go="maps" title="{own.whose}{asks}">{lit}</button>'
    caption = f"<figcaption>{written(own.value, '.1f')}</figcaption>"
    return f'<figure class="own">{button}{caption}</figure>', f"Last: {own.whose}, {where}{rank}."


def large_picture(target: Target, sheet: AtlasSheet, url: Address) -> str:
    """The atlas's picture of a channel, large, and what it is."""
    tile = sheet.tiles[target.number]
    fires, robust = " The filter's map stays below zero everywhere on it: this filter never fires.", ""
    if tile.fires:
        fires, robust = "", f", {written(tile.robust, '.1f')} on copies that are turned, scaled, cropped and compressed"
    together = len(tile.batch) - 1
    grown = f"recipe {sheet.recipe}, seed {tile.seed}, together with {together} other filters of the layer"
    return f"""<h2>{target}</h2>
<div class="large-views"><figure>{image_at(url, f"the picture grown to activate {target}")}</figure><section>
<p>Grown from noise, step by step, to excite this filter as much as possible. It shows what <b>can</b> excite it, not
what usually does.{fires}</p>
<p class="quiet">A piece of it, enlarged, as large as the photos beside it. Mean activation over the whole picture:
{written(tile.activation, ".1f")}{robust}. Grown ahead: {grown}.</p>
<p class="next"><button type="button" data-go="maximize" data-start>Grow it live</button></p></section></div>"""
