"""A card as HTML: a view in a <figure> that contains its own styles, and a file of its own around that."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnvis.network.architecture import Target
from cnnvis.prepared.shelf import Exemplar
from cnnvis.version import __version__
from cnnvis.views.exemplars import credit
from cnnvis.views.html import LOOKS, image_tag
from cnnvis.views.still import link_to, still

FRAME_PX = 128
STYLE = f".cnnvis-card {{ {LOOKS}\n{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')} }}"
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
PAGE = """body { max-width: 760px; margin: 0 auto; padding: 20px 16px; font: 1.1rem system-ui, sans-serif; }
h1, h2 { display: inline; font-size: inherit; } h2 { font-weight: 400; }"""


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
    target: Target  # what a live page shows of it


def card_figure(shown: Shown, looks: Looks) -> str:
    """A card for somebody's own page: its styles are inside, and no ids that another card may have."""
    live = ""
    if looks.live:
        address = link_to(looks.live, tab="atlas", layer=shown.target.layer.name, channel=shown.target.number)
        live = f' <a href="{address}" target="_blank" rel="noopener">Look around on the live page</a>.'
    made = f"Pictures grown by cnnvis {__version__}: CC0. VGG16: torchvision's weights, BSD-3-Clause."
    photos = f"Photos: {'; '.join(shown.credits)}. " if shown.credits else ""
    return f"""<figure class="cnnvis-card" data-theme="{looks.theme}"><style>{STYLE}</style>
<figcaption><b>{shown.name}</b> {shown.about}{live}</figcaption>
{still(shown.view, looks.live, shown.target)}{_growing(looks.frames)}
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


def credited(exemplar: Exemplar) -> str:
    """A photo's credit, with a link to where it is from."""
    by, source = html.escape(credit(vars(exemplar))), html.escape(exemplar.source)
    return f'<a href="{source}" rel="noopener">{by}</a>' if source.startswith("https://") else by


def _growing(frames: Sequence[Frame]) -> str:
    """How a picture grew: its end and, where scripts run, a slider that winds back."""
    if not frames:
        return ""
    shown = ""
    for frame in frames:
        picture = image_tag(frame.picture, f"the picture at {frame.words}", px=FRAME_PX)
        hidden = "" if frame is frames[-1] else " hidden"
        shown += f"<figure{hidden}>{picture}<figcaption>{frame.words}</figcaption></figure>"
    last = len(frames) - 1
    slider = f'<input type="range" max="{last}" value="{last}" aria-label="Wind back through the ascent" hidden>'
    return f"""<h4>Grown live <small>from noise, step by step</small></h4>
<div class="card-growing">{shown}{slider}</div><script>{SCRIPT}</script>"""
