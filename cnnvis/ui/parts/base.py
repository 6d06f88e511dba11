"""What the page is built from: scripted pieces, slots for pictures and for HTML, and pictures as HTML.

None of the pieces holds components: `gr.HTML` as a layout (6.7) takes them only outside its tags.
"""

import html
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from cnnvis.ui.serving.files import picture_url


def scripted(module: str, elem_id: str, **settings: Any) -> gr.HTML:
    """A piece of the page that the script beside `module` (its `__file__`) brings to life; the styles are our own."""
    script = Path(module).with_suffix(".js").read_text(encoding="utf-8")
    return gr.HTML(js_on_load=script, elem_id=elem_id, apply_default_css=False, **settings)


def large_picture(label: str, elem_id: str, *classes: str, height: int, visible: bool = True) -> gr.Image:
    """An empty slot for a picture that the page makes."""
    about: dict[str, Any] = {"label": label, "show_label": False, "elem_id": elem_id, "visible": visible}
    about |= {"buttons": ["download", "fullscreen"], "elem_classes": ["picture", *classes]}
    return gr.Image(type="filepath", interactive=False, height=height, min_width=140, **about)


def html_block(elem_id: str, *classes: str, **settings: Any) -> gr.HTML:
    """A slot for HTML that the page makes, without styles of Gradio's."""
    return gr.HTML(elem_id=elem_id, elem_classes=list(classes), apply_default_css=False, **settings)


def image_tag(
    picture: Image.Image | bytes, alt: str = "", *, px: int = 0, kind: str = "jpeg", title: str = "", looks: str = ""
) -> str:
    """A small picture as an <img> that contains it, `px` wide and high; `looks` are its CSS classes.

    If the picture has few pixels, each stays visible when they are enlarged.
    """
    if px and isinstance(picture, Image.Image):
        sharp = picture.width < px // 2
        picture = picture.resize((px, px), Image.Resampling.NEAREST if sharp else Image.Resampling.BICUBIC)
    given = {"alt": alt, "class": looks, "title": title}
    attributes = "".join(f' {name}="{html.escape(text)}"' for name, text in given.items() if text or name == "alt")
    return f'<img src="{picture_url(picture, kind)}"{attributes}>'


def channel_button(inside: str, looks: str, layer: str, channel: int, words: str) -> str:
    """A button that chooses a channel; `words` say which, also to screen readers."""
    about = f'data-layer="{layer}" data-channel="{channel}" title="{words}" aria-label="{words}"'
    return f'<button type="button" class="{looks}" {about}>{inside}</button>'
