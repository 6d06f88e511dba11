"""Records drawn as HTML: what the page, a card and a site show of a channel. It knows no Gradio."""
