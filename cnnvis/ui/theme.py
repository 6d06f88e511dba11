"""How the page looks: a theme on system fonts and a little CSS; nothing is fetched from anywhere."""

import gradio as gr

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Quiet greys, one accent, so that the pictures are the colour of the page."""
    return gr.themes.Base(
        primary_hue="orange",
        neutral_hue="slate",
        text_size="md",
        radius_size="md",
        font=_SANS,
        font_mono=_MONO,
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


CSS = """
/* Never wider than the window, or the tabs' labels, which do not wrap, would make a phone scroll sideways. */
.gradio-container { width: 100% !important; min-width: 0 !important; max-width: 1280px !important;
  margin: 0 auto !important; }
.masthead h1 { font-size: 1.55rem; margin: 0; letter-spacing: -0.01em; }
.masthead p { margin: 0.15rem 0 0; color: var(--body-text-color-subdued); }
.choice { align-items: end; position: sticky; top: 0; z-index: 20; background: var(--body-background-fill);
  padding: 6px 0; }
.choice button { min-width: 44px; height: 42px; }
.sheet { max-height: 620px; overflow-y: auto; padding: 6px; }
#map-sheet { --cell-width: 56px; }
.picture img { width: 100%; height: 100%; object-fit: contain; }
.sharp img { image-rendering: pixelated; }
.status { min-height: 1.6em; font-variant-numeric: tabular-nums; }
.quiet, .quiet p { color: var(--body-text-color-subdued); font-size: 0.92em; }
.facts table { width: 100%; font-variant-numeric: tabular-nums; }
.facts table, .facts tr, .facts td, .facts th { border: 0 !important; text-align: left; }
.facts td, .facts th { padding: 4px 12px 4px 0 !important; vertical-align: top;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.facts th { font-weight: 500; color: var(--body-text-color-subdued); }
button:focus-visible, input:focus-visible, a:focus-visible, [role="tab"]:focus-visible {
  outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
@media (max-width: 640px) {
  .gradio-container { padding: 8px !important; }
  .sheet { max-height: 420px; --cell-width: 40px; }
}
"""
