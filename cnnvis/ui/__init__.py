"""The page and its endpoints: the only package that imports Gradio."""

from cnnvis.ui.page import build_page, launch_options, serve

__all__ = ["build_page", "launch_options", "serve"]
