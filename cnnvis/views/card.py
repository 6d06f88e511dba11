"""A card as HTML: a view in a <figure> that contains its own styles, and a file of its own around that."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from cnnvis.pictures.images import encode
from cnnvis.prepared.concepts import Concepts
from cnnvis.version import __version__
from cnnvis.views.channel import Best, Channel, Own
from cnnvis.views.concept import concept_view
from cnnvis.views.exemplars import credit
from cnnvis.views.html import LOOKS, enlarged, image_tag, picture_url
from cnnvis.views.known import Seen, Source, large_tile, named_at
from cnnvis.views.still import Query, link_to, still

Moment = TypeVar("Moment")
MOST_FRAMES, FRAME_PX = 12, 128
STYLE = f".cnnvis-card {{ {LOOKS}\n{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')} }}"
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
PAGE = """body { max-width: 760px; margin: 0 auto; padding: 20px 16px; font: 1.1rem system-ui, sans-serif; }
h1, h2 { display: inline; font-size: inherit; } h1::after { content: ":"; } h2 { font-weight: 400; }"""


@dataclass(frozen=True)
class Frame:
    """One moment of a growing picture."""

    words: str  # "step 24 of 128"
    picture: Image.Image


@dataclass(frozen=True)
class Looks:
    """What any card can be given besides what it shows."""

    theme: str = "auto"
    live: str = ""  # the address of a page where it can be tried
    frames: Sequence[Frame] = ()  # of how its picture grew


@dataclass(frozen=True)
class Shown:
    """What is on a card."""

    kind: str  # "one of its filters"
    name: str
    about: str  # a sentence or two
    view: str  # HTML
    credits: Sequence[str]  # of its photos, HTML
    preview: str  # the address of a picture of it
    query: Query  # what a live page's address says of it


def of_channel(channel: Channel, own: Own | str, own_credit: str = "") -> Shown:
    """What is on the card of a channel; `own_credit` is of the photo in `own`."""
    target, layer = channel.target, channel.target.layer
    about = f"""One of the {layer.channels} filters of {layer.name}, a layer of VGG16, which was trained to name what is
in a photo. Each of its values sees {layer.receptive_field} px of the photo's 224 px."""
    preview = "" if isinstance(channel.grown, str) else large_tile(channel.grown[0], target.number)
    query = {"layer": layer.name, "channel": target.number}
    credits = _credits(channel.best, own_credit)
    return Shown("one of its filters", str(target), about, channel.view(own), credits, preview, query)


def of_concept(source: Source, found: Concepts, number: int, best: Best, own: Own | str, own_credit: str = "") -> Shown:
    """What is on the card of a concept; `best` are its photos."""
    layer, preview = source.net.architecture.find(found.layer), picture_url(found.tile(number))
    about = f"""One of the {len(found.concepts)} concepts of {layer.name}, a layer of VGG16: what several of its
{layer.channels} filters say together in many photos."""
    view = concept_view(found, number, preview, best, own, partial(source.tile, layer))
    credits, query = _credits(best, own_credit), {"layer": layer.name, "of": f"concept{number}"}
    return Shown("one of its concepts", found.named(number), about, view, credits, preview, query)


def of_place(source: Source, seen: Seen, own_credit: str = "") -> Shown:
    """What is on the card of a place of a photo."""
    layer, at = seen.places.layer, seen.at
    about = f"""What {layer.name}, a layer of VGG16, sees at one place of a photo: those of its {layer.channels} filters
that stand out there, each with the picture grown for it and the photo that excites it most."""
    named = named_at(source, layer, at)
    credits = [html.escape(own_credit)] if own_credit else []
    credits += [credited(vars(one.best[0])) for one in named if one.best]
    name, preview = f"{layer.name}, row {at.row}, column {at.column}", picture_url(seen.places.photo)
    query = {"layer": layer.name, "channel": named[0].entry.channel}
    return Shown("one place of a photo", name, about, seen.view(source, named), credits, preview, query)


def _credits(best: Best | str, own_credit: str) -> list[str]:
    """The credits of a card's photos, in their order."""
    credits = [] if isinstance(best, str) else [credited(vars(exemplar)) for exemplar, _ in best.tiles]
    return [*credits, html.escape(own_credit)] if own_credit else credits


def card_figure(shown: Shown, looks: Looks) -> str:
    """A card for somebody's own page: its styles are inside, and no ids that another card may have."""
    live = ""
    if looks.live:
        address = link_to(looks.live, tab="atlas", **shown.query)
        live = f' <a href="{address}" target="_blank" rel="noopener">Look around on the live page</a>.'
    made = f"Pictures grown by cnnvis {__version__}: CC0. VGG16: torchvision's weights, BSD-3-Clause."
    photos = f"Photos: {'; '.join(shown.credits)}. " if shown.credits else ""
    return f"""<figure class="cnnvis-card" data-theme="{looks.theme}"><style>{STYLE}</style>
<figcaption><b>{shown.name}</b> {shown.about}{live}</figcaption>
{still(shown.view, looks.live, shown.query)}{_growing(looks.frames)}
<p class="card-credits">{photos}{made}</p></figure>"""


def card_file(shown: Shown, looks: Looks, figure: str) -> str:
    """The card's figure as a file of its own."""
    text = html.escape(" ".join(shown.about.split()))
    about = {"og:title": shown.name, "og:description": text, "og:type": "article", "og:image": shown.preview}
    tags = "".join(f'<meta property="{name}" content="{content}">' for name, content in about.items() if content)
    scheme = "light dark" if looks.theme == "auto" else looks.theme
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{shown.name}: inside VGG16</title><meta name="description" content="{text}">
<meta name="generator" content="cnnvis {__version__}"><meta name="color-scheme" content="{scheme}">{tags}
<link rel="icon" href="data:,"><style>{PAGE}</style></head>
<body><main><h1>Inside VGG16</h1> <h2>{shown.kind}</h2>{figure}</main></body></html>
"""


def credited(about: Mapping[str, Any]) -> str:
    """A photo's credit, with a link to where it is from."""
    by, source = html.escape(credit(about)), html.escape(about.get("source", ""))
    return f'<a href="{source}" rel="noopener">{by}</a>' if source.startswith("https://") else by


def few(frames: Sequence[Moment]) -> list[Moment]:
    """At most a dozen frames, evenly spaced, the first and the last among them."""
    last, gaps = len(frames) - 1, MOST_FRAMES - 1
    return [frames[round(i * last / gaps)] for i in range(MOST_FRAMES)] if last > gaps else list(frames)


def _growing(frames: Sequence[Frame]) -> str:
    """How a picture grew: its end and, where scripts run, a slider that winds back."""
    if not frames:
        return ""
    shown = ""
    for frame in frames:
        jpeg = encode(enlarged(frame.picture, FRAME_PX), "jpeg", quality=80)
        picture = image_tag(jpeg, f"the picture at {frame.words}")
        hidden = "" if frame is frames[-1] else " hidden"
        shown += f"<figure{hidden}>{picture}<figcaption>{frame.words}</figcaption></figure>"
    last = len(frames) - 1
    slider = f'<input type="range" max="{last}" value="{last}" aria-label="Wind back through the ascent" hidden>'
    return f"""<h4>Grown live <small>from noise, step by step</small></h4>
<div class="card-growing">{shown}{slider}</div><script>{SCRIPT}</script>"""
