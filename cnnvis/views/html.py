"""What every view is built from: pictures and buttons as HTML."""

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnvis.network.architecture import Layer
from cnnvis.pictures.images import encode

LOOKS = Path(__file__).with_name("looks.css").read_text(encoding="utf-8")
TILE_PX = 64  # side of the atlas's picture of a channel in a row of them
EMPTY = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"  # a picture through which one sees


@dataclass(frozen=True)
class Piece:
    """A square piece of pictures that lie elsewhere, which the browser cuts out: a site has no file for each tile."""

    urls: Sequence[str]  # of one picture in several sizes, the best first: the others are seen until it has come
    size: tuple[int, int]  # of the picture, in any unit,
    box: tuple[float, float, float]  # and in the same one the piece's left, top and side

    def style(self) -> str:
        """How CSS shows it, in an element of any size."""
        left, top, side = self.box
        at = " ".join(f"{100 * edge / (whole - side):.3f}%" for edge, whole in zip((left, top), self.size, strict=True))
        scale = " ".join(f"{100 * whole / side:.2f}%" for whole in self.size)
        return f"background:{','.join(f'url({url}) {at}/{scale}' for url in self.urls)}"


Address = str | Piece  # of a picture, "" where there is none: a page, a card and a site keep it elsewhere
Tile = Callable[[Layer, int], Address]  # the atlas's picture of a channel


def picture_url(picture: Image.Image | bytes, kind: str = "jpeg") -> str:
    """An address that itself contains a small picture; `kind` is its format, or the one to encode it in."""
    content = picture if isinstance(picture, bytes) else encode(picture, kind)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def image_at(url: Address, alt: str = "", *, title: str = "", looks: str = "") -> str:
    """The picture at an address as an <img>, or nothing; `looks` are its CSS classes."""
    given = {"alt": alt, "class": looks, "title": title}
    if isinstance(url, Piece):
        given["style"], url = url.style(), EMPTY
    attributes = "".join(f' {name}="{html.escape(text)}"' for name, text in given.items() if text or name == "alt")
    return url and f'<img src="{url}"{attributes}>'


def image_tag(
    picture: Image.Image | bytes, alt: str = "", *, px: int = 0, kind: str = "jpeg", title: str = "", looks: str = ""
) -> str:
    """A small picture as an <img> that contains it, `px` wide and high."""
    if px and isinstance(picture, Image.Image):
        picture = enlarged(picture, px)
    return image_at(picture_url(picture, kind), alt, title=title, looks=looks)


def enlarged(picture: Image.Image, px: int) -> Image.Image:
    """A picture, `px` wide and high; if it has few pixels, each stays visible."""
    sharp = picture.width < px // 2
    return picture.resize((px, px), Image.Resampling.NEAREST if sharp else Image.Resampling.BICUBIC)


def channel_button(
    inside: str, looks: str, layer: str, channel: int, words: str, cell: tuple[int, int] | None = None
) -> str:
    """A button that chooses a channel, and a `cell` of its map; `words` say which, also to screen readers."""
    at = "" if cell is None else f'data-row="{cell[0]}" data-column="{cell[1]}" '
    about = f'data-layer="{layer}" data-channel="{channel}" title="{words}" aria-label="{words}"'
    return f'<button {at}type="button" class="{looks}" {about}>{inside}</button>'


def concept_button(inside: str, looks: str, layer: str, concept: int, words: str) -> str:
    """The same for a concept of a layer."""
    about = f'data-layer="{layer}" data-of="concept{concept}" title="{words}" aria-label="{words}"'
    return f'<button type="button" class="{looks}" {about}>{inside}</button>'


def opening(url: str, alt: str) -> str:
    """The picture at an address, which opens by itself when it is touched."""
    return f'<a href="{url}" target="_blank">{image_at(url, alt)}</a>'


def gallery(pictures: Iterable[tuple[str, str]]) -> str:
    """Pictures side by side, each given by its address and a caption; one that is touched opens by itself."""
    figures = ""
    for url, caption in pictures:
        figures += f"<figure>{opening(url, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
    return f'<div class="gallery">{figures}</div>'


def quiet(text: str) -> str:
    """A remark."""
    return f'<p class="quiet">{html.escape(text)}</p>'
