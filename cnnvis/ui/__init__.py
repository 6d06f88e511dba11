"""The page and its endpoints: the only package that knows gradio."""

from cnnvis.ui.page import build_page, launch_options

__all__ = ["build_page", "launch_options"]
