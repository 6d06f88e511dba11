"""How the page looks: a theme on system fonts, and a little CSS. Nothing is fetched from elsewhere."""

from pathlib import Path

import gradio as gr

from cnnvis.views.html import LOOKS
from cnnvis.views.lesson import STYLE as LESSON

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Quiet greys and one accent, so that the pictures supply the colour."""
    return gr.themes.Base(
        primary_hue="orange", neutral_hue="slate", text_size="md", radius_size="md", font=_SANS, font_mono=_MONO
    ).set(
        body_background_fill="#f7f8fa",
        body_background_fill_dark="#0f1218",
        block_background_fill="white",
        block_background_fill_dark="#171b23",
        block_border_width="1px",
        block_label_text_weight="600",
        block_title_text_weight="600",
        button_primary_background_fill="#c2410c",
        button_primary_background_fill_hover="#9a3412",
        button_primary_background_fill_dark="#c2410c",
        button_primary_background_fill_hover_dark="#9a3412",
        button_primary_text_color="white",
        color_accent="#c2410c",
        color_accent_soft="#ffedd5",
        color_accent_soft_dark="#43200f",
        body_text_color_subdued="#51596a",
        body_text_color_subdued_dark="#a4adbd",
    )


STYLES = (
    "page.css",
    "parts/large.css",
    "tabs/maps/tab.css",
    "tabs/learn/tab.css",
    "tabs/quiz/game.css",
)
CSS = LOOKS + LESSON + "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in STYLES)
