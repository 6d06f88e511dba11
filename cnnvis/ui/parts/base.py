"""Places for what the page shows: scripted pieces, pictures, blocks of HTML; and how a picture stands in HTML."""

import html
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from cnnvis.ui.serving.files import picture_url


def scripted(module: str, elem_id: str, **settings: Any) -> gr.HTML:
    """A piece of the page that the script beside `module` (its `__file__`) brings to life; the looks are our own."""
    script = Path(module).with_suffix(".js").read_text()
    return gr.HTML(js_on_load=script, elem_id=elem_id, apply_default_css=False, **settings)


def large_picture(label: str, elem_id: str, *classes: str, height: int, visible: bool = True) -> gr.Image:
    """A place for a picture that the page makes."""
    return gr.Image(
        label=label,
        show_label=False,
        type="filepath",
        interactive=False,
        buttons=["download", "fullscreen"],
        height=height,
        min_width=140,
        visible=visible,
        elem_id=elem_id,
        elem_classes=["picture", *classes],
    )


def image_tag(
    picture: Image.Image | bytes, alt: str = "", *, px: int = 0, kind: str = "jpeg", title: str = "", looks: str = ""
) -> str:
    """A small picture as an <img> that contains it, `px` wide and high; `looks` are its CSS classes.

    Few pixels are enlarged so that each stays visible.
    """
    if px and isinstance(picture, Image.Image):
        sharp = picture.width < px // 2
        picture = picture.resize((px, px), Image.Resampling.NEAREST if sharp else Image.Resampling.BICUBIC)
    said = {"class": looks, "title": title}
    more = "".join(f' {name}="{html.escape(value, quote=True)}"' for name, value in said.items() if value)
    return f'<img src="{picture_url(picture, kind)}" alt="{html.escape(alt, quote=True)}"{more}>'


def html_block(elem_id: str, *classes: str) -> gr.HTML:
    """A place for HTML that the page makes, without looks of its own."""
    return gr.HTML(elem_id=elem_id, elem_classes=list(classes), apply_default_css=False, padding=False)
